"""CIFAR's batches as their makers give them: pickles of rows, 3 x 32 x 32, labels as numbers, names in a file beside.

Format: Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html, «Dataset layout».
"""

import io
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.intake import array_pickle
from darkroom.intake.contained import Container, Form, NoPictures, Picture, form_of, labels, shaped
from darkroom.intake.containers import CIFAR_META
from darkroom.intake.label_values import Values

NAMES = {"labels": "label_names", "fine_labels": "fine_label_names", "coarse_labels": "coarse_label_names"}
STEP = 1000


class Batch(NamedTuple):
    """What a pickle holds: rows of pixels, and values by their keys."""

    data: NDArray[Any]
    form: Form
    others: dict[str, Any]


def read(container: Container) -> Batch:
    """The batch in a container. Raises UserError if it is no batch of pictures."""
    found = _texts(array_pickle.load(container.stream, container.path), container.path)
    data = found.pop("data", None)
    if not isinstance(data, np.ndarray) or data.ndim < 2 or not len(data):
        keys = f"it has {listed(found)}" if found else "it has none"
        raise NoPictures(f"{container.path} is no batch of pictures: it holds no rows under the key `data` ({keys})")
    form = form_of(data.shape[1:], container.path)
    return Batch(data, form._replace(order="chw") if form.order == "flat" else form, found)


def pictures(container: Container) -> Iterator[Picture]:
    """The pictures of a batch with their labels. Raises UserError."""
    batch = read(container)
    count = len(batch.data)
    source, given = _labels(container, batch) if container.asked.wants_labels else ("", [None] * count)
    for start in range(0, count, STEP):
        block = shaped(batch.data[start : start + STEP], batch.form)
        for number, values in enumerate(block, start):
            yield Picture(str(number), values, labels_from=source, label=given[number])


def key_of_labels(batch: Batch, asked: Any, path: str) -> str:
    """The key under which the labels stand: the one that the entry names, else the finest. Raises UserError."""
    lists = [key for key, value in batch.others.items() if isinstance(value, list | np.ndarray)]
    if asked is None:
        return next((key for key in NAMES if key in lists), "")
    if asked not in lists:
        raise UserError(f"{path} has no labels called {asked!r}: it has {listed(lists) or 'none'}")
    return str(asked)


def _labels(container: Container, batch: Batch) -> tuple[str, Values]:
    path, count = container.path, len(batch.data)
    key = key_of_labels(batch, container.asked.label, path)
    if not key:
        raise UserError(f"{path} has no labels: it has {listed(batch.others) or 'pixels alone'}")
    where = f"{path}, {key},"
    given = np.empty(0, object)
    if isinstance(batch.others[key], np.ndarray) or _is_plain(batch.others[key]):
        given = np.asarray(batch.others[key])
    if given.dtype.kind not in "iuSU":
        raise UserError(f"{where} are no list of labels: fetch it from its makers again")
    found = labels(given, count, where)
    folder = path[: path.rfind("/") + 1]
    beside = container.beside([folder + name for name in CIFAR_META]) if given.dtype.kind in "iu" else None
    if beside is None:
        return f"{path}, {key}", found
    meta, content = beside
    names: Any = _texts(array_pickle.load(io.BytesIO(content), meta), meta).get(NAMES.get(key, ""))
    if not _is_plain(names):
        return f"{path}, {key}", found
    highest = max(int(label) for label in found if label is not None)
    if not 0 <= highest < len(names) or int(given.min()) < 0:
        raise UserError(
            f"{where} reach {highest}, and {meta} names {counted(len(names), 'class', 'classes')}: one is wrong"
        )
    return f"{path}, {key}, named in {meta}", [_text(names[int(label)]) if label else None for label in found]


def _texts(found: Any, path: str) -> dict[str, Any]:
    """A dict with its keys as text: Python 2 wrote text that Python 3 takes for bytes."""
    if not isinstance(found, dict):
        raise NoPictures(f"{path} is no batch of pictures: it holds no dict; give a batch as its makers do")
    return {_text(key): value for key, value in found.items()}


def _is_plain(values: Any) -> bool:
    """Whether it is a list of numbers or texts; one of lists could be small and yet have no end of items."""
    return isinstance(values, list) and all(isinstance(one, int | str | bytes) for one in values)


def _text(value: Any) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.encode("utf-8", "replace").decode()
