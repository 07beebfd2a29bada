"""What a person should look at: suspected labels, contradictions, near-duplicates, the worst mistakes, in this order.

Each picture stands once, with every reason that some stage has found.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from darkroom.analysis.suspects import COPY, LEARNED, NEAR
from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_tables import DUPLICATES, MISTAKES, NEAR_DUPLICATES, SPLIT, SUSPECTS
from darkroom.dataset.packed import load_classes, load_index

TWIN, MISTAKE = "near-duplicate of a training picture", "mistake"
KINDS = (LEARNED, COPY, NEAR, TWIN, MISTAKE)


@dataclass
class Item:
    """A picture to look at. `suggested` is empty where nothing speaks for another class."""

    row: int
    path: str
    label: str
    split: str = ""
    suggested: str = ""
    reasons: dict[str, str] = field(default_factory=dict)  # a sentence by kind
    beside: list[int] = field(default_factory=list)  # rows of pictures that are equal, or nearly
    near: list[int] = field(default_factory=list)  # rows of the nearest training images, where a stage has found them


@dataclass(frozen=True)
class Queue:
    """The pictures to look at in their order, and how many that the tables name are not in the data any more."""

    dataset: str
    classes: list[str]
    items: list[Item]
    gone: int


@dataclass(frozen=True)
class _Found:
    """One reason for one picture; `beside` and `near` are rows of others."""

    row: int
    path: str
    kind: str
    words: str
    suggested: str = ""
    beside: tuple[int, ...] = ()
    near: tuple[int, ...] = ()


def load() -> Queue:
    """Read the queue from the tables of the last run. Raises UserError where a stage has not run, or data are not here.

    Where the index was made anew since, pictures are looked up by their paths; those beside them are not known then.
    """
    for table in (SUSPECTS, DUPLICATES, NEAR_DUPLICATES, MISTAKES):
        if not table.path.is_file():
            raise UserError(f"there is no {table.path} yet, which says what to look at: `dvc repro`")
    for file in (paths.IMAGES, paths.INDEX, paths.CLASSES, paths.SPLIT, paths.MODEL):
        if not file.is_file():
            raise UserError(f"there is no {file}: `dvc repro` makes it, or `dvc pull` fetches it")
    index, classes = load_index("path", "label"), load_classes()
    splits = SPLIT.read().set_index("row")["split"]
    items: dict[int, Item] = {}
    gone: set[str] = set()
    told = [*_suspects(), *_contradictions(), *_near_duplicates(), *_mistakes()]
    paths_now, labels = index["path"].to_numpy(), index["label"].to_numpy(np.int64, na_value=-1)
    moved = any(found.row >= len(index) or paths_now[found.row] != found.path for found in told)
    rows = {path: row for row, path in enumerate(paths_now)} if moved else {}
    for found in told:
        row = rows.get(found.path, -1) if moved else found.row
        if row < 0 or labels[row] < 0:
            gone.add(found.path)
            continue
        label = classes[labels[row]]
        item = items.setdefault(row, Item(row, found.path, label, str(splits.get(row, ""))))
        item.suggested = item.suggested or (found.suggested if found.suggested != label else "")
        item.reasons.setdefault(found.kind, found.words)
        if not moved:
            item.beside += [other for other in found.beside if other not in (row, *item.beside)]
            item.near = item.near or list(found.near)
    return Queue(ModelFacts.read(paths.MODEL).dataset, classes, list(items.values()), len(gone))


def _suspects() -> Iterator[_Found]:
    for row, path, suggested, label, quality, why in SUSPECTS.read(
        "row", "path", "suggested", "label", "quality", "why"
    ).itertuples(index=False):
        for kind in why.split("; "):
            if kind == LEARNED:
                share = f"{quality:.1%}" if quality >= 0.001 else "less than 0.1%"
                words = f"a model that did not see it in training gives {label} a probability of {share}"
            else:
                words = {COPY: "an equal picture", NEAR: "a nearly equal picture"}[kind] + f" is labelled {suggested}"
            yield _Found(row, path, kind, words, suggested)


def _contradictions() -> Iterator[_Found]:
    """All pictures that share their pixels with one of another label."""
    table = DUPLICATES.read()
    for _, group in table[table["kind"] == "conflict"].groupby("group"):
        known = group[group["label"] != ""]
        for row, path, label in known[["row", "path", "label"]].itertuples(index=False):
            others = known.loc[known["label"] != label, "label"]
            words = f"an equal picture is labelled {' and '.join(sorted(set(others)))}"
            yield _Found(row, path, COPY, words, str(others.mode()[0]), beside=tuple(known["row"].tolist()))


def _near_duplicates() -> Iterator[_Found]:
    """The pictures of val and test that are nearly equal to one for training; both where they have two labels."""
    table = NEAR_DUPLICATES.read().sort_values("same_label", kind="stable")
    for split, path, row, label, other, other_row, other_label, same, _ in table.itertuples(index=False):
        if same:
            words = f"nearly equal to {other}, for training: {split} is easier by it, and one of the two may go"
            yield _Found(row, path, TWIN, words, beside=(other_row,))
        else:
            words = "a nearly equal picture is labelled"
            yield _Found(row, path, NEAR, f"{words} {other_label}", other_label, beside=(other_row,))
            yield _Found(other_row, other, NEAR, f"{words} {label}", label, beside=(row,))


def _mistakes() -> Iterator[_Found]:
    for path, row, predicted, confidence, near, agree in MISTAKES.read(
        "path", "row", "predicted", "confidence", "neighbour_rows", "neighbours_agree"
    ).itertuples(index=False):
        agreeing = f"{agree} of its {len(near)} nearest training pictures are labelled so"
        words = f"the model says {predicted} ({confidence:.0%} sure), and {agreeing}"
        yield _Found(row, path, MISTAKE, words, predicted, near=tuple(near))
