"""What readers of containers share. A container is a file that holds pictures: a table or an array of them.

Its pictures are virtual files that patterns and tables address: `train.csv#17` is row 17, from 0; `x.npz#train/17` is
picture 17 of the array `train_images`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.words import by, counted
from darkroom.intake.archive import MAX_FILE, Budget
from darkroom.intake.label_values import SEVERAL, USUAL, Values
from darkroom.intake.table_columns import Key
from darkroom.pictures.depth import ValueRange

BLOCK = 2**22  # bytes of pictures that are in memory together
USUAL_LABELS = ("label", "labels", "class", "classes", "class_name", "category", "target", "emotion", "y")


class NoPictures(UserError):
    """The file is whole, and holds no pictures."""


@dataclass(frozen=True)
class Asked:
    """What the entry says of a container. Columns: a column of a table, a key of a batch."""

    label: Key | None = None
    group: Key | None = None
    split: Key | None = None
    splits: dict[str, list[str]] | None = None
    range: ValueRange = None
    wants_labels: bool = True  # nothing else gives them, and its pictures are not for `unlabeled`


@dataclass
class Container:
    """One container that is being read."""

    path: str
    stream: IO[bytes]
    asked: Asked
    budget: Budget
    # The path and the content of the first of these files that the archive holds:
    beside: Callable[[Sequence[str]], tuple[str, bytes] | None] = lambda paths: None
    reaches: Callable[[str], bool] = lambda part: True  # whether a pattern may reach pictures of this array
    passed: dict[str, int] = field(default_factory=dict)  # arrays that none reaches, and their numbers of pictures
    said: list[str] = field(default_factory=list)  # what its owner should hear


class Picture(NamedTuple):
    """One picture of a container: numbers, or the bytes of a picture file."""

    name: str  # after the `#`: 17, or train/17
    values: NDArray[Any] | None = None  # height x width x channels (1 grey, 3 RGB), little-endian
    content: bytes = b""
    problem: str = ""  # why there is neither
    labels_from: str = ""  # for people; nothing where the container holds no labels
    label: str | None = None
    group: str | None = None
    mark: str | None = None  # its subset in the container's words


class Form(NamedTuple):
    """How the numbers of one picture lie: `hwc`, `chw`, or `flat` where that is still to be found."""

    height: int
    width: int
    channels: int
    order: str

    def __str__(self) -> str:
        return by(self[:3])


def form_of(shape: Sequence[int], where: str) -> Form:
    """The form of one picture from the shape of its numbers: height x width, with channels last or first, or a row.

    A row holds a square picture. Raises UserError for other shapes.
    """
    if len(shape) == 2:
        form = Form(shape[0], shape[1], 1, "hwc")
    elif len(shape) == 3 and shape[2] in (1, 3):
        form = Form(shape[0], shape[1], shape[2], "hwc")
    elif len(shape) == 3 and shape[0] in (1, 3):
        form = Form(shape[1], shape[2], shape[0], "chw")
    elif len(shape) == 1:
        form = _of_row(shape[0], where)
    else:
        raise UserError(
            f"{where} has pictures of shape {by(shape)}: wanted is height x width, with 1 or 3 channels last or first"
        )
    if not form.height * form.width:
        raise UserError(f"{where} has pictures without pixels ({by(shape)}): give others")
    return form


def _of_row(count: int, where: str) -> Form:
    for channels in (1, 3):
        side = int(np.sqrt(count / channels))
        if count and channels * side * side == count:
            return Form(side, side, channels, "hwc" if channels == 1 else "flat")
    raise UserError(
        f"{where} has rows of {count:,} numbers, which are no square picture of 1 or 3 channels: take columns that are "
        "no pixels out, or save the pictures as an array of N x height x width (.npz)"
    )


def settled(form: Form, block: NDArray[Any], container: Container) -> Form:
    """The form with its order found: of red, green and blue one after the other, or one pixel after the other.

    A row does not say it. Neighbours in a picture are alike, so the reading in which they differ less is taken, and
    its owner hears that this is a guess.
    """
    if form.order != "flat":
        return form
    sample = block[:100].astype(np.float64)
    planar = sample.reshape(-1, 3, form.height, form.width)
    pixels = sample.reshape(-1, form.height, form.width, 3)
    rough = np.abs(np.diff(planar, axis=2)).mean() + np.abs(np.diff(planar, axis=3)).mean()
    by_pixel = np.abs(np.diff(pixels, axis=1)).mean() + np.abs(np.diff(pixels, axis=2)).mean()
    order = "hwc" if by_pixel < rough else "chw"
    how = "one pixel after the other" if order == "hwc" else "all red values first, then green, then blue"
    container.said.append(
        f"rows of {container.path} are read as {form} with {how}: a guess, for so neighbours are most alike; look at a "
        "picture"
    )
    return form._replace(order=order)


def shaped(block: NDArray[Any], form: Form) -> NDArray[Any]:
    """A block of pictures, N x whatever, as N x height x width x channels, little-endian and in this order."""
    if form.order == "chw":
        block = block.reshape(-1, form.channels, form.height, form.width).transpose(0, 2, 3, 1)
    else:
        block = block.reshape(-1, form.height, form.width, form.channels)
    return np.ascontiguousarray(block, block.dtype.newbyteorder("<"))


def blocks(
    stream: IO[bytes], count: int, kind: np.dtype[Any], shape: Sequence[int], where: str
) -> Iterator[NDArray[Any]]:
    """The pictures of an array that lies in a stream, some at a time: n x shape.

    Raises UserError where the data end before the count that the head promises, or go on after it.
    """
    size = int(np.prod([int(side) for side in shape], dtype=object)) * kind.itemsize
    if not 0 < size <= MAX_FILE:
        raise UserError(
            f"{where} promises pictures of {size:,} bytes ({by(shape)}), and none has more than {MAX_FILE:,}"
        )
    step, done = max(1, BLOCK // size), 0
    while done < count:
        wanted = min(step, count - done)
        data = stream.read(wanted * size)
        if len(data) < wanted * size:
            raise UserError(
                f"{where} is cut short or its head lies: it promises {counted(count, 'picture')} of {by(shape)}, and "
                f"its data end after {done + len(data) // size:,}"
            )
        done += wanted
        yield np.frombuffer(data, kind).reshape(wanted, *shape)
    if stream.read(1):
        raise UserError(f"{where} is damaged or its head lies: its data go on after the {count:,} pictures promised")


def labels(array: NDArray[Any], count: int, where: str) -> Values:
    """An array of labels as text: N, N x 1, or N x classes with one 1 a row. Raises UserError for others."""
    given = len(array) if array.ndim else 1
    if given != count or not array.ndim:
        raise UserError(f"{where} has {counted(given, 'label')} for {counted(count, 'picture')}: give as many")
    flat = array.reshape(count, -1)
    if flat.shape[1] > 1:
        is_one_hot = flat.dtype.kind in "biuf" and np.isin(flat, (0, 1)).all() and (flat.sum(axis=1) == 1).all()
        if not is_one_hot:
            raise UserError(f"{where} gives several labels or numbers a picture ({by(array.shape)}): {SEVERAL}")
        flat = flat.argmax(axis=1).reshape(count, 1)
    column = flat[:, 0]
    if column.dtype.kind == "f":
        if not (np.isfinite(column).all() and (column == np.floor(column)).all()):
            raise UserError(f"{where} holds numbers with fractions, not classes: {SEVERAL}")
        column = column.astype(np.int64)
    if column.dtype.kind == "S":
        column = np.char.decode(column, "utf-8", "replace")
    return [str(one) or None for one in column.tolist()]


def subset_of(mark: str | None, asked: Asked, where: str) -> tuple[str | None, str]:
    """The subset that a mark of a container means, or why it means none.

    `splits` says it; of subsets that it does not name, the usual words do.
    """
    if mark is None:
        return None, f"{where} gives no subset"
    given = asked.splits or {}
    for subset, marks in given.items():
        if mark in marks:
            return subset, ""
    usual = USUAL.get(mark.lower())
    if usual is not None and usual not in given:
        return usual, ""
    return None, f"{where} gives the subset {mark!r}, which splits does not name"
