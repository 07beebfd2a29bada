"""Classes that look unlikely: each with the reason, and the line to write instead."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from darkroom.base.words import counted, listed
from darkroom.config.catalogue import Subset
from darkroom.config.patterns import composed

MANY = 10  # classes
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
        places = _places(labelled)
        odd = sorted(name for name in counts if MAKERS_FOLDERS.fullmatch(name.strip()))
        yield from _makers_folders(odd, places)
        yield from _under_several_parents(counts.keys() - odd, places)
    yield from _nearly_as_many_as_pictures(counts)
    yield from _twins(counts)
    yield from _in_some_subsets(labelled)


def _places(labelled: pa.Table) -> dict[str, list[Counter[str]]]:
    """By name of an innermost folder, the folders that hold one of that name, with the pictures in it: by subset."""
    folders = pc.replace_substring_regex(labelled["path"], r"/[^/]*$", "")
    pairs = pa.table({"folder": folders, "subset": labelled["subset"]}).group_by(["folder", "subset"])
    found: defaultdict[str, defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for row in sorted(pairs.aggregate([([], "count_all")]).to_pylist(), key=lambda row: row["folder"]):
        parent, _, name = composed(row["folder"]).rpartition("/")
        found[name][row["subset"]][parent] += row["count_all"]
    return {name: list(by_subset.values()) for name, by_subset in found.items()}


def _makers_folders(odd: Sequence[str], places: Mapping[str, Sequence[Counter[str]]]) -> Iterator[str]:
    if not odd:
        return
    parent = min(parent for parents in places.get(odd[0], [{"": 0}]) for parent in parents)
    above, _, last = parent.rpartition("/")
    if last:
        line = f'train: "{above}/{{label}}/**"' if above else 'train: "{label}/**"'
        instead = f"if {last} and its neighbours are the classes, write {line}"
    else:
        instead = (
            "if the names of the files tell the classes, say where, as in "
            f'train: "{odd[0]}/{{label}}_*"; if a table does, write labels: TABLE'
        )
    yield (
        f"{listed(odd)} {'is the name' if len(odd) == 1 else 'are names'} that makers give to folders, not to kinds of "
        f"things: {instead}; if {'it is a class' if len(odd) == 1 else 'they are classes'} indeed, all is well"
    )


def _under_several_parents(names: Collection[str], places: Mapping[str, Sequence[Counter[str]]]) -> Iterator[str]:
    # The makers' train and test hold the same classes: what counts is several parents within one subset.
    several = {name: most for name in sorted(names) if len(most := max(places.get(name, [{}]), key=len)) > 1}
    if not several:
        return
    name, counts = next(iter(several.items()))
    parents = sorted(counts)
    common = _common(parents)
    last = [place.removeprefix(common).strip("/").partition("/")[0] for place in parents]
    largest = max(parents, key=lambda place: (counts[place], -len(place)))
    instead = f'if only one of these folders is meant, name it, as in train: "{largest}"'
    if subsets := _makers_subsets(parents):
        instead = f"if these are the makers' subsets, write {subsets}"
    elif not any(MAKERS_FOLDERS.fullmatch(one) for one in last):
        instead = f'if {listed(last)} are the classes, write train: "{common}{{label}}/**"; {instead}'
    verb = "stands" if len(several) == 1 else "stand"
    yield (
        f"{counted(len(several), 'class', 'classes')} {verb} in several places, the first being {name} in "
        f"{listed(parents)}: their pictures are taken together, for the label is the innermost folder; {instead}"
    )


def _makers_subsets(parents: Sequence[str]) -> str:
    """The lines that name folders called train, val and test; nothing if there are no such folders."""
    found: dict[str, str] = {}
    for place in sorted(parents, key=len):
        for subset in LABELLED:
            if re.search(rf"(^|[_ -]){subset}", place.rpartition("/")[2], re.IGNORECASE):
                found.setdefault(subset, place)
    lines = [f'{subset}: "{found[subset]}"' for subset in LABELLED if subset in found]
    return listed(lines) if len(lines) > 1 else ""


def _common(places: Sequence[str]) -> str:
    """The folders that all places have in common, with a slash at the end, or nothing."""
    parts = [place.split("/") for place in places]
    shared = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return "".join(f"{part}/" for part in shared)


def _nearly_as_many_as_pictures(counts: Mapping[str, int]) -> Iterator[str]:
    pictures = sum(counts.values())
    if len(counts) >= MANY and 2 * len(counts) > pictures:
        yield (
            f"{len(counts):,} classes of {pictures:,} pictures, the first being {min(counts)}: if a label takes too "
            "much of the names, give it a form, as in {label:[a-z]+}"
        )


def _twins(counts: Mapping[str, int]) -> Iterator[str]:
    # The name to keep comes first: the plainest, then that of most pictures.
    plainest = sorted(counts, key=lambda name: (name != name.strip(), name[:1].isdecimal(), -counts[name], name))
    bare = {name: _bare(name) for name in plainest}
    known = set(bare.values())
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name, text in bare.items():
        unnumbered = re.sub(r"^\d+ (?=\D)", "", text)  # `02_dog` beside `dog`; but `1 euro` beside `2 euro` are two
        alike[unnumbered if unnumbered in known else text].append(name)
    twins = [names for names in alike.values() if len(names) > 1]
    if not twins:
        return
    lines = [f'"{name}": "{names[0]}"' for names in twins for name in names[1:]]
    more = f" (and so with {counted(len(twins) - 1, 'other name')})" if len(twins) > 1 else ""
    yield (
        f"{listed([repr(name) for name in twins[0]])} are {len(twins[0])} classes whose names hardly differ{more}: if "
        f"they are one, write classes: {{{listed(lines)}}}"
    )


def _bare(name: str) -> str:
    """A name without case, accents' form, and what separates its words."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_.-]+", " ", text).strip()


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
