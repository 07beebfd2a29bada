"""Batch size, epochs and learning rate where params.yaml says `auto`: by optimiser, weights and number of images."""

import math
from typing import Any, Protocol

from darkroom.config import auto


class Training(Protocol):
    """The settings of a training that decide, or are decided, here."""

    @property
    def batch_size(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def freeze_epochs(self) -> int: ...
    @property
    def optimizer(self) -> str: ...
    @property
    def lr(self) -> float: ...
    @property
    def unfreeze_lr_factor(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def accumulate(self) -> Any: ...


def adapted(train: Training, free: set[str], images: int | None, *, pretrained: bool) -> dict[str, Any]:
    """Batch size, epochs and learning rate, as far as they are `free`, adapted to the data set: by key.

    A small data set gets smaller batches and more epochs, so that the training takes enough steps. SGD's learning rate
    is proportional to the batch size (Goyal et al. 2017, arXiv:1706.02677); Adam's is fixed.
    """
    if pretrained:
        return _from_weights(train, free, images)
    batch, epochs, lr = train.batch_size, train.epochs, train.lr
    if "train.batch_size" in free and images is not None:
        while batch > auto.SMALLEST_BATCH and images < auto.FEWEST_BATCHES * batch:
            batch //= 2
    if "train.epochs" in free and images is not None:
        epochs = max(epochs, min(auto.MOST_EPOCHS, math.ceil(auto.FEWEST_STEPS / math.ceil(images / batch))))
    if "train.epochs" in free:
        epochs = max(epochs, train.freeze_epochs)
    if "train.lr" in free:
        lr = auto.SGD_LR * min(1.0, batch / auto.BATCH) if train.optimizer == "sgd" else auto.ADAM_LR
    parts = _parts(train, batch)
    return {"batch_size": batch, "epochs": epochs, "lr": lr, "accumulate": parts}


def _from_weights(train: Training, free: set[str], images: int | None) -> dict[str, Any]:
    """The epochs, as far as they are `free`, of a training from pretrained weights.

    First the head alone learns, to its end, then all layers: features that a random head would spoil are kept (Kumar et
    al. 2022, arXiv:2202.10054). Many images need fewer epochs of each.
    """
    steps = math.ceil((images or auto.FEWEST_STEPS * train.batch_size) / train.batch_size)
    head = min(auto.MOST_HEAD_EPOCHS, math.ceil(auto.HEAD_STEPS / steps))
    rest = min(auto.MOST_ALL_EPOCHS, max(auto.FEWEST_ALL_EPOCHS, math.ceil(auto.ALL_STEPS / steps)))
    frozen, epochs, lr = train.freeze_epochs, train.epochs, train.lr
    if "train.freeze_epochs" in free:
        frozen = head if "train.epochs" in free else epochs // 2
    if "train.epochs" in free:
        epochs = frozen + rest
    if "train.lr" in free:
        lr = auto.SGD_LR * min(1.0, train.batch_size / auto.BATCH) if train.optimizer == "sgd" else auto.ADAM_LR
        lr *= 1.0 if frozen else train.unfreeze_lr_factor  # all layers from the first epoch on
    # In the other two, weight decay is a part of the gradient, and this much would keep all weights near 0.
    coupled = "train.weight_decay" in free and train.optimizer != "adamw"
    decay = auto.WEIGHT_DECAY if coupled else train.weight_decay
    length = {"freeze_epochs": frozen, "epochs": epochs, "lr": lr, "weight_decay": decay}
    return length | {"accumulate": _parts(train, train.batch_size)}


def _parts(train: Training, batch: int) -> Any:
    """`train.accumulate`: a batch cannot be divided into more parts than it has images."""
    return train.accumulate if train.accumulate == "auto" else min(train.accumulate, batch)
