"""The Trainer of PyTorch Lightning, as a side to measure.

It is not among our requirements, on purpose: the package of metrics that it needs makes the import of Fabric slow,
and uninstalling it breaks Fabric. So it lies in a folder of its own, which only its side imports from.
"""

import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from benchmarks.table import Setting

if TYPE_CHECKING:
    from torch import Tensor, nn

INSTALL = "uv pip install --target DIR --no-deps pytorch-lightning==2.6.6 torchmetrics lightning-utilities"
MISSING = ("Lightning's Trainer is not installed. To measure it:", f"{INSTALL}; then --lightning DIR")


def installed(setting: Setting) -> bool:
    """Whether its side can import it."""
    if setting.lightning is not None:
        return (setting.lightning / "pytorch_lightning").is_dir()
    return importlib.util.find_spec("pytorch_lightning") is not None


def fit(
    network: "nn.Module", batches: Iterable[Any], folder: str, device: str = "cpu", epochs: int = 1, **options: Any
) -> None:
    """Train with plain SGD at 0.01; the Trainer at its defaults, but for the logger and `options`."""
    import pytorch_lightning as lightning  # type: ignore[import-not-found]
    import torch

    class Module(lightning.LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def training_step(self, batch: "tuple[Tensor, Tensor]", number: int) -> "Tensor":
            images, labels = batch
            return torch.nn.functional.cross_entropy(self.network(images), labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    accelerator = "gpu" if device == "cuda" else device
    trainer = lightning.Trainer(
        max_epochs=epochs, accelerator=accelerator, devices=1, default_root_dir=folder, logger=False, **options
    )
    trainer.fit(Module(), batches)
