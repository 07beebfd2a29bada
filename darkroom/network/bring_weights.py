"""Puts the pretrained weights that a training starts from into one folder, with what must be known of them."""

import shutil
from pathlib import Path

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import sha256
from darkroom.base.words import size
from darkroom.config.model_facts import Pretrained
from darkroom.config.params import Model
from darkroom.network import weight_download, weight_sources

SMALL = 0.6  # of the side for which weights were made: pictures below it are worth a warning


def bring(settings: Model, folder: Path) -> Pretrained:
    """Write the weights that `model.weights` names, and a note on them, to `folder`; a note alone where it is null.

    DEFAULT means the best weights that torchvision or timm name for the network; anything else is the path of a state
    dict. Raises UserError if they cannot be had, or if the file holds none.
    """
    note = Pretrained(network=settings.name, weights=settings.weights)
    if settings.weights is not None:
        note, place = weight_sources.described(settings)
        if settings.weights == "DEFAULT":
            if place is None:
                raise UserError(
                    f"model.weights is DEFAULT, but timm has no weights for {settings.name}: write model.weights null, "
                    "or the path of a state-dict file"
                )
            found, source = weight_download.fetched(place), str(place)
        else:
            found = _local(settings.weights)
            source = f"the file {found.name}"
            note = note.model_copy(update={"license": ""})  # of another's making
        from darkroom.network import weight_files  # here, for torch takes seconds to load

        file = shutil.copyfile(found, folder / f"weights{found.suffix}")
        weight_files.read(file)
        note = note.model_copy(update={"file": file.name, "source": source, "sha256": sha256(file)})
    note.write(folder / paths.PRETRAINED_NOTE.name)
    return note


def _local(weights: str) -> Path:
    """A file by its path: from the root of the repository, where an experiment runs in a copy of it."""
    for file in (Path(weights), paths.root() / weights):
        if file.is_file():
            return file
    raise UserError(
        f"model.weights is {weights}, but no such file is there: give null, DEFAULT or the path of a state-dict file"
    )


def in_words(found: Pretrained, folder: Path, shape: tuple[int, int, int], *, whole: bool) -> list[str]:
    """What was brought, and what is to be minded.

    The network sees `shape` (height, width, channels) of each picture; `whole` says that this is all of it.
    """
    file = folder / str(found.file)
    licence = found.license or "licence not stated"
    lines = [
        f"weights of {found.network} from {found.source}: {licence}, {size(file.stat().st_size)}, sha256 "
        f"{found.sha256[:12]}…",
        f"they were made for pictures of {found.height}x{found.width} ({found.interpolation}, the middle "
        f"{found.crop_share:.1%} of the short side), mean {_numbers(found.mean)}, deviation {_numbers(found.std)}, "
        f"which normalise this data set too; its pictures are {shape[0]}x{shape[1]}",
    ]
    if caution := weight_sources.caution(found.license):
        lines.append(f"warning: {caution}")
    if whole and found.crop_share < 1:
        stored = round(shape[0] / found.crop_share)
        lines.append(
            f"to show it as much of the middle as it was made for: `image_size: {stored}` in {paths.DATASETS}, and "
            f"-S model.input_size={shape[0]}"
        )
    if min(shape[:2]) < SMALL * found.height:
        lines.append(
            f"warning: pictures of {shape[0]}x{shape[1]} are much smaller than those the weights were made for: "
            f"`image_size: {found.height}` in {paths.DATASETS} usually learns better, where the pictures have so many "
            "pixels"
        )
    return lines


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:g}" for value in values)
