"""One epoch of training: S1's script beside darkroom.engine.fit, and the floor under both.

Same network (convolutions 1-16-32, 1568-500-10, sigmoid), same number of images, batches of 128, SGD at a constant
0.01, no augmentation, a thread for each core. S1's script runs in torch's own settings, ours in those of
darkroom.runtime, as a user of either would run it. Ours also counts right answers, and validates on one batch of 128
images, the least that engine.fit takes; S1's loop asks for the loss after each step, as such scripts do, and does
not validate. Both are warmed up with ten batches, which are not counted.

The floor is our network on one batch that lies in memory, again and again: forward, backward, step. What ours has above
it is the cost of getting data to the network; what S1's script has above it is that and the cost of torch's settings.
"""

from pathlib import Path
from typing import Any

from benchmarks import packed, tree
from benchmarks.fresh import Figures, best, clock, fresh
from benchmarks.table import Setting, Table
from darkroom.params import Model, Train

WARM_BATCHES = 10

# Not from params.yaml: that is the user's to change.
MODEL = Model(
    layers="16P-32P",
    kernel=3,
    batch_norm=False,
    activation="relu",
    pooling="flatten",
    hidden=[500],
    hidden_activation="sigmoid",
    dropout=0.0,
)
TRAIN = Train(
    seed=0,
    epochs=1,
    batch_size=128,
    optimizer="sgd",
    lr=0.01,
    momentum=0.0,
    weight_decay=0.0,
    schedule="constant",
    warmup=0.0,
    label_smoothing=0.0,
    patience=None,
    device="cpu",
    threads=0,
    portable=False,
)


def run(setting: Setting) -> list[Table]:
    archive, mine, theirs = str(setting.archive), str(setting.folder()), str(setting.folder())
    # Our split keeps equal pixels on one side, so the two may differ by an image or two.
    made = fresh(packed.set_up, archive, mine), fresh(tree.set_up, archive, theirs)
    count = int(min(figures["train"] for figures in made))
    found = best(
        {
            "ours": lambda: fresh(ours, mine, count),
            "S1, cv2": lambda: fresh(script, theirs, count, "cv2"),
            "S1, PIL": lambda: fresh(script, theirs, count, "PIL"),
            "floor": lambda: fresh(floor, mine, count),
        },
        setting.repeats,
    )
    rows = [
        [
            name,
            f"{figures['wall']:.2f}",
            f"{figures['cpu']:.2f}",
            f"{count / figures['wall']:,.0f}",
            f"{figures['wall'] / found['ours']['wall']:.2f}",
            f"{figures['wall'] / found['floor']['wall'] - 1:+.0%}",
            f"{figures['threads']:.0f}",
        ]
        for name, figures in found.items()
    ]
    columns = ("way", "s/epoch", "CPU s", "images/s", "ratio to ours", "over the floor", "threads")
    notes = (
        f"{count:,} training images. Ours includes validating on one batch of 128 images. The floor is our network on",
        "one batch in memory, without any data path.",
    )
    title = "epoch: one epoch of S1's training"
    return [Table(title, setting.title, setting.repeats, columns, rows, notes=notes)]


def script(folder: str, count: int, reader: str) -> Figures:
    """S1's script."""
    import torch

    from benchmarks import s1

    torch.manual_seed(0)
    model, train = s1.network(), Path(folder) / "train"
    batches = s1.loader(train, reader, count)
    s1.train(model, s1.loader(train, reader, WARM_BATCHES * s1.BATCH))
    with clock() as figures:
        s1.train(model, batches)
    return figures | {"threads": torch.get_num_threads()}


def ours(folder: str, count: int) -> Figures:
    """The train stage's loop."""
    torch, model, mean, std = _start()
    from darkroom import augment, engine

    whole, _ = packed.load_train(folder)
    data = engine.Data(whole.images[:count], whole.labels[:count])
    warm = engine.Data(data.images[: WARM_BATCHES * TRAIN.batch_size], data.labels[: WARM_BATCHES * TRAIN.batch_size])
    val = engine.Data(data.images[: TRAIN.batch_size], data.labels[: TRAIN.batch_size])
    change = augment.build([], mean.flatten())

    def fit(images: engine.Data) -> None:
        engine.fit(model, images, val, mean, std, TRAIN, change, on_step=lambda: None, on_epoch=lambda figures: None)

    fit(warm)
    with clock() as figures:
        fit(data)
    return figures | {"threads": torch.get_num_threads()}


def floor(folder: str, count: int) -> Figures:
    """The same network and settings on one batch."""
    torch, model, mean, std = _start()
    from darkroom import engine
    from darkroom.models import normalise

    whole, _ = packed.load_train(folder)
    images, labels = normalise(whole.images[: TRAIN.batch_size], mean, std), whole.labels[: TRAIN.batch_size]
    optimizer = engine.make_optimizer(model, TRAIN)
    model.train()

    def train(count: int) -> None:
        for start in range(0, count, TRAIN.batch_size):
            size = min(TRAIN.batch_size, count - start)  # the last batch of an epoch is smaller
            loss = torch.nn.functional.cross_entropy(model(images[:size]), labels[:size])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()

    train(WARM_BATCHES * TRAIN.batch_size)
    with clock() as figures:
        train(count)
    return figures | {"threads": torch.get_num_threads()}


def _start() -> tuple[Any, Any, Any, Any]:
    """Torch, network, mean and standard deviation as the train stage has them."""
    from darkroom import runtime

    torch = runtime.torch_for(threads=TRAIN.threads, portable=TRAIN.portable)
    from benchmarks.s1 import MEAN, STD
    from darkroom import models

    torch.manual_seed(0)
    model = models.build(MODEL, (28, 28, 1), 10).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return torch, model, torch.full((1, 1, 1), MEAN * 255), torch.full((1, 1, 1), STD * 255)
