"""Which folders are the makers' train, val and test, by the usual names, at any depth."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from darkroom.config.catalogue import Subset

WORDS: dict[str, Subset] = {
    "train": "train", "training": "train", "trn": "train", "tr": "train", "learn": "train", "learning": "train",
    "val": "val", "valid": "val", "validation": "val", "validate": "val", "dev": "val", "development": "val",
    "test": "test", "testing": "test", "tst": "test", "te": "test", "evaluation": "test", "eval": "test",
    "pred": "unlabeled", "predict": "unlabeled", "prediction": "unlabeled", "unlabeled": "unlabeled",
    "unlabelled": "unlabeled", "unsup": "unlabeled",
}  # fmt: skip
SHORT = {"tr", "te"}  # of two letters, too short to stand alone
# Words that stand beside those in names of folders and files, and say nothing of what is in them.
NOISE = frozenset(
    {"set", "sets", "image", "images", "img", "imgs", "pic", "pics", "picture", "pictures", "photo", "photos", "data",
     "dataset", "datasets", "folder", "dir", "seg", "stage", "file", "files", "jpg", "jpeg", "jpegs", "png", "pngs",
     "tif", "cls", "split", "splits", "full", "final", "all", "list", "lists", "label", "labels", "labeled", "labelled",
     "solution", "meta", "metadata", "annotations", "annotation", "info", "csv", "txt", "id", "ids", "names", "class",
     "classes", "the", "of", "for", "no", "new"}
)  # fmt: skip
FEW = 3  # folders at the top, one of which may be the test by a name that says more
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[^\W\d_]+|\d+")


def words(name: str) -> list[str]:
    """The words of a name in lower case: `trainingSet_2` holds training, set, 2."""
    found: list[str] = []
    for part in PART.findall(name):
        word = part.lower()
        joined = (one for one in WORDS if one not in SHORT and word.startswith(one))
        known = next((one for one in joined if word[len(one) :] in NOISE or word[len(one) :] in WORDS), None)
        found += [known, word[len(known) :]] if known else [word]
    return found


def subset_in(name: str) -> tuple[Subset | None, tuple[str, ...]]:
    """The subset that a name says, and the words that say something else; none where it says two, as trainval does."""
    parts = words(name)
    said = {WORDS[word] for word in parts if word in WORDS and not (word in SHORT and len(parts) == 1)}
    rest = tuple(word for word in parts if word not in WORDS and word not in NOISE and not word.isdigit())
    return (said.pop() if len(said) == 1 else None), rest


def subsets_of(folders: Sequence[str]) -> list[tuple[Subset, int] | None]:
    """Of each folder (its path) the subset that its outermost telling part names, and the place of that part.

    A part whose name says more, as `dogs_train`, tells only where another beside it says the same of another subset.
    """
    beside: defaultdict[tuple[str, tuple[str, ...]], set[Subset]] = defaultdict(set)
    seen: set[str] = set()
    for folder in folders:
        for parent, name, whole in _parts(folder):
            if whole not in seen:
                seen.add(whole)
                subset, rest = subset_in(name)
                if subset is not None:
                    beside[parent, rest].add(subset)
    # Where no name says test, one that says more, as kaggle_testset, does: at the top, beside a few others.
    tops = {folder.partition("/")[0] for folder in folders}
    plain = {subset for (_, rest), own in beside.items() for subset in own if not rest or len(own) > 1}
    alone = {name for name in tops if len(tops) <= FEW and subset_in(name)[0] in ({"test", "val"} - plain)}
    known: dict[str, Subset | None] = {}

    def telling(parent: str, name: str, whole: str) -> Subset | None:
        if whole not in known:
            subset, rest = subset_in(name)
            tells = not rest or len(beside[parent, rest]) > 1 or whole in alone
            known[whole] = subset if tells else None
        return known[whole]

    found: list[tuple[Subset, int] | None] = []
    for folder in folders:
        told = ((telling(*part), place) for place, part in enumerate(_parts(folder)))
        found.append(next(((subset, place) for subset, place in told if subset is not None), None))
    return found


def _parts(folder: str) -> Iterable[tuple[str, str, str]]:
    """Each part of a path: the folder it lies in, its name, its own path."""
    at = -1
    while at < len(folder) and folder:
        end = folder.find("/", at + 1)
        end = len(folder) if end < 0 else end
        yield folder[: max(at, 0)], folder[at + 1 : end], folder[:end]
        at = end
