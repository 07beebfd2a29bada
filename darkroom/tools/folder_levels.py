"""Which level of the folders tells the class, and the patterns that say so."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from darkroom.config.patterns import Pattern
from darkroom.intake.class_warnings import MAKERS_FOLDERS
from darkroom.tools.label_tables import same
from darkroom.tools.subset_folders import subset_in, words

PARTS = {"part", "parts", "batch", "fold", "chunk", "images", "volume", "archive", "split", "disk", "block", "section"}
LISTED = 30  # folders that are named one by one
STRAY = 0.02  # of the pictures may lie at another depth than the others


@dataclass(frozen=True)
class Level:
    """One level of the folders below which pictures lie, with its different names."""

    place: int  # 0 for the outermost
    names: tuple[str, ...]


def levels(folders: Sequence[str], counts: Sequence[int]) -> list[Level]:
    """The levels that may tell a class: two names or more, and not names that makers give to parts of a set.

    Of two levels that say the same, as in cat/cat, the innermost stays. Pictures that lie less deep than nearly all
    others are left aside.
    """
    deep = depth(folders, counts)
    paths = [folder.split("/") for folder in folders if _depth(folder) >= deep]
    found: list[tuple[Level, list[str]]] = []
    for place in range(deep):
        values = [path[place] for path in paths]
        names = tuple(sorted(set(values)))
        if len(names) < 2 or sum(map(_is_makers, names)) > len(names) / 2 or are_parts(names):
            continue
        if found and same(found[-1][1], values):
            found.pop()
        found.append((Level(place, names), values))
    return [level for level, _ in found]


def depth(folders: Sequence[str], counts: Sequence[int]) -> int:
    """How many folders nearly all pictures lie in, at least."""
    by_depth: defaultdict[int, int] = defaultdict(int)
    for folder, count in zip(folders, counts, strict=True):
        by_depth[_depth(folder)] += int(count)
    allowed = STRAY * sum(by_depth.values())
    for deep in sorted(by_depth):
        allowed -= by_depth[deep]
        if allowed < 0:
            return deep
    return 0


def crossed(folders: Sequence[str], outer: Level, inner: Level) -> bool:
    """Whether names of the inner level come back below several names of the outer one."""
    parents: defaultdict[str, set[str]] = defaultdict(set)
    for folder in folders:
        path = folder.split("/")
        if len(path) > inner.place:
            parents[path[inner.place]].add(path[outer.place])
    return sum(len(above) > 1 for above in parents.values()) > len(parents) / 2


def part(folder: str, place: int) -> str | None:
    """The name of a folder's path at one level; None where it is not so deep."""
    path = folder.split("/")
    return path[place] if folder and place < len(path) else None


def patterns(
    wanted: Collection[str],
    unwanted: Collection[str],
    label: int | None,
    group: int | None = None,
    last: str = "*",
    plain_folders: bool = True,
) -> list[str]:
    """The simplest patterns that reach pictures in all `wanted` folders and in none of the `unwanted` ones.

    `label` and `group` are levels of the folders; `last` stands for the names of the files. Without `plain_folders`
    the label is named where there is one.
    """
    if last == "*" and group is None and (plain_folders or label is None):
        root = commonpath(wanted)
        level = None if label is None else label - _depth(root)
        plain = all(_depth(one) - _depth(root) == (level + 1 if level is not None else 0) for one in wanted)
        below = [one for one in unwanted if not root or one == root or one.startswith(root + "/")]
        if not below and root and (label is None or (plain and level is not None and level >= 0)):
            return [root]
        if label is None and plain and not root and not below:
            return ["*"]
    by_depth: defaultdict[int, list[list[str]]] = defaultdict(list)
    for folder in sorted(wanted):
        by_depth[_depth(folder)].append(folder.split("/") if folder else [])
    if len(by_depth) > 1 and label is not None:
        shallow = [path[: label + 1] for paths in by_depth.values() for path in paths]
        found = _of_one_depth(shallow, (), label, group, f"**/{last}" if last != "*" else "**")
        if _reach(found, wanted, unwanted):
            return found
    return [one for _, paths in sorted(by_depth.items()) for one in _of_one_depth(paths, unwanted, label, group, last)]


def _of_one_depth(
    paths: list[list[str]], unwanted: Collection[str], label: int | None, group: int | None, last: str
) -> list[str]:
    """Patterns for folders of one depth: a level of one name stands as it is, another as `*` or by its names."""
    parts: list[str] = []
    free: list[int] = []
    for place in range(len(paths[0])):
        own = {path[place] for path in paths}
        if place == label:
            parts.append("{label}")
        elif place == group:
            parts.append("{group}")
        elif len(own) == 1:
            parts.append(own.pop())
        elif label is not None and all(path[place] == path[label] for path in paths):
            parts.append("{label}")
        else:
            parts.append(_glob(own))
            free.append(place)
    found = ["/".join([*parts, last])]
    if _reach(found, ["/".join(path) for path in paths], unwanted) or not paths[0]:
        return found
    # Something else is reached too: name the folders of one level.
    for place in [*free, *([label] if label is not None else [])]:
        names = sorted({path[place] for path in paths})
        rows = [[path for path in paths if path[place] == name] for name in names]
        if place == label:
            if len(names) > LISTED * 10:
                break
            form = "{label:" + "|".join(_escaped(name) for name in names) + "}"
            found = ["/".join([*parts[:place], form, *parts[place + 1 :], last])]
        else:
            if len(names) > LISTED:
                continue
            found = [one for own in rows for one in _of_one_depth(own, unwanted, label, group, last)]
        if _reach(found, ["/".join(path) for path in paths], unwanted):
            break
    return found


def _reach(found: Sequence[str], wanted: Iterable[str], unwanted: Iterable[str]) -> bool:
    """Whether patterns reach pictures in all wanted folders and in no unwanted one."""
    made = [Pattern(one) for one in found]

    def reached(folder: str) -> bool:
        return any(one.match(f"{folder}/a.jpg" if folder else "a.jpg") is not None for one in made)

    if any("." in one.rpartition("/")[2] or "{" in one.rpartition("/")[2] for one in found):
        return True  # the names of the files decide
    return not any(map(reached, unwanted)) and all(map(reached, wanted))


def _glob(names: Collection[str]) -> str:
    start = "".join(_shared(list(names)))
    start = start if "*" not in start and "{" not in start and len(start) > 2 else ""
    return f"{start}*"


def commonpath(folders: Iterable[str]) -> str:
    """The folder in which all folders lie."""
    paths = [folder.split("/") if folder else [] for folder in folders]
    return "/".join(_shared(paths))


def _shared(rows: Sequence[Sequence[str]]) -> list[str]:
    """What all rows begin with."""
    same = takewhile(lambda column: len(set(column)) == 1, zip(*rows, strict=False))
    return [column[0] for column in same]


def _escaped(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "_ -" else f"\\{letter}" for letter in name)


def _depth(folder: str) -> int:
    return folder.count("/") + 1 if folder else 0


def _is_makers(name: str) -> bool:
    subset, rest = subset_in(name)
    return MAKERS_FOLDERS.fullmatch(name.strip()) is not None or (subset is not None and not rest)


def are_parts(names: Collection[str]) -> bool:
    """Whether names differ in their numbers alone and say that they are parts: images_part_1, images_part_2."""
    bare = {tuple(word for word in words(name) if not word.isdigit()) for name in names}
    return len(bare) == 1 and bool(PARTS.intersection(*bare))
