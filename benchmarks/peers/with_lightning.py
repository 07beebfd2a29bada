"""Lightning's Trainer with torchvision's ImageFolder: python -m benchmarks.peers.with_lightning DATA EPOCHS SEED."""

import sys

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy
from torchvision import datasets, transforms

folder, epochs, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


class Digits(lightning.LightningDataModule):
    def loader(self, name: str) -> DataLoader:
        steps = [transforms.Grayscale(), transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))]
        images = datasets.ImageFolder(f"{folder}/{name}", transforms.Compose(steps))
        return DataLoader(images, 128, shuffle=name == "train", num_workers=2)

    def train_dataloader(self) -> DataLoader:
        return self.loader("train")

    def val_dataloader(self) -> DataLoader:
        return self.loader("val")

    def test_dataloader(self) -> DataLoader:
        return self.loader("test")


class Model(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            *(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(9216, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, 10)),
        )
        self.accuracy = MulticlassAccuracy(10, average="micro")

    def training_step(self, batch: tuple[Tensor, Tensor], number: int) -> Tensor:
        return nn.functional.cross_entropy(self.network(batch[0]), batch[1])

    def validation_step(self, batch: tuple[Tensor, Tensor], number: int) -> None:
        self.accuracy(self.network(batch[0]), batch[1])
        self.log("val_accuracy", self.accuracy)

    def on_validation_epoch_end(self) -> None:
        print(f"epoch {self.current_epoch + 1} val {self.accuracy.compute():.4f}")

    def test_step(self, batch: tuple[Tensor, Tensor], number: int) -> None:
        self.accuracy(self.network(batch[0]), batch[1])
        self.log("test_accuracy", self.accuracy)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=0.001)


lightning.seed_everything(seed, workers=True)
trainer = lightning.Trainer(max_epochs=epochs, deterministic=True, num_sanity_val_steps=0)
model, data = Model(), Digits()
trainer.fit(model, data)
trainer.save_checkpoint("weights.pt")
print(f"test {trainer.test(model, data)[0]['test_accuracy']:.4f}")
