"""Changes to training images: ours beside kornia's and torchvision's, microseconds of CPU time for each image.

Ours and kornia's work on a batch of float32 images, with values of its own for each image; one thread, best of many
calls. For the policies (trivial_augment, rand_augment) it is the mean of the calls, because one may draw cheap
operations: ours draws them for each image, kornia for the whole batch. torchvision's draw one set of values for a whole
batch, so they are run as they must be: image by image (uint8) in a Dataset, fetched by a DataLoader with two workers,
which costs what the row `none` shows; half of the CPU time, as two work at once. Settings are the same where the
libraries have the same, and otherwise near: kornia moves and torchvision shifts between pixels, ours by whole ones;
elastic displacements have another scale in each; kornia's policies have other operations and ranges. Where a library
has no equal, there is a dash; so there is for kornia without --peers DIR, with DIR/kornia from
`uv pip install --no-deps --target DIR/kornia kornia==0.9.0 kornia-rs==0.2.0`.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.fresh import Figures, best, clock, fresh
from benchmarks.table import Setting, Table
from darkroom.config.augmentations import Augmentation

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from darkroom.augment.pipeline import Augment

SHAPES = ((28, 1, 128), (64, 3, 128), (192, 3, 32))  # side, channels, images in a batch
GREY = {"brightness": 0.3, "contrast": 0.3}
COLOR = {1: GREY, 3: GREY | {"saturation": 0.3, "hue": 0.05}}
KERNEL = 13  # of a blur with a deviation of 2 pixels at most: three deviations each way
CHANGES: dict[str, dict[str, Any]] = {
    "none": {},
    "shift": {"pixels": 2},
    "affine": {"degrees": 10, "scale": 0.1, "shear": 5, "shift": 0.1},
    "erase": {"probability": 0.5, "fill": "black"},
    "salt_and_pepper": {"share": 0.05},
    "flip": {"probability": 0.5},
    "crop": {"padding": 4},
    "perspective": {"distortion": 0.3},
    "elastic": {"strength": 2.0, "smoothness": 4.0},
    "blur": {"sigma": [0.1, 2.0]},
    "color": {},  # by the number of channels
    "resized_crop": {},
    "trivial_augment": {},
    "rand_augment": {"operations": 2, "magnitude": 9},
}
EPOCHS = 2
POLICIES = ("trivial_augment", "rand_augment")


def run(setting: Setting) -> list[Table]:
    milliseconds, images = (20, 256) if setting.quick else (500, 2048)
    packages = setting.peers / "kornia" if setting.peers else None
    tables = []
    for side, channels, batch in SHAPES[1:2] if setting.quick else SHAPES:
        shape = side, channels, batch
        sides = {
            "ours": partial(fresh, ours, *shape, milliseconds),
            "torchvision": partial(fresh, torchvision, *shape, images // (1 if side < 100 else 4)),
        }
        if packages and packages.is_dir():
            sides["kornia"] = partial(fresh, kornia, *shape, milliseconds, packages=packages)
        found = best(sides, setting.repeats, setting.together)
        rows = []
        for name in CHANGES:
            mine = found["ours"].get(name)
            cells = [f"{mine:.2f}" if mine else "-"]
            for other in ("kornia", "torchvision"):
                theirs = found.get(other, {}).get(name)
                cells.append(f"{theirs:.2f}" if theirs else "-")
                cells.append(f"{theirs / mine:.1f}" if theirs and mine else "-")
            rows.append([name, *cells])
        columns = ("change", "ours µs", "kornia µs", "ratio", "torchvision v2, loader µs", "ratio")
        data = f"made images, {side}x{side}x{channels}, batches of {batch}"
        notes = (
            "Ours and kornia: one thread. torchvision: image by image in two DataLoader workers, half of their time.",
        )
        tables.append(Table("augmentation: CPU µs for each image", data, setting.repeats, columns, rows, notes=notes))
    return tables


def ours(side: int, channels: int, batch: int, milliseconds: int) -> Figures:
    """darkroom.augment.pipeline on batches."""
    from darkroom.base import torch_setup

    torch = torch_setup.torch_for(threads=1, portable=False)
    from darkroom.augment import pipeline

    images = torch.rand((batch, side, side, channels)).mul_(255).permute(0, 3, 1, 2)
    ground, generator = torch.zeros(channels), torch.Generator().manual_seed(0)
    figures: Figures = {}
    for name, settings in CHANGES.items():
        if name != "none":
            item = Augmentation.model_validate({name: COLOR[channels] if name == "color" else settings})
            change = pipeline.build([item], ground, ground)
            figures[name] = batch_time(name, partial(_ours, change, images, generator), milliseconds) / batch
    return figures


def kornia(side: int, channels: int, batch: int, milliseconds: int) -> Figures:
    """kornia's random augmentations on batches, in the process settings that ours has."""
    from darkroom.base import torch_setup

    torch = torch_setup.torch_for(threads=1, portable=False)
    from kornia import augmentation as random
    from kornia.augmentation import auto

    move = (-2 / side, 2 / side)
    known: dict[str, Any] = {
        "shift": random.RandomTranslate(move, move, p=1.0),
        "affine": random.RandomAffine(10.0, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=5.0, p=1.0),
        "erase": random.RandomErasing(p=0.5),
        "salt_and_pepper": random.RandomSaltAndPepperNoise(amount=(0.0, 0.05), p=1.0),
        "flip": random.RandomHorizontalFlip(p=0.5),
        "crop": random.RandomCrop((side, side), padding=4, padding_mode="reflect"),
        "perspective": random.RandomPerspective(0.3, p=1.0),
        "elastic": random.RandomElasticTransform((33, 33), sigma=(4.0, 4.0), p=1.0),
        "blur": random.RandomGaussianBlur((KERNEL, KERNEL), (0.1, 2.0), p=1.0),
        "color": random.ColorJitter(**COLOR[channels]),
        "resized_crop": random.RandomResizedCrop((side, side), ratio=(0.75, 1.333)),
    }
    if channels == 3:  # one of its operations takes colour alone
        known |= {"trivial_augment": auto.TrivialAugment(), "rand_augment": auto.RandAugment(n=2, m=9)}
    images = torch.rand((batch, channels, side, side))
    with torch.no_grad():
        return {name: batch_time(name, partial(change, images), milliseconds) / batch for name, change in known.items()}


def torchvision(side: int, channels: int, batch: int, number: int) -> Figures:
    """torchvision's transforms, version 2, on one image at a time, in a DataLoader."""
    import torch
    from torch import Tensor, nn
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import InterpolationMode, v2

    bilinear, move = InterpolationMode.BILINEAR, 2 / side
    known: dict[str, nn.Module] = {
        "none": nn.Identity(),
        "shift": v2.RandomAffine(0, translate=(move, move)),
        "affine": v2.RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1), shear=5, interpolation=bilinear),
        "erase": v2.RandomErasing(p=0.5),
        "flip": v2.RandomHorizontalFlip(p=0.5),
        "crop": v2.RandomCrop(side, padding=4, padding_mode="reflect"),
        "perspective": v2.RandomPerspective(0.3, p=1.0),
        "elastic": v2.ElasticTransform(alpha=50.0, sigma=4.0),
        "blur": v2.GaussianBlur(KERNEL, (0.1, 2.0)),
        "color": v2.ColorJitter(**COLOR[channels]),
        "resized_crop": v2.RandomResizedCrop(side, ratio=(0.75, 1.333)),
        "trivial_augment": v2.TrivialAugmentWide(interpolation=bilinear),
        "rand_augment": v2.RandAugment(interpolation=bilinear),
    }
    images = torch.randint(0, 256, (number, channels, side, side), dtype=torch.uint8)

    class Changed(Dataset[Tensor]):
        def __init__(self, change: nn.Module) -> None:
            self.change = change

        def __len__(self) -> int:
            return len(images)

        def __getitem__(self, at: int) -> Tensor:
            return self.change(images[at])  # type: ignore[no-any-return]

    figures: Figures = {}
    for name, change in known.items():
        with clock() as took:
            loader = DataLoader(Changed(change), batch, shuffle=True, num_workers=2, persistent_workers=True)
            for _ in range(EPOCHS):
                for _ in loader:
                    pass
            del loader  # its workers end
        figures[name] = took["cpu"] / 2 / (EPOCHS * number) * 1e6
    return figures


def _ours(change: "Augment", images: "Tensor", generator: "Generator") -> None:
    import torch

    from darkroom.augment.randomness import whole

    change(images, whole(generator, torch.arange(len(images)), images.device))


def batch_time(name: str, call: Callable[[], object], milliseconds: int) -> float:
    """Microseconds of the fastest of some calls that take so long together; of a policy, the mean of twice as many."""
    call()
    took: list[float] = []
    started = time.process_time()
    while not took or time.process_time() < started + milliseconds / 1000 * (1 + (name in POLICIES)):
        before = time.process_time()
        call()
        took.append(time.process_time() - before)
    return 1e6 * (sum(took) / len(took) if name in POLICIES else min(took))
