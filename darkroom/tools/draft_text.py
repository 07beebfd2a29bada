"""What `darkroom add` shows of a draft, in lines for a terminal: what was understood and why, the classes, the rest."""

import shutil
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from darkroom.base.errors import printable
from darkroom.base.words import counted
from darkroom.config.catalogue import SUBSETS
from darkroom.tools.entry_draft import Draft, Question, Sample

NARROWEST, WIDEST = 60, 120  # columns of a line
CLASSES_SHOWN = 12  # of a subset: if there are more, the biggest and the smallest
SMALLEST_SHOWN = 4
UNUSED_SHOWN = 20
LABEL_WIDTH = 28
CELL = 320  # columns of one cell in all its lines, as of the names of 200 columns


def width() -> int:
    """The columns of the terminal; 80 where there is none."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, NARROWEST), WIDEST)


def understood(draft: Draft) -> Iterator[str]:
    """The table of what was understood, then the classes with samples, then what will not be used."""
    yield "understood so far, with the first answer to what is open:" if draft.questions else "understood:"
    rows = [(one.key, one.value, one.because) for one in draft.evidence]
    yield from columns([("key", "value", "because"), *rows], at_most=(14, 30))
    labels = {one.label for one in draft.samples if one.subset != "unlabeled"}
    yield ""
    yield f"{counted(draft.pictures, 'picture')}, {counted(len(labels), 'class', 'classes')}:"
    for subset in SUBSETS:
        if samples := [one for one in draft.samples if one.subset == subset]:
            yield from _classes(subset, samples)
    if draft.unused:
        yield ""
        yield "not used:"
        yield from columns(draft.unused[:UNUSED_SHOWN], at_most=(40,))
        if more := draft.unused[UNUSED_SHOWN:]:
            yield f"  and {len(more):,} more"


def _classes(subset: str, samples: Sequence[Sample]) -> Iterator[str]:
    """The classes of one subset, each with its number of pictures and the names of some, a line each."""
    pictures = sum(one.count for one in samples)
    is_labelled = any(one.label for one in samples)
    classes = f" in {counted(len(samples), 'class', 'classes')}" if is_labelled else ""
    ordered = sorted(samples, key=lambda one: -one.count) if len(samples) > CLASSES_SHOWN else samples
    sizes = ""
    if len(samples) > CLASSES_SHOWN:
        sizes = f", {_from_to(ordered[-1].count, ordered[0].count)} each"
    yield from _wrapped(f"{subset}: {counted(pictures, 'picture')}{classes}{sizes}", "  ", width())
    if len(samples) <= CLASSES_SHOWN:
        yield from _samples(ordered)
        return
    lines = list(_samples([*ordered[: CLASSES_SHOWN - SMALLEST_SHOWN], *ordered[-SMALLEST_SHOWN:]]))
    yield from lines[:-SMALLEST_SHOWN]
    yield f"    … {counted(len(samples) - CLASSES_SHOWN, 'class', 'classes')} between them …"
    yield from lines[-SMALLEST_SHOWN:]


def _from_to(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"from {least:,} to {most:,}"


def _samples(samples: Sequence[Sample]) -> Iterator[str]:
    label_width = min(max(_cells(one.label) for one in samples), LABEL_WIDTH)
    count_width = max(len(f"{one.count:,}") for one in samples)
    for one in samples:
        start = f"    {_fitted(one.label, label_width)}  {one.count:>{count_width},}  "
        room = width() - _cells(start)
        names = ", ".join(one.names)
        while len(one.names) > 1 and _cells(names) > room and ", " in names:
            names = names.rpartition(", ")[0]
        yield (start + _cut(names, room)).rstrip()


def question(asked: Question) -> Iterator[str]:
    """A question with the answers to choose from, by number and by word."""
    yield from _wrapped(f"{asked.name}? {asked.text}", "", width())
    rows = [(str(number), choice.word, choice.text) for number, choice in enumerate(asked.choices, 1)]
    yield from columns(rows, at_most=(4, 24))


def columns(rows: Iterable[Sequence[str]], at_most: Sequence[int]) -> Iterator[str]:
    """Rows as lines, indented, each cell wrapped within its column; the last column takes what is left.

    `at_most` limits the widths of the columns before the last one.
    """
    cells = [[_cut(cell, CELL) for cell in row] for row in rows]
    if not cells:
        return
    widths = [max(1, min(max(_cells(row[place]) for row in cells), limit)) for place, limit in enumerate(at_most)]
    widths.append(width() - 2 - sum(widths) - 2 * len(widths))
    for row in cells:
        wrapped = [list(_wrapped(cell, "", size)) for cell, size in zip(row, widths, strict=True)]
        for line in range(max(map(len, wrapped))):
            parts = [part[line] if line < len(part) else "" for part in wrapped]
            padded = [part + " " * (size - _cells(part)) for part, size in zip(parts, widths, strict=True)]
            yield ("  " + "  ".join(padded)).rstrip()


def _wrapped(text: str, indent: str, size: int) -> Iterator[str]:
    """A text in lines of at most `size` columns. It is no textwrap, which counts a letter of Chinese as one column."""
    start = line = indent
    for word in printable(text).split():
        if line != start and _cells(line) + 1 + _cells(word) > size:
            yield line
            start = line = indent + "  " * bool(indent)
        line += word if line == start else f" {word}"
        while _cells(line) > size:  # a word longer than a line
            fits = next((end for end in range(size, 0, -1) if _cells(line[:end]) <= size), 1)
            yield line[:fits]
            start = indent + "  " * bool(indent)
            line = start + line[fits:]
    yield line


def _cells(text: str) -> int:
    """The columns that a text takes on a terminal: letters of Chinese and its neighbours, and emoji, take two."""
    return len(text) + sum(unicodedata.east_asian_width(one) in "WF" for one in text if one > "\u10ff")


def _fitted(text: str, size: int) -> str:
    shown = _cut(text, size)
    return shown + " " * (size - _cells(shown))


def _cut(text: str, size: int) -> str:
    """A text that takes at most `size` columns; its middle is left out, for the ends of names tell them apart."""
    shown = printable(text)
    if _cells(shown) <= size:
        return shown
    half = (size - 1) // 2
    while _cells(shown[:half]) + _cells(shown[-half:]) >= size:
        half -= 1
    return f"{shown[:half]}…{shown[-half:]}"
