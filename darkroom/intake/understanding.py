"""What extract understood of an archive, in lines that its owner can check."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base import paths
from darkroom.base.words import counted, listed
from darkroom.config.catalogue import SUBSETS
from darkroom.config.stage_tables import HIDDEN
from darkroom.intake.labelling import Labels
from darkroom.intake.sieve import NO_PATTERN, Sieve

CLASSES_SHOWN = 12
REASONS_SHOWN = 5
UNUSED = "names the pictures and is not used"  # said of a table
ENOUGH = 0.5  # of the first rows of a table: so many names of pictures say that it names the pictures


def data(index: pa.Table, classes: Sequence[str], labels_from: str) -> Iterator[str]:
    """The classes with their numbers of pictures, and the subsets; labels of `index` are names of classes."""
    counts = Counter(index["label"].drop_null().to_pylist())
    shown = ", ".join(f"{name} {counts[name]:,}" for name in classes[:CLASSES_SHOWN])
    more = f" and {len(classes) - CLASSES_SHOWN:,} more" if len(classes) > CLASSES_SHOWN else ""
    yield f"{counted(len(classes), 'class', 'classes')}: {shown}{more} (labels from {labels_from})"
    subsets = Counter(index["subset"].to_pylist())
    given = ", ".join(f"{subset} {subsets[subset]:,}" for subset in SUBSETS if subsets[subset])
    groups = pc.count_distinct(index["group"]).as_py()
    yield f"subsets: {given}" + (f"; {counted(groups, 'group')}, none of which is torn apart later" if groups else "")


def left_out(rejected: Iterable[tuple[str, str]], passed_over: Iterable[tuple[str, str, int, str]]) -> Iterator[str]:
    """The files that were rejected or passed over, counted by reason."""
    reasons = Counter(reason for _, reason in rejected)
    if reasons:
        yield f"{counted(reasons.total(), 'file')} rejected, see {paths.REJECTED}: {by_reason(reasons)}"
    passed = Counter[str]()
    for _, reason, files, _ in passed_over:
        passed[reason] += files
    if told := passed - Counter({HIDDEN: passed[HIDDEN]}):
        yield f"{counted(told.total(), 'file')} passed over, see {paths.PASSED_OVER}: {by_reason(told)}"


def by_reason(counts: Counter[str]) -> str:
    """Reasons with their numbers, most frequent first: `it is empty (12); it is cut short (3)`."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{reason} ({count:,})" for reason, count in ordered[:REASONS_SHOWN]]
    more = sum(count for _, count in ordered[REASONS_SHOWN:])
    return "; ".join([*shown, *([f"other reasons ({more:,})"] if more else [])])


def warnings(sieve: Sieve, tables: Sequence[Labels], index: pa.Table) -> Iterator[str]:
    """What looks unlikely in an archive, each with its reason and the line to write instead."""
    yield from _unreached(sieve, index)
    for label, endings in sorted(sieve.kinds.items()):
        if not pc.any(pc.equal(index["label"], label)).as_py():
            kinds = listed(sorted(endings))
            yield f"all files of {label} are of a kind that is not read ({kinds}): save them as PNG or JPEG"
    for table in tables:
        yield from _of_table(table)
    disagreements = sieve.layout.disagreements
    if disagreements:
        yield (
            f"{counted(len(disagreements), 'picture')} of another label in the table than in the path, the first being "
            f"{disagreements[0]}: the table counts; take {{label}} out of the pattern, or `label` out of the table"
        )
    yield from _tables_not_used(sieve, index)


def _unreached(sieve: Sieve, index: pa.Table) -> Iterator[str]:
    """Pictures that no pattern reaches, by the outermost folder that holds no picture of the data."""
    passed = {folder: found.files for (folder, reason), found in sieve.passed.items() if reason == NO_PATTERN}
    if not passed:
        return
    taken = {"."}
    for folder in pc.unique(pc.replace_substring_regex(index["path"], "/?[^/]*$", "")).to_pylist():
        taken.update(_with_those_above(folder))
    counts = Counter[str]()
    for folder, files in passed.items():
        counts[next((one for one in _with_those_above(folder) if one not in taken), folder)] += files
    most = [f"{'in no folder' if folder == '.' else folder} {files:,}" for folder, files in counts.most_common()]
    first = counts.most_common(1)[0][0]
    pattern = first if first not in taken else "*" if first == "." else f"{first}/*"
    yield (
        f"no pattern reaches {counted(counts.total(), 'picture')} ({listed(most)}): if they belong to the data, "
        f'add their folder to train, val, test or unlabeled, as in train: [..., "{pattern}"]'
    )


def _with_those_above(folder: str) -> list[str]:
    """A folder's path after those of the folders in which it lies, the outermost first."""
    return [folder[: place.start()] for place in re.finditer("/|$", folder)]


def _of_table(table: Labels) -> Iterator[str]:
    if table.note:
        yield f"{table.path} {table.note}"
    count, first = table.unused()
    if count:
        verb = "names" if count == 1 else "name"
        yield f"{counted(count, 'row')} of {table.path} {verb} no picture of the data, the first being {first}"


def _tables_not_used(sieve: Sieve, index: pa.Table) -> Iterator[str]:
    """Tables whose first rows name labelled pictures, and say more of them than the labels that they have."""
    if not sieve.heads:
        return
    values = {value for columns in sieve.heads.values() for column in columns for value in column}
    labels: dict[str | None, str] = {}
    labelled = index.filter(index["label"].is_valid())
    for path, label in zip(labelled["path"].to_pylist(), labelled["label"].to_pylist(), strict=True):
        name = path.rpartition("/")[2]
        labels.update((text, label) for text in (path, name, name.rpartition(".")[0]) if text in values)
    for table, columns in sorted(sieve.heads.items()):
        said = max(([labels.get(value) for value in column] for column in columns), key=_given, default=[])
        known_already = any(
            all(one in (None, own) for one, own in zip(said, column, strict=True)) for column in columns
        )
        if _given(said) < ENOUGH * max(1, len(said)):
            continue
        if not known_already:
            yield f"{table} {UNUSED}: if it holds their labels, write labels: {table}"
        elif len(columns) > 2:
            yield (
                f"{table} {UNUSED}: if it says which of them belong together, as those of "
                f"one patient do, write labels: {{file: {table}, group: COLUMN}}"
            )


def _given(labels: Sequence[str | None]) -> int:
    return sum(label is not None for label in labels)
