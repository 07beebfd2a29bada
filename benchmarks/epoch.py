"""One epoch of training: training.loop.fit beside S1's script and Lightning's Trainer, and the floor under all.

Same network (convolutions 1-16-32, 1568-500-10, sigmoid), same number of images, batches of 128, SGD at a constant
0.01, no augmentation, a thread for each core, float32 unless a row says otherwise. S1's script and the Trainer run in
torch's own settings, ours in those of darkroom.base.torch_setup, as a user of each would run it. Ours also counts right
answers, and validates on one batch of 128 images; S1's loop asks for the loss after each step, as such scripts do, and
like the Trainer does not validate. The Trainer gets its images from torchvision's ImageFolder and transforms through a
DataLoader with two workers. All are warmed up with ten batches, which are not counted.

The floor is our network, optimiser and settings on one batch that lies in memory, again and again: forward, backward,
step. What ours has above it is the cost of getting data to the network and of the loop; what the others have above it
is that and the cost of torch's settings.

Where there is a GPU, all is measured on it once more, with a row for torch.compile.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import packed, trainer, tree
from benchmarks.fresh import Figures, abilities, best, clock, fresh, peak_mb
from benchmarks.table import Setting, Table
from darkroom.config.params import Model, Train

WARM_BATCHES = 10
TARGET = 1.10  # times the floor, at most
FLOOR = {"ours, bf16-mixed": "floor, bf16-mixed"}  # under all others: floor

# Not from params.yaml: that is the user's to change.
MODEL = Model(
    name="cnn",
    weights=None,
    input_size=None,
    layers="16P-32P",
    kernel=3,
    batch_norm=False,
    activation="relu",
    pooling="flatten",
    hidden=[500],
    hidden_activation="sigmoid",
    dropout=0.0,
    init="default",
)
TRAIN = Train(
    seed=0,
    fraction=1.0,
    epochs=1,
    batch_size=128,
    accumulate=1,
    optimizer="sgd",
    lr=0.01,
    momentum=0.0,
    nesterov=False,
    weight_decay=0.0,
    l1=0.0,
    max_norm=None,
    clip=None,
    schedule="constant",
    warmup=0.0,
    milestones=[],
    gamma=0.1,
    plateau_epochs=5,
    label_smoothing=0.0,
    class_weights=False,
    balanced=False,
    mixup=0.0,
    cutmix=0.0,
    ema=0.0,
    monitor="val_accuracy",
    patience=None,
    freeze_epochs=0,
    unfreeze_lr_factor=0.1,
    freeze_statistics=False,
    keep_epochs=False,
    device="cpu",
    devices=1,
    num_nodes=1,
    strategy="auto",
    precision="32",
    compile=False,
    memory_share=packed.MEMORY_SHARE,
    threads=0,
    portable=False,
)


def run(setting: Setting) -> list[Table]:
    archive, mine, theirs = str(setting.archive), str(setting.folder()), str(setting.folder())
    # Our split keeps equal pixels on one side, so the two may differ by an image or two.
    made = fresh(packed.set_up, archive, mine), fresh(tree.set_up, archive, theirs)
    count = int(min(figures["train"] for figures in made))
    able = fresh(abilities)
    tables = [_table(setting, mine, theirs, count, "cpu", half=bool(able["bf16"]))]
    if able["cuda"]:
        tables.append(_table(setting, mine, theirs, count, "cuda", half=True))
    return tables


def _table(setting: Setting, mine: str, theirs: str, count: int, device: str, *, half: bool) -> Table:
    sides: dict[str, Callable[[], Figures]] = {"ours": lambda: fresh(ours, mine, count, device, "32", 0)}
    if device == "cuda":
        sides["ours, compiled"] = lambda: fresh(ours, mine, count, device, "32", 1)
    if half:
        sides["ours, bf16-mixed"] = lambda: fresh(ours, mine, count, device, "bf16-mixed", 0)
    sides["S1, cv2"] = lambda: fresh(script, theirs, count, device, "cv2")
    sides["S1, PIL"] = lambda: fresh(script, theirs, count, device, "PIL")
    lightning = {"ImageFolder, Trainer": 1, "ImageFolder, Trainer, no checkpoints": 0}
    if trainer.installed(setting):
        for name, kept in lightning.items():
            sides[name] = lambda kept=kept: fresh(  # type: ignore[misc]
                folder_and_trainer, theirs, count, device, kept, packages=setting.lightning
            )
    sides["floor"] = lambda: fresh(floor, mine, count, device, "32")
    if half:
        sides["floor, bf16-mixed"] = lambda: fresh(floor, mine, count, device, "bf16-mixed")
    found = best(sides, setting.repeats, setting.together)
    rows = [
        [
            name,
            f"{figures['wall']:.2f}",
            f"{figures['cpu']:.2f}",
            f"{count / figures['wall']:,.0f}",
            f"{figures['wall'] / found['ours']['wall']:.2f}",
            f"{figures['wall'] / found[FLOOR.get(name, 'floor')]['wall']:.2f}",
            f"{figures['peak']:.0f}",
            f"{figures['threads']:.0f}",
        ]
        for name, figures in found.items()
    ]
    wall, cpu = (found["ours"][kind] / found["floor"][kind] for kind in ("wall", "cpu"))
    notes = [
        f"{count:,} training images. Ours takes {wall:.2f} times the floor by the clock, {cpu:.2f} times in CPU time; "
        f"the target is at most {TARGET:.2f}.",
        "The floor is our network on one batch in memory; bf16-mixed has its own. Ours also validates on 128 images.",
        "Peak memory of the process, imports included; two workers of the Trainer's DataLoader are not in it.",
        "The Trainer is at its defaults, but logger=False in both rows and enable_checkpointing=False in the second.",
    ]
    if not trainer.installed(setting):
        rows += [[name, "not installed", *[""] * 6] for name in lightning]
        notes += trainer.MISSING
    columns = ("way", "s/epoch", "CPU s", "images/s", "ratio to ours", "x floor", "peak MB", "threads")
    title = f"epoch: one epoch of S1's training, {device}"
    return Table(title, setting.title, setting.repeats, columns, rows, notes=notes)


def ours(folder: str, count: int, device: str, precision: str, compiled: int) -> Figures:
    """The train stage's loop."""
    torch, network, mean, std = _start(device)
    from darkroom.augment import pipeline
    from darkroom.training import loop, processes
    from darkroom.training.recipe import Recipe

    settings = TRAIN.model_copy(update={"device": device, "precision": precision, "compile": bool(compiled)})
    fabric = processes.fabric(settings, torch.device(device), precision)
    data, _ = packed.load_train(folder, device, count)
    # A few less than whole batches: an epoch has batches of two sizes, and torch.compile must have seen both.
    warm, _ = packed.load_train(folder, device, WARM_BATCHES * TRAIN.batch_size - 5)
    val, _ = packed.load_train(folder, device, TRAIN.batch_size)
    change = pipeline.build([], mean.flatten(), mean.flatten())
    recipe = Recipe(fabric, network, mean, std, settings, change)
    loop.fit(recipe, warm, val)
    _wait(device)
    with clock() as figures:
        loop.fit(recipe, data, val)
        _wait(device)
    return figures | {"threads": torch.get_num_threads(), "peak": peak_mb()}


def floor(folder: str, count: int, device: str, precision: str) -> Figures:
    """The same network and settings on one batch."""
    torch, network, mean, std = _start(device)
    from darkroom.network.normalisation import normalise
    from darkroom.training.optimizers import make_optimizer

    data, _ = packed.load_train(folder, device, TRAIN.batch_size)
    images = normalise(next(data.read([torch.arange(TRAIN.batch_size)])), mean, std)
    optimizer = make_optimizer(network, TRAIN)
    network.train()

    def train(count: int) -> None:
        steps = -(-count // TRAIN.batch_size)
        for part in torch.tensor_split(torch.arange(count), steps):  # batches of the sizes that ours has
            with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16-mixed"):
                logits = network(images[: len(part)])
            loss = torch.nn.functional.cross_entropy(logits.float(), data.labels[: len(part)])
            loss.backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

    train(WARM_BATCHES * TRAIN.batch_size)
    _wait(device)
    with clock() as figures:
        train(count)
        _wait(device)
    return figures | {"threads": torch.get_num_threads(), "peak": peak_mb()}


def script(folder: str, count: int, device: str, reader: str) -> Figures:
    """S1's script."""
    import torch

    from benchmarks import s1

    torch.manual_seed(0)
    network, train = s1.network().to(device), Path(folder) / "train"
    batches = s1.loader(train, reader, count)
    s1.train(network, s1.loader(train, reader, WARM_BATCHES * s1.BATCH), device)
    _wait(device)
    with clock() as figures:
        s1.train(network, batches, device)
        _wait(device)
    return figures | {"threads": torch.get_num_threads(), "peak": peak_mb()}


def folder_and_trainer(folder: str, count: int, device: str, checkpoints: int) -> Figures:
    """torchvision's ImageFolder and transforms, a DataLoader with two workers, Lightning's Trainer."""
    import torch
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    from benchmarks import s1

    torch.manual_seed(0)
    steps = [transforms.Grayscale(), transforms.ToTensor(), transforms.Normalize((s1.MEAN,), (s1.STD,))]
    images = ImageFolder(str(Path(folder) / "train"), transforms.Compose(steps))
    network = s1.network()

    def fit(count: int) -> None:
        batches: DataLoader[Any] = DataLoader(Subset(images, range(count)), s1.BATCH, shuffle=True, num_workers=2)
        trainer.fit(network, batches, folder, device, enable_checkpointing=bool(checkpoints))

    fit(min(count, WARM_BATCHES * s1.BATCH))
    _wait(device)
    with clock() as figures:
        fit(count)
        _wait(device)
    return figures | {"threads": torch.get_num_threads(), "peak": peak_mb()}


def _wait(device: str) -> None:
    """A GPU works on while Python reads the clock."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def _start(device: str) -> tuple[Any, Any, Any, Any]:
    """Torch, network, mean and standard deviation as the train stage has them."""
    from darkroom.base import torch_setup

    torch = torch_setup.torch_for(threads=TRAIN.threads, portable=TRAIN.portable)
    from benchmarks.s1 import MEAN, STD
    from darkroom.network import architectures

    torch.manual_seed(0)
    network = architectures.build(MODEL, (28, 28, 1), 10).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return torch, network, *(torch.full((1, 1, 1), value * 255, device=device) for value in (MEAN, STD))
