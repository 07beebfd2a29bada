"""NumPy's files: .npy, one array, and .npz, a zip of arrays by name, as `train_images` beside `train_labels`.

No array of Python objects is read: such a file holds a program (as `numpy.load` with `allow_pickle=False`).
"""

import re
from collections.abc import Iterator
from tokenize import TokenError
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.words import by, listed
from darkroom.intake import zip_reader
from darkroom.intake.archive import Budget, buffered, spooled
from darkroom.intake.contained import Container, NoPictures, Picture, blocks, form_of, labels, settled, shaped
from darkroom.intake.label_values import Values

PICTURES = {"x", "image", "images", "img", "imgs", "data", "pixels"}  # words in the names of arrays
LABELS = {"y", "label", "labels", "target", "targets"}
MOST_ARRAYS = 1000
MOST_LABELS = 2**28  # bytes
MAGIC = b"\x93NUMPY"


class Array(NamedTuple):
    """One array of an .npz: its name, and what its head says."""

    name: str
    member: zip_reader.Member
    kind: "np.dtype[Any]"
    shape: tuple[int, ...]

    @property
    def words(self) -> set[str]:
        return set(re.split("[^a-z0-9]+", self.name.lower()))

    @property
    def part(self) -> str:
        """What stands before the number of a picture: `train` of train_images; nothing of `x`."""
        words = [word for word in re.split(r"[_\W]+", self.name) if word.lower() not in PICTURES | LABELS]
        return "_".join(words)


def head(stream: IO[bytes], where: str) -> tuple["np.dtype[Any]", tuple[int, ...]]:
    """The type and the shape of the array, whose data follow. Raises UserError."""
    try:
        version = npy.read_magic(stream)  # type: ignore[no-untyped-call]
        read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, is_fortran, kind = read(stream)  # type: ignore[no-untyped-call]
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError, TokenError) as error:
        raise UserError(f"{where} does not begin as an array of NumPy does ({error}): save it anew") from None
    if kind.hasobject:
        raise UserError(
            f"{where} holds Python objects, which may be a program and are not read: save an array of numbers"
        )
    if kind.kind not in "biufSU" or kind.itemsize == 0:
        raise UserError(f"{where} holds {kind}, and pictures and labels are numbers or text: save it anew")
    if any(side < 0 for side in shape):
        raise UserError(f"{where} promises a side of less than nothing ({by(shape)}): save it anew")
    if is_fortran and len(shape) > 1:
        raise UserError(f"{where} is stored by columns: save it by rows, with numpy.ascontiguousarray")
    return kind, shape


def pictures(container: Container) -> Iterator[Picture]:
    """The pictures of an .npy or .npz file. Raises UserError."""
    if container.path.lower().endswith(".npy"):
        kind, shape = head(container.stream, container.path)
        yield from _of_array(container, container.stream, kind, shape, "", container.path)
        return
    arrays = contents(container.stream, container.path, container.budget)
    by_part, of_labels = paired(arrays, container.path)
    for part, array in by_part.items():
        where = f"{container.path}, array {array.name},"
        if not container.reaches(part):
            container.passed[part] = array.shape[0] if array.shape else 0
            continue
        stream = _data(array, where, container.budget)
        found = _of_array(container, stream, array.kind, array.shape, part, where)
        if part not in of_labels or not container.asked.wants_labels:
            yield from found
            continue
        given = of_labels[part]
        source = f"{container.path}, array {given.name}"
        for label, picture in zip(_labels(given, array, container), found, strict=True):
            yield picture._replace(labels_from=source, label=label)
    used = {array.name for array in (*by_part.values(), *of_labels.values())}
    if others := [array.name for array in arrays if array.name not in used]:
        container.said.append(
            f"{container.path}: of its arrays {listed(others)} are not used, for neither do their names "
            "say that they hold pictures or labels, nor are they shaped so"
        )


def contents(stream: IO[bytes], path: str, budget: Budget) -> list[Array]:
    """The arrays of an .npz, by their heads alone. Raises UserError; BadZip for a damaged zip."""
    found: list[Array] = []
    for member in zip_reader.members(spooled(stream, budget)):
        if not member.name.lower().endswith(".npy"):
            continue
        if len(found) == MOST_ARRAYS:
            raise UserError(f"{path} holds more than {MOST_ARRAYS:,} arrays: give one with those of the pictures alone")
        name = member.name[: -len(".npy")]
        kind, shape = head(buffered(member.pieces(), budget), f"{path}, array {name},")
        found.append(Array(name, member, kind, shape))
    if not found:
        raise UserError(f"{path} holds no arrays: give another file")
    return found


def paired(arrays: list[Array], path: str) -> tuple[dict[str, Array], dict[str, Array]]:
    """The arrays of pictures and those of labels, each by its part. Raises UserError if two have one part."""
    of_pictures: dict[str, Array] = {}
    of_labels: dict[str, Array] = {}
    for array in arrays:
        is_labels = bool(array.words & LABELS)
        named_so = bool(array.words & PICTURES) and len(array.shape) > 1
        if not is_labels and not named_so and len(array.shape) not in (3, 4):
            continue
        own = of_labels if is_labels else of_pictures
        if array.part in own:
            raise UserError(
                f"{path}: the arrays {own[array.part].name} and {array.name} would have the same pictures: give a file "
                "that holds one of them"
            )
        own[array.part] = array
    if not of_pictures:
        names = listed(f"{array.name} ({by(array.shape)})" for array in arrays)
        raise NoPictures(
            f"{path} holds no array of pictures (it has {names}): wanted is N x height x width, as train_images, with "
            "labels in train_labels"
        )
    return of_pictures, {part: array for part, array in of_labels.items() if part in of_pictures}


def _data(array: Array, where: str, budget: Budget) -> IO[bytes]:
    """The stream of an array's data, after its head."""
    stream = buffered(array.member.pieces(), budget)
    head(stream, where)
    return stream


def _of_array(
    container: Container, stream: IO[bytes], kind: "np.dtype[Any]", shape: tuple[int, ...], part: str, where: str
) -> Iterator[Picture]:
    if not shape or len(shape) == 1 or not shape[0] or kind.kind not in "biuf":
        raise NoPictures(
            f"{where} holds no pictures ({kind}, {by(shape) or 'one number'}): wanted is N x height x width"
        )
    form = form_of(shape[1:], where)
    number, before = 0, f"{part}/" if part else ""
    for block in blocks(stream, shape[0], kind, shape[1:], where):
        form = settled(form, block, container)
        for values in shaped(block, form):
            yield Picture(f"{before}{number}", values)
            number += 1


def _labels(given: Array, array: Array, container: Container) -> Values:
    """The labels of an array of pictures."""
    where = f"{container.path}, array {given.name},"
    size = int(np.prod([int(side) for side in given.shape], dtype=object)) * given.kind.itemsize
    if size > MOST_LABELS:
        raise UserError(f"{where} promises {size:,} bytes of labels, and {MOST_LABELS:,} are read: cut it down")
    data = _data(given, where, container.budget).read(size + 1)
    if len(data) != size:
        raise UserError(f"{where} is damaged: its head promises {by(given.shape)} labels, and its data are others")
    values: NDArray[Any] = np.frombuffer(data, given.kind).reshape(given.shape)
    return labels(values, array.shape[0] if array.shape else 0, where)
