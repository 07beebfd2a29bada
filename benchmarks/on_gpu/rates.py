"""Images per second of the project's training step and of its forward pass, and how much of the card's peak that is."""

import statistics
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.on_gpu import trained
from benchmarks.on_gpu.part import Row, Setting
from darkroom.base.errors import UserError
from darkroom.config.params import Model

if TYPE_CHECKING:
    from darkroom.training.recipe import Recipe

PRECISIONS = ("32", "bf16-mixed", "16-mixed")
SECONDS = 0.4  # of each of the rounds
ROUNDS = 3
WARM_CALLS = 2
BATCHES = 4  # different ones, in turn; one where it only has to run
LARGE_CARD = 40e9  # bytes, from which photo networks get the large batch
SMALL_SHAPES, SMALL_BATCHES = ((28, 28, 1), (32, 32, 3)), (128, 1024)
PHOTO = (224, 224, 3)
# Dense peaks in TFLOP/s by NVIDIA's datasheets: half precision, TF32, float32. The first name that is found counts.
PEAKS = {
    "H200": (989, 494, 67),
    "H100 PCIe": (756, 378, 51),
    "H100": (989, 494, 67),
    "A100": (312, 156, 19.5),
    "L40S": (362, 183, 92),
    "L4": (121, 60, 30),
    "V100": (125, 15.7, 15.7),
    "T4": (65, 8.1, 8.1),
}
KERNELS = {"deterministic, as ours": (True, False), "any": (False, False), "by trial": (False, True)}
TRAINING = 3  # times the operations of a forward pass: it, and the gradients of inputs and of weights


def small(setting: Setting) -> Iterator[Row]:
    """The default network at the sizes of MNIST and CIFAR-10."""
    shapes, batches = (SMALL_SHAPES[:1], (8,)) if setting.small else (SMALL_SHAPES, SMALL_BATCHES)
    for shape in shapes:
        for batch in batches:
            yield from _network(setting, trained.CNN, shape, batch)


def photo(setting: Setting, name: str) -> Iterator[Row]:
    """A network of torchvision at the size of photos, with random weights."""
    batch, shape = 128, PHOTO
    if setting.small:
        batch, shape = 2, (32, 32, 3)
    elif setting.device == "cuda":
        import torch

        if torch.cuda.get_device_properties(0).total_memory < LARGE_CARD:
            batch = 32
    yield from _network(setting, trained.CNN.model_copy(update={"name": name}), shape, batch)


def kernels(setting: Setting, name: str) -> Iterator[Row]:
    """What cuDNN's deterministic kernels cost, beside any that it likes and the fastest that it finds by trial."""
    import torch

    shape, batch = ((32, 32, 3), 8) if setting.small else (PHOTO, 64) if name != "cnn" else (SMALL_SHAPES[1], 512)
    model = trained.CNN.model_copy(update={"name": name})
    for what, (deterministic, benchmark) in KERNELS.items():
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = deterministic, benchmark
        precision = PRECISIONS[0] if setting.small else "bf16-mixed"
        row: Row = {"network": name, "shape": "x".join(map(str, shape)), "batch": batch, "precision": precision}
        yield row | {"cuDNN": what} | _measured(setting, model, shape, batch, precision)


def _network(setting: Setting, model: Model, shape: tuple[int, int, int], batch: int) -> Iterator[Row]:
    name = model.layers if model.name == "cnn" else model.name
    for precision in PRECISIONS[:1] if setting.small else PRECISIONS:
        if precision == "16-mixed" and setting.device == "cpu":
            continue
        row: Row = {"network": name, "shape": "x".join(map(str, shape)), "batch": batch, "precision": precision}
        trained.forget_peak(setting.device)
        try:
            yield row | _measured(setting, model, shape, batch, precision)
        except (RuntimeError, UserError) as error:  # memory, or a kernel that this card lacks
            yield row | {"error": f"{type(error).__name__}: {error}"[:500]}


def _measured(setting: Setting, model: Model, shape: tuple[int, int, int], batch: int, precision: str) -> Row:
    import torch

    facts = trained.facts(setting.device, shape, model, batch_size=batch, precision=precision)
    recipe = trained.prepared(facts)
    flop = _flop(recipe, shape)
    rates: dict[str, Any] = {}
    count = batch * (1 if setting.small else BATCHES)
    for what, call in _calls(recipe, shape, count).items():
        trained.forget_peak(setting.device)
        rates[what] = _rate(call, count, setting)
        rates[f"{what} peak MB"] = trained.peak_mb(setting.device)
    row: Row = {
        "train images/s": rates["train"],
        "infer images/s": rates["infer"],
        "train peak_mb": rates["train peak MB"],
        "infer peak_mb": rates["infer peak MB"],
        "GFLOP an image": flop / 1e9,
    }
    peak = assumed_peak(torch.cuda.get_device_name(0), precision) if setting.device == "cuda" else None
    if peak and rates["train"] and rates["infer"]:
        row |= {
            "train % of peak": 100 * TRAINING * flop * rates["train"] / peak,
            "infer % of peak": 100 * flop * rates["infer"] / peak,
            "assumed TFLOP/s": peak / 1e12,
        }
    return row


def _calls(recipe: "Recipe", shape: tuple[int, int, int], count: int) -> dict[str, Callable[[], object]]:
    """Training steps on so many images, and a validation of them."""
    import torch

    from darkroom.training import loop
    from darkroom.training.step import Step

    images, labels = trained.noise(count, shape)
    data = trained.on_device(recipe, images, labels, train=np.arange(len(labels)))["train"]
    step, generator = Step(recipe, data, frozen=False), torch.Generator().manual_seed(0)
    positions = torch.split(torch.arange(count), recipe.settings.batch_size)

    def train() -> None:
        step.start()
        for one in step.batches(positions):
            step(one, generator, 1)

    def infer() -> object:
        return loop.validate(recipe, step.model, data)

    return {"train": train, "infer": infer}


def _rate(call: Callable[[], object], images: int, setting: Setting) -> float:
    """Images per second, the median of some rounds."""
    times = 1
    if not setting.small:
        for _ in range(WARM_CALLS):
            call()
        trained.synchronize(setting.device)
        started = time.perf_counter()
        call()
        trained.synchronize(setting.device)
        times = max(1, round(SECONDS / (time.perf_counter() - started)))
    found = []
    for _ in range(1 if setting.small else ROUNDS):
        started = time.perf_counter()
        for _ in range(times):
            call()
        trained.synchronize(setting.device)
        found.append(times * images / (time.perf_counter() - started))
    return statistics.median(found)


def _flop(recipe: "Recipe", shape: tuple[int, int, int]) -> int:
    """Operations of a forward pass of one image, a multiplication and an addition counted as two."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from darkroom.network.shadow import shadow

    height, width, channels = shape
    network: Any = shadow(recipe.network)
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        network(torch.empty(1, channels, height, width, device="meta"))
    return int(counted.get_total_flops())


def assumed_peak(card: str, precision: str) -> float | None:
    """FLOP/s of a card by its name, None where it is not in the table; float32 means TF32 where cuDNN may take it."""
    import torch

    name = next((name for name in PEAKS if name in card), None)
    if name is None:
        return None
    half, tf32, single = PEAKS[name]
    return 1e12 * (half if precision != "32" else tf32 if torch.backends.cudnn.allow_tf32 else single)
