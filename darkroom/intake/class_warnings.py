"""Classes that look unlikely: each with the reason, and the line to write instead."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base.words import counted, listed
from darkroom.config.catalogue import Subset

LABELLED: tuple[Subset, ...] = ("train", "val", "test")
# Names that makers of data sets give to folders of pictures, not to kinds of things.
MAKERS_FOLDERS = re.compile(
    r"(train|training|test|testing|val|valid|validation|images?|imgs?|pics?|pictures?|photos?|masks?|labels?|annotations?"
    r"|ground_?truth|data|datasets?|raw|originals?|augmented|colou?r|gr[ae]y(scale)?|segmented|rgb|jpe?gs?|pngs?"
    r"|(part|batch|fold|chunk|split|set|folder|dir|subset)[ _-]?\d*|\d+x|new folder.*)",
    re.IGNORECASE,
)


def warnings(index: pa.Table, *, from_folders: bool) -> Iterator[str]:
    """Warnings about the classes of an index (path, label: names of classes, subset).

    `from_folders` says that labels are the names of innermost folders, so that another folder may be meant.
    """
    labelled = index.filter(index["label"].is_valid())
    counts: Mapping[str, int] = Counter(labelled["label"].to_pylist())
    if from_folders:
        parents = _parents(labelled)
        yield from _makers_folders(counts, parents)
        yield from _under_several_parents(counts, parents)
    yield from _twins(counts)
    yield from _in_some_subsets(labelled)


def _parents(labelled: pa.Table) -> dict[str, Counter[str]]:
    """By class, the folders in which its folders stand, with the number of pictures below each."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    folders = pc.replace_substring_regex(labelled["path"], r"/[^/]*$", "")
    pairs = (
        pa.table({"label": labelled["label"], "folder": folders})
        .group_by(["label", "folder"])
        .aggregate([([], "count_all")])
    )
    for row in pairs.to_pylist():
        found[row["label"]][row["folder"].rpartition("/")[0]] += row["count_all"]
    return dict(found)


def _makers_folders(counts: Collection[str], parents: Mapping[str, Collection[str]]) -> Iterator[str]:
    odd = sorted(name for name in counts if MAKERS_FOLDERS.fullmatch(name.strip()))
    if not odd:
        return
    parent = min(parents[odd[0]])
    above, _, last = parent.rpartition("/")
    line = f'train: "{above}/{{label}}/**"' if last and above else 'train: "{label}/**"' if last else ""
    instead = (
        f"if {last} and its neighbours are the classes, write {line}" if line else "name the folder that holds them"
    )
    yield (
        f"{listed(odd)} {'is the name' if len(odd) == 1 else 'are names'} that makers give to folders, not to kinds of "
        f"things: {instead}; if they are the classes, all is well"
    )


def _under_several_parents(counts: Mapping[str, int], parents: Mapping[str, Collection[str]]) -> Iterator[str]:
    several = {name: sorted(parents[name]) for name in sorted(counts) if len(parents[name]) > 1}
    if not several:
        return
    name, places = next(iter(several.items()))
    common = _common(places)
    last = [place.removeprefix(common).strip("/").partition("/")[0] for place in places]
    if any(MAKERS_FOLDERS.fullmatch(one) for one in last):  # makers' subsets and copies are told elsewhere
        instead = f'if only one of them is meant, name it, as in train: "{places[0]}"'
    else:
        instead = f'if {listed(last)} are the classes, write train: "{common}{{label}}/**"'
    verb = "stands" if len(several) == 1 else "stand"
    yield (
        f"{counted(len(several), 'class', 'classes')} {verb} in several places, the first being {name} in "
        f"{listed(places)}: their pictures are taken together, for the label is the innermost folder; {instead}"
    )


def _common(places: Sequence[str]) -> str:
    """The folders that all places have in common, with a slash at the end, or nothing."""
    parts = [place.split("/") for place in places]
    shared = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return "".join(f"{part}/" for part in shared)


def _twins(counts: Mapping[str, int]) -> Iterator[str]:
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        alike[_bare(name)].append(name)
    for names in alike.values():
        if len(names) > 1:
            lines = ", ".join(f'"{name}": "{names[0]}"' for name in names[1:])
            yield (
                f"{listed([repr(name) for name in names])} are {len(names)} classes whose names hardly differ: if "
                f"they are one, write classes: {{{lines}}}"
            )


def _bare(name: str) -> str:
    """A name without case, accents' form, numbers in front, and what separates its words."""
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    words = re.sub(r"[\s_.-]+", " ", text).strip()
    return re.sub(r"^\d+ (?=\D)", "", words)


def _in_some_subsets(labelled: pa.Table) -> Iterator[str]:
    given = [subset for subset in LABELLED if pc.any(pc.equal(labelled["subset"], subset)).as_py()]
    if len(given) < 2:
        return
    pairs = labelled.group_by(["label", "subset"]).aggregate([([], "count_all")]).to_pylist()
    has: defaultdict[str, set[str]] = defaultdict(set)
    for row in pairs:
        has[row["label"]].add(row["subset"])
    for subset in given:
        lacking = sorted(name for name, subsets in has.items() if subset not in subsets)
        if lacking:
            yield (
                f"{listed(lacking)} {'has' if len(lacking) == 1 else 'have'} no picture in {subset}: if another "
                "name is meant, join the two under `classes`, as in classes: {" + f'"{lacking[0]}": NAME' + "}"
            )
