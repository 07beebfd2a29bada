"""Trainings on the device that is measured, put together as the train stage does it."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.epoch import MODEL, TRAIN
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Model
from darkroom.dataset.packed import Images, Labels, Rows

if TYPE_CHECKING:
    from torch import Tensor

    from darkroom.training.batches import Batches
    from darkroom.training.recipe import Recipe

# The network and settings that `auto` gives; not from params.yaml, which is the user's to change.
CNN = MODEL.model_copy(update={"layers": "32P-64-64P-128-128", "batch_norm": True, "pooling": "max", "hidden": []})
SETTINGS = TRAIN.model_copy(
    update={
        "lr": 0.15,
        "momentum": 0.9,
        "nesterov": True,
        "weight_decay": 5e-4,
        "schedule": "cosine",
        "warmup": 0.2,
        "label_smoothing": 0.1,
    }
)


def facts(
    device: str, shape: tuple[int, int, int], model: Model = CNN, augment: Sequence[Mapping[str, Any]] = (),
    *, classes: int = 10, **train: Any,
) -> ModelFacts:  # fmt: skip
    """What model.json would say of such a training; `train` changes SETTINGS."""
    height, width, channels = shape
    middle = [0.5] * channels
    return ModelFacts.model_validate(
        {
            "dataset": "benchmark",
            "classes": [str(number) for number in range(classes)],
            "height": height,
            "width": width,
            "channels": channels,
            "mean": middle,
            "std": [0.25] * channels,
            "border": middle,
            "model": model,
            "parameters": 0,
            "augment": list(augment),
            "train": SETTINGS.model_copy(update={"device": device, **train}),
        }
    )


def prepared(made: ModelFacts) -> "Recipe":
    """The recipe of these facts with its first weights, on their device."""
    import torch

    from darkroom.training import recipe

    network = recipe.first_weights(made, made.train.seed)
    return recipe.prepare(made, network, torch.device(made.train.device))


def on_device(recipe: "Recipe", images: Images, labels: Labels, **splits: Rows) -> "dict[str, Batches]":
    """The splits of a set, `train=rows` and so on, as the train stage loads them."""
    return recipe.data(images, splits, {name: labels[rows] for name, rows in splits.items()})


def noise(count: int, shape: tuple[int, int, int]) -> tuple[Images, Labels]:
    """Random images, for what does not depend on what they show."""
    generator = np.random.default_rng(0)
    return generator.integers(0, 256, (count, *shape), np.uint8), generator.integers(0, 10, count)


def digest(weights: "Mapping[str, Tensor]") -> str:
    """A hash of tensors, names and bytes."""
    found = hashlib.sha256()
    for name in sorted(weights):
        found.update(name.encode() + weights[name].detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()[:16]


def synchronize(device: str) -> None:
    """Wait for a GPU's work: it goes on while Python reads the clock."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.synchronize()


def peak_mb(device: str) -> float | None:
    """The most memory of the GPU that tensors of this process took since `forget_peak`, in megabytes."""
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.max_memory_allocated() / 1e6


def forget_peak(device: str) -> None:
    """Count `peak_mb` from now on, without what an earlier training left to the allocator."""
    if device.startswith("cuda"):
        import gc

        import torch

        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
