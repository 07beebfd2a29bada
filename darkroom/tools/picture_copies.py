"""Copies of a data set inside its archive: the same folders twice, in colour and in grey, whole and as a sample."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence

import numpy as np

from darkroom.base.words import counted
from darkroom.intake.class_warnings import MAKERS_FOLDERS
from darkroom.tools.asking import Asking
from darkroom.tools.folder_levels import are_parts
from darkroom.tools.subset_folders import NOISE, WORDS, subset_in, subsets_of, words
from darkroom.tools.survey_archive import Survey, contents

PAIRS = 4  # of folders that are compared, of two trees
FILES = 2  # of each
TREES = 60  # pairs of trees that are compared
MEMBERS = 12  # folders of one name that are compared with each other
VERSIONS = 6  # trees of the same folders that may be versions of one set
ALIKE = 0.8
COUNTED = 0.1  # forms of names that count, for each name
SPREAD = 100  # numbers that a counter may leave out, for each that it has
COLOUR = ("color", "colour", "rgb", "original", "raw")


def find_copies(survey: Survey, folders: Sequence[int], asking: Asking) -> dict[int, str]:
    """Folders (places in `Names.folders`) that hold what another holds already, each with the reason.

    Asks where two trees differ in their pictures alone.
    """
    names = survey.pictures.folders
    equal = _equal(survey, folders)
    found = {place: f"the same pictures as in {names[other]}, by a sample of both" for place, other in equal.items()}
    left = [place for place in folders if place not in found]
    for trees in _versions(survey, left):
        order = sorted(trees, key=lambda tree: (_rank(tree), -_pictures(survey, trees[tree]), tree))
        options = [
            (_word(tree), f"take {tree} alone ({counted(_pictures(survey, trees[tree]), 'picture')})") for tree in order
        ]
        options.append(("together", "take all of them together"))
        text = f"{', '.join(order)} hold folders of the same names: they may be versions of one set, or parts of it"
        answer = asking.pick("copies", text, options)
        if answer == len(order):
            continue
        for tree in order:
            if tree != order[answer]:
                found |= dict.fromkeys(trees[tree], f"another version of {order[answer]}, perhaps of the same pictures")
        break
    return found


def _equal(survey: Survey, folders: Sequence[int]) -> dict[int, int]:
    """Folders of which a sample says that another holds the same files, with the one that stays."""
    pictures = survey.pictures
    pairs = defaultdict(list)
    for place, other in _candidates(survey, folders):
        pairs[_trees(pictures.folders[place], pictures.folders[other])].append((place, other))
    wanted: dict[str, str] = {}
    chosen: dict[tuple[str, str], list[str]] = {}
    random = np.random.default_rng(0)
    for trees, own in sorted(pairs.items())[:TREES]:
        for at in sorted(random.permutation(len(own))[:PAIRS]):
            place, other = own[at]
            mine = sorted(pictures.names(place))
            theirs = {_stem(name): name for name in pictures.names(other)}
            for number in sorted(random.permutation(len(mine))[:FILES]):
                path = _joined(pictures.folders[place], mine[number])
                wanted[path] = _joined(pictures.folders[other], theirs[_stem(mine[number])])
                chosen.setdefault(trees, []).append(path)
    hashes = {path: hash(data) for path, data in contents(survey.source, {*wanted, *wanted.values()}, survey.limits)}
    found: dict[int, int] = {}
    for trees, paths in chosen.items():
        if all(path in hashes and hashes[path] == hashes.get(wanted[path]) for path in paths):
            for place, other in pairs[trees]:
                if other not in found:
                    found.setdefault(place, other)
    return found


def _candidates(survey: Survey, folders: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of folders of one name, or of one subset, all names of the first being among those of the second."""
    pictures = survey.pictures
    by_name: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for place in folders:
        name = pictures.folders[place].rpartition("/")[2].lower()
        said = (subset_in(part)[0] for part in pictures.folders[place].split("/"))
        subset = next((one for one in said if one), "")  # also that of a name that says more: trainingSample
        # A folder called as subsets are, or a sample of one, is compared with others of that subset.
        same = name if not set(words(name)) & {*WORDS, "sample"} else ""
        by_name[subset, same].append(place)
    for own in by_name.values():
        if not 1 < len(own) <= MEMBERS:
            continue
        stems = {place: {_stem(name) for name in pictures.names(place)} for place in own}
        order = sorted(
            own, key=lambda place: (-len(stems[place]), pictures.folders[place].count("/"), pictures.folders[place])
        )
        for at, place in enumerate(order):
            larger = next((other for other in order[:at] if stems[place] <= stems[other]), None)
            if larger is not None and stems[place]:
                yield place, larger


def _versions(survey: Survey, folders: Sequence[int]) -> Iterator[dict[str, list[int]]]:
    """Trees beside one another, of folders of the same names, that are neither subsets nor parts nor classes."""
    pictures = survey.pictures
    paths = {place: pictures.folders[place].split("/") for place in folders}
    told = dict(zip(folders, subsets_of([pictures.folders[place] for place in folders]), strict=True))
    for level in range(max((len(path) for path in paths.values()), default=0) - 1):
        above: defaultdict[tuple[str, ...], defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for place, path in paths.items():
            if len(path) > level + 1 and told[place] is None:
                above[tuple(path[:level])][path[level]].append(place)
        for parent, children in above.items():
            most = sum(_pictures(survey, own) for own in children.values()) >= _pictures(survey, folders) / 2
            if not 2 <= len(children) <= VERSIONS or not most or are_parts(children):
                continue
            if _same_leaves(paths, children, level) and _say_versions(survey, paths, children):
                yield {"/".join([*parent, name]): own for name, own in children.items()}
    yield from _versions_without_classes(survey, folders)


def _versions_without_classes(survey: Survey, folders: Sequence[int]) -> Iterator[dict[str, list[int]]]:
    """Folders beside one another of pictures of the same names, as whole faces and cropped ones are: no classes."""
    pictures = survey.pictures
    beside: defaultdict[str, list[int]] = defaultdict(list)
    told = subsets_of([pictures.folders[place] for place in folders])
    for place, subset in zip(folders, told, strict=True):
        if subset is None:
            beside[pictures.folders[place].rpartition("/")[0]].append(place)
    for own in beside.values():
        most = 2 * _pictures(survey, own) >= _pictures(survey, folders)
        if not 2 <= len(own) <= VERSIONS or not most:
            continue
        first, *rest = (pictures.names(place) for place in own)
        if all(_same_names(first, names) for names in rest):
            yield {pictures.folders[place]: [place] for place in own}


def _same_leaves(paths: dict[int, list[str]], children: dict[str, list[int]], level: int) -> bool:
    every = [paths[place] for own in children.values() for place in own]
    # Of folders equally deep all that lies below counts: other slides of the same magnifications are no versions.
    equally = len({len(path) for path in every}) == 1
    start = level + 1 if equally else -1
    below = [{"/".join(paths[place][start:]) for place in own} for own in children.values()]
    shared, union = set.intersection(*below), set.union(*below)
    return len(shared) > 1 and len(shared) >= ALIKE * len(union)


def _say_versions(survey: Survey, paths: dict[int, list[str]], children: dict[str, list[int]]) -> bool:
    """Whether the names of the trees, or of their files, say that they hold one set in several versions."""
    if all(MAKERS_FOLDERS.fullmatch(name) for name in children):
        return True
    own = [set(words(name)) - NOISE for name in children]
    if set.intersection(*own):
        return True
    first, second = list(children.values())[:2]
    leaf = {paths[place][-1]: place for place in second}
    shared = [(place, leaf[paths[place][-1]]) for place in first if paths[place][-1] in leaf][:PAIRS]
    same = [_same_names(survey.pictures.names(one), survey.pictures.names(other)) for one, other in shared]
    return bool(same) and all(same)


def _same_names(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether most names come back, and are no mere numbers that count the pictures."""
    own, theirs = {_stem(name) for name in one}, {_stem(name) for name in other}
    return not _are_counters(own) and len(own & theirs) >= ALIKE * min(len(own), len(theirs))


def _are_counters(names: Collection[str]) -> bool:
    """Whether names differ in numbers that begin small and lie close together."""
    if len({re.sub(r"\d+", "", name) for name in names}) > COUNTED * len(names) + 1:
        return False
    columns = zip(*(map(int, re.findall(r"\d+", name)) for name in names), strict=False)
    return all(max(column) - min(column) < SPREAD * len(names) for column in columns)


def _trees(one: str, other: str) -> tuple[str, str]:
    """What is left of two paths without the folders at their ends that are the same."""
    first, second = one.split("/"), other.split("/")
    while first and second and first[-1] == second[-1]:
        first.pop()
        second.pop()
    return "/".join(first), "/".join(second)


def _pictures(survey: Survey, folders: Iterable[int]) -> int:
    return sum(int(survey.pictures.counts[place]) for place in folders)


def _rank(tree: str) -> int:
    return 0 if tree.rpartition("/")[2].lower() in COLOUR else 1


def _word(tree: str) -> str:
    return re.sub(r"\W+", "_", tree.rpartition("/")[2]).strip("_") or "first"


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0].lower()
