"""The template of Lightning with Hydra, with data of one's own: python -m benchmarks.peers.with_hydra DATA EPOCHS SEED.

Its own MNIST is torchvision's download; other data are a data module that its configuration names, as its README says.
Its checkpoints hold a whole network, which PyTorch since 2.6 does not load unless told to.
"""

import os
import runpy
import sys
from pathlib import Path
from typing import Any

import hydra
import lightning
import torch
from torch.utils.data import DataLoader
from torchvision import datasets, transforms


class Digits(lightning.LightningDataModule):
    def __init__(self, folder: str, batch_size: int, **_: Any) -> None:
        super().__init__()
        self.save_hyperparameters(logger=False)

    def loader(self, name: str) -> DataLoader:
        steps = [transforms.Grayscale(), transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
        images = datasets.ImageFolder(f"{self.hparams.folder}/{name}", transforms.Compose(steps))
        return DataLoader(images, self.hparams.batch_size, shuffle=name == "train", num_workers=2)

    def train_dataloader(self) -> DataLoader:
        return self.loader("train")

    def val_dataloader(self) -> DataLoader:
        return self.loader("val")

    def test_dataloader(self) -> DataLoader:
        return self.loader("test")


class Told(lightning.Callback):
    def on_validation_epoch_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        if not trainer.sanity_checking:
            print(f"epoch {trainer.current_epoch + 1} val {trainer.callback_metrics['val/acc']:.4f}")

    def on_fit_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        torch.save(module.state_dict(), "weights.pt")

    def on_test_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        print(f"test {trainer.callback_metrics['test/acc']:.4f}")


if __name__ == "__main__":
    folder, epochs, seed = sys.argv[1:]
    template = Path(hydra.__file__).parents[1] / "lightning-hydra-template"
    os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"
    sys.argv = [
        "train.py",
        "data._target_=benchmarks.peers.with_hydra.Digits",
        f"+data.folder={folder}",
        "+callbacks.told._target_=benchmarks.peers.with_hydra.Told",
        f"trainer.max_epochs={epochs}",
        f"seed={int(seed) + 1}",  # the template takes 0 for none
        "trainer.deterministic=true",
        f"paths.log_dir={Path.cwd()}",
    ]
    runpy.run_path(str(template / "src" / "train.py"), run_name="__main__")
