"""What a framework adds to a step: microseconds of a small network's step, in three loops.

A net of 784-32-10 units, batch 64, SGD at 0.01, images in memory, one thread: so little arithmetic that the loop around
it shows. The loop by hand is the least that trains: shuffle, index, normalise, forward, backward, step. Ours is
training.loop.fit, which also sets the learning rate, counts right answers and the loss, validates (here on one batch
an epoch) and keeps the best weights. The Trainer gets batches that are ready, from the same lines as the loop by hand,
so that no DataLoader is in its time. Its first row is at its defaults but for the logger; the second leaves out what it
can do without.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from benchmarks import trainer
from benchmarks.epoch import MODEL, TRAIN
from benchmarks.fresh import Figures, best, clock, fresh
from benchmarks.table import Setting, Table

if TYPE_CHECKING:
    from torch import Tensor

BATCH, EPOCHS = 64, 3
STEPS = 1000  # of an epoch
NETWORK = MODEL.model_copy(update={"name": "mlp", "hidden": [32], "hidden_activation": "relu"})
SETTINGS = TRAIN.model_copy(update={"batch_size": BATCH, "epochs": EPOCHS, "threads": 1})
LEAST: dict[str, Any] = {"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def run(setting: Setting) -> list[Table]:
    steps = STEPS // 10 if setting.quick else STEPS
    folder = str(setting.folder())
    sides: dict[str, Callable[[], Figures]] = {
        "loop by hand": lambda: fresh(by_hand, steps),
        "ours": lambda: fresh(ours, steps),
    }
    names = ("Trainer, defaults but logger=False", "Trainer, no checkpoints, bar or summary")
    if trainer.installed(setting):
        for least, name in enumerate(names):
            sides[name] = lambda least=least: fresh(  # type: ignore[misc]
                with_trainer, steps, folder, least, packages=setting.lightning
            )
    found = best(sides, setting.repeats, setting.together)
    hand = found["loop by hand"]["us"]
    rows = [
        [name, f"{figures['us']:.0f}", f"{figures['us'] - hand:+.0f}", f"{figures['us'] / hand:.2f}"]
        for name, figures in found.items()
    ]
    notes: list[str] = [f"{EPOCHS} epochs of {steps:,} steps, what surrounds them in the call included."]
    if not trainer.installed(setting):
        rows += [[name, "not installed", "", ""] for name in names]
        notes += trainer.MISSING
    columns = ("loop", "µs/step", "over by hand", "ratio")
    title, data = "loop: what a framework adds to a step", f"784-32-10, batch {BATCH}, one thread, images in memory"
    return [Table(title, data, setting.repeats, columns, rows, notes=notes)]


def by_hand(steps: int) -> Figures:
    torch, network, images, labels = _start(steps)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)

    def train(epochs: int) -> None:
        network.train()
        for _ in range(epochs):
            for batch, answers in _batches(images, labels):
                loss = torch.nn.functional.cross_entropy(network(batch), answers)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()

    return _time(lambda: train(1), lambda: train(EPOCHS), steps)


def ours(steps: int) -> Figures:
    torch, network, images, labels = _start(steps)
    import numpy as np

    from benchmarks.s1 import MEAN, STD
    from darkroom.augment import pipeline
    from darkroom.training import loop, processes
    from darkroom.training.batches import Batches
    from darkroom.training.recipe import Recipe

    device = torch.device("cpu")
    fabric = processes.fabric(SETTINGS, device, "32")
    mean, std = (torch.full((1, 1, 1), value * 255) for value in (MEAN, STD))
    train, val = (
        Batches(images.numpy(), np.arange(count), labels[:count].numpy(), device, memory_share=SETTINGS.memory_share)
        for count in (len(labels), BATCH)
    )
    change = pipeline.build([], mean.flatten(), mean.flatten())

    def fit(epochs: int) -> None:
        settings = SETTINGS.model_copy(update={"epochs": epochs})
        loop.fit(Recipe(fabric, network, mean, std, settings, change), train, val)

    return _time(lambda: fit(1), lambda: fit(EPOCHS), steps)


def with_trainer(steps: int, folder: str, least: int) -> Figures:
    _, network, images, labels = _start(steps)

    class Batches:
        def __len__(self) -> int:
            return steps

        def __iter__(self) -> "Iterator[tuple[Tensor, Tensor]]":
            return _batches(images, labels)

    options: dict[str, Any] = LEAST if least else {}

    def fit(epochs: int) -> None:
        trainer.fit(network, Batches(), folder, epochs=epochs, **options)

    return _time(lambda: fit(1), lambda: fit(EPOCHS), steps)


def _time(warm_up: Callable[[], None], train: Callable[[], None], steps: int) -> Figures:
    warm_up()
    with clock() as figures:
        train()
    return {"us": figures["wall"] / (EPOCHS * steps) * 1e6}


def _batches(images: "Tensor", labels: "Tensor") -> "Iterator[tuple[Tensor, Tensor]]":
    """One epoch of shuffled, normalised batches (N x 1 x height x width)."""
    import torch

    from benchmarks.s1 import MEAN, STD

    for batch in torch.split(torch.randperm(len(labels)), BATCH):
        pixels = images[batch].permute(0, 3, 1, 2).float()
        yield pixels.sub_(MEAN * 255).div_(STD * 255), labels[batch]


def _start(steps: int) -> tuple[Any, Any, Any, Any]:
    """Torch, the network, images (uint8, N x 28 x 28 x 1) and labels."""
    from darkroom.base import torch_setup

    torch = torch_setup.torch_for(threads=SETTINGS.threads, portable=SETTINGS.portable)
    from darkroom.network import architectures

    torch.manual_seed(0)
    network = architectures.build(NETWORK, (28, 28, 1), 10)
    images = torch.randint(0, 256, (steps * BATCH, 28, 28, 1), dtype=torch.uint8)
    return torch, network, images, torch.randint(0, 10, (len(images),))
