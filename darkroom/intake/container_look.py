"""What a file that nobody has named yet would be as a container: its kind, its pictures, and where their labels are."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from darkroom.base.errors import UserError
from darkroom.intake import cifar_batches, containers, idx_files, numpy_files, picture_parquet, pixel_tables
from darkroom.intake.archive import PIECE, Budget
from darkroom.intake.contained import USUAL_LABELS, Asked, Container, NoPictures, form_of


@dataclass(frozen=True)
class Part:
    """Pictures of a container: all of them, or one array of an .npz."""

    name: str  # nothing, or train of x.npz#train
    pictures: int
    shape: tuple[int, int, int] | None  # height, width, channels; None where each picture is a file of its own size
    labels: str  # where they are: `column label`, `array train_labels`, a file's path; nothing where there are none
    classes: tuple[str, ...] = ()  # names, where the file says them
    columns: tuple[str, ...] = ()  # columns or keys that hold neither pixels nor these labels


@dataclass(frozen=True)
class Look:
    """What a container holds, or why it cannot be read."""

    kind: str  # of container_readers.KINDS
    parts: tuple[Part, ...] = ()
    problem: str = ""  # one sentence


def look(path: str, stream: IO[bytes], budget: Budget, is_there: Callable[[str], bool]) -> Look | None:
    """Look into a file of an archive; None if it is no container, as a table of labels is none.

    `stream` and `budget` are those of `archive.Inside`; the stream is read, in part or to its end, in constant memory.
    `is_there` says whether the archive holds a file with this path.
    """
    kind = containers.kind_of(path, stream)
    if kind is None:
        return None
    container = Container(path, stream, Asked(wants_labels=False), budget)
    try:
        return Look(kind, tuple(LOOKS[kind](container, is_there)))
    except NoPictures:
        return None
    except UserError as error:
        return Look(kind, problem=str(error))


def _table(container: Container, is_there: Callable[[str], bool]) -> list[Part]:
    path, stream = container.path, container.stream
    columns, first, _ = pixel_tables.columns_of(stream, path, container.asked)
    label = next((at for at, name in enumerate(columns.names) if str(name).lower() in USUAL_LABELS), None)
    others = [str(name) for at, name in enumerate(columns.names) if at not in (label, *columns.pixels)]
    rows, last = int(bool(first.strip())), b"\n"
    while data := stream.read(PIECE):
        rows, last = rows + data.count(b"\n"), data[-1:]
    count = len(pixel_tables.field_of(first, columns)) if columns.is_field else len(columns.pixels)
    form = form_of([count], path)
    found = f"column {columns.names[label]}" if label is not None else ""
    return [Part("", rows + (last != b"\n"), form[:3], found, columns=tuple(others))]


def _idx(container: Container, is_there: Callable[[str], bool]) -> list[Part]:
    count, *shape = idx_files.head(idx_files.plain(container), container.path)[1]
    if not shape or not count:
        raise NoPictures(f"{container.path} holds no pictures")
    form = form_of(shape, container.path)
    return [Part("", count, form[:3], next(filter(is_there, idx_files.beside(container.path)), ""))]


def _arrays(container: Container, is_there: Callable[[str], bool]) -> list[Part]:
    path = container.path
    if path.lower().endswith(".npy"):
        _, shape = numpy_files.head(container.stream, path)
        if len(shape) < 2 or not shape[0]:
            raise NoPictures(f"{path} holds no pictures")
        return [Part("", shape[0], form_of(shape[1:], path)[:3], "")]
    pictures, labels = numpy_files.paired(numpy_files.contents(container.stream, path, container.budget), path)
    return [
        Part(
            part,
            array.shape[0],
            form_of(array.shape[1:], f"{path}, array {array.name},")[:3],
            f"array {labels[part].name}" if part in labels else "",
        )
        for part, array in pictures.items()
    ]


def _parquet(container: Container, is_there: Callable[[str], bool]) -> list[Part]:
    found = picture_parquet.PictureParquet(container)
    try:
        label = found.label()
    except UserError:  # several may be it: they stand in `columns`
        label = None
    others = tuple(name for name in found.others() if name != label)
    names = tuple(found.names(label) or ()) if label else ()
    return [Part("", found.rows, None, f"column {label}" if label else "", names, others)]


def _batch(container: Container, is_there: Callable[[str], bool]) -> list[Part]:
    batch = cifar_batches.read(container)
    key = cifar_batches.key_of_labels(batch, None, container.path)
    others = tuple(name for name in batch.others if name != key)
    return [Part("", len(batch.data), batch.form[:3], f"key {key}" if key else "", columns=others)]


LOOKS: dict[str, Callable[[Container, Callable[[str], bool]], list[Part]]] = {
    "CSV of pixels": _table,
    "idx": _idx,
    "NumPy array": _arrays,
    "NumPy arrays": _arrays,
    "Parquet": _parquet,
    "CIFAR batch": _batch,
}
