"""Hostile patterns and forms: some would run for ever, were they let."""

import functools
import unicodedata

from tests import make
from tests.hostile import Case
from tests.hostile_tables import COUNT, LABELS

FILES = {
    f"train/{label}/{label}_{name}": make.picture(number, 8, 8, 3)
    for number, (name, label) in enumerate(LABELS.items())
}
TRAIN = "train/{label}/*"
DEEP = {
    f"train/{label}/{'a' * 200}{name}": one for (name, label), one in zip(LABELS.items(), FILES.values(), strict=True)
}


def told(train, sentence, files=FILES, **entry):
    return Case(functools.partial(make.zip_of, files), told=sentence, entry={"train": train, **entry})


def handled(train, files=FILES, images=COUNT, rejected=0, **entry):
    settings = {"extract__max_rejected": 0.5}
    packed = functools.partial(make.zip_of, files)
    return Case(packed, images=images, rejected=rejected, settings=settings, entry={"train": train, **entry})


def _good():
    whole = {
        "a name": TRAIN,
        "a name of a file": "train/*/{label}_*",
        "stars": "**/{label}/**",
        "a form": "train/{label:[a-z]+}/*",
        "a name twice": "train/{label}/{label}_*",
        "other names": "{a}/{label}/{b}_{c}",
        "a group": "train/{label}/*_{group}",
        "a folder": "train", "a folder with slashes": "//train//", "dots": "./train/../train", "nothing": "",
        "one dot": ".", "braces in a form": "train/{label:[a-z]{3}}/*", "a brace in a class": "train/{label:[^\\}]+}/*",
        "letters of all": "train/{label:\\p{L}+}/*", "a look ahead": "train/{label:(?=[cd])[a-z]+}/*",
        "spaces": " train /../train", "many stars": "***/{label}/*", "folders of all": "**/**/{label}/**/*",
        "a form that flags": "train/{label:(?i)CAT|DOG}/*",
        "a bracket within a bracket": "train/{label:[[a-z]+}/*",
        "a form that comments": "train/{label:(?#x)[a-z]+}/*",
        "a form that is possessive": "train/{label:[a-z]++}/*",
        "a form that is fuzzy": "train/{label:(?:cut|dig){e<=1}}/*",
    }  # fmt: skip
    for name, pattern in whole.items():
        yield name, handled(pattern)
    yield "a thousand patterns", handled([TRAIN, *(f"{n}/{{label}}/*" for n in range(999))])
    yield "a thousand patterns of stars", handled([TRAIN, *(f"**/{n}/**/{{label}}" for n in range(999))])
    yield "one pattern a thousand times", handled([TRAIN] * 1000)
    yield "a pattern of 1,000 characters", handled([TRAIN, "x" * 1000])
    yield "a pattern of 1,000 characters of stars", handled([TRAIN, "*/" * 500])
    for form in ("NFC", "NFD"):
        folder = unicodedata.normalize(form, "caf\u00e9")
        files = {path.replace("train", folder): one for path, one in FILES.items()}
        for other in ("NFC", "NFD"):
            pattern = unicodedata.normalize(other, "caf\u00e9") + "/{label}/*"
            yield f"a folder in {form}, a pattern in {other}", handled(pattern, files)


def _wrong():
    wrong = {
        "a brace that none closes": ("train/{label", "has a { that no } closes"),
        "a name of nothing": ("train/{}/*", "names '' in braces"),
        "a name with a blank": ("train/{la bel}/*", "in braces"),
        "a name of other letters": ("train/{\u043b}/*", "in braces"),
        "no form": ("train/{label:}/*", "has no form after the colon"),
        "an open bracket": ("train/{label:[}/*", "holds no regular expression"),
        "an open group": ("train/{label:(}/*", "holds no regular expression"),
        "two groups": ("train/{label:a)|(b}/*", "holds no regular expression"),
        "a name of its own": ("train/{label:(?P<label>.)}/*", "names a part within the form"),
        "another's name": ("train/{label:(?P<group>.)..}/*", "names a part within the form"),
        "a part that is not there": ("train/{label:(?P=x)}/*", "holds no regular expression"),
        "a list of its own": ("train/{label:\\L<x>}/*", "holds no regular expression"),
        "a count without end": ("train/{label:a{99999999999999999999}}/*", "more than 50,000 times"),
        "a fold of counts": ("train/{label:(?:(?:a{9999}){9999}){9999}}/*", "more than 50,000 times"),
        "a form that calls itself": ("train/{label:(?R)}/*", "has no picture under"),
        "a form that calls its name": ("train/{label:(?&label)}/*", "holds no regular expression"),
        "thousands of brackets": ("train/{label:" + "(" * 400 + ")" * 400 + "}/*", "holds no regular expression"),
        "1,001 characters": ("x" * 1001, "longer than the 1,000 allowed"),
        "a million characters": ("x" * 10**6, "longer than the 1,000 allowed"),
        "a million stars": ("*" * 10**6, "longer than the 1,000 allowed"),
        "a list of nothing": ([], "an empty list reaches nothing"),
        "a number": (7, "must be"),
        "a record": ({"a": "b"}, "must be"),
        "lists in lists": ([["a"]], "must be"),
        "out of the archive": ("../../train", "has no picture under"),
        "from a drive": ("C:\\train\\*", "has no picture under"),
        "a NUL": ("train/\0", "has no picture under"),
        "two lines": ("train\n/*", "has no picture under"),
        "a question mark": ("train/?at/*", "? and brackets stand for themselves"),
        "brackets": ("train/[cd]*/*", "? and brackets stand for themselves"),
        "a star over folders": ("train*", "`*` now stays within a folder"),
        "a tilde": ("~/train", "has no picture under"),
        "a list in a folder": ("x/@list", "has no picture under"),
    }  # fmt: skip
    for name, (pattern, sentence) in wrong.items():
        yield name, told(pattern, sentence)
    yield "two subsets of one pattern", told(TRAIN, "train and test both name", test=TRAIN)
    yield (
        "two subsets of nearly one pattern",
        told("train/{label}/*", "neither is more particular", test="train/{group}/*"),
    )
    yield "a label of nothing", told("train/{label:x?}cat/*", "training pictures of 1 class (cat)")
    yield "a label that each picture has", told("train/*/{label}", "too few different images")
    yield "a group of all", told("{group}/{label}/*", "in 1 group")
    yield "a group of each class", told("train/{group}/{label}_*", "in 1 group")


def _endless():
    """Forms and wildcards that can match in too many ways: told within seconds, or quick in spite of it."""
    quick, slow = "has no picture under", "in good time"
    ways = {
        "nested repeats": ("train/{label}/{x:(a+)+}b", quick), "nested choices": ("train/{label}/{x:(a|a)*}b", slow),
        "nested classes": ("train/{label}/{x:([a-z]*)*}!", quick),
        "twofold choices": ("train/{label}/{x:(a|aa)+}!", slow),
        "many repeats": ("train/{label}/" + "".join(f"{{x{n}:a*}}" for n in range(4)) + "!", quick),
        "references": ("train/{label}/{x:(a*)*}{y:(?:a*)*}!", quick),
        "fuzzy": ("train/{label}/{x:(?:a+b+){e<=40}}!", slow),
        "sixty stars": ("train/{label}/" + "*a" * 60 + "!", slow), "stars over folders": ("**/a" * 60, quick),
        "sixty names": ("train/{label}/" + "".join(f"{{a{n}}}" for n in range(60)) + "!", slow),
    }  # fmt: skip
    for name, (pattern, sentence) in ways.items():
        yield name, told(pattern, sentence, DEEP)
    table = {"labels.csv": "image,label\n" + "".join(f"{path},{'a' * 40}\n" for path in DEEP)}
    for form in ("{label:(a+)+}b", "{label:(a|a)*}b", "*" * 50 + "{label}b"):
        labels = {"file": "labels.csv", "image": "image", "label": {"column": "label", "form": form}}
        yield (
            f"a form of a column, {form[:20]}",
            told("train", "gives no label of the form", DEEP | table, labels=labels),
        )
    words = {"labels.csv": "image,label\n" + "".join(f"{path},{path[6:9]} {n}\n" for n, path in enumerate(FILES))}

    def column(form):
        return {"file": "labels.csv", "image": "image", "label": {"column": "label", "form": form}}

    yield "the first word of a column", handled("train", FILES | words, labels=column("{label} *"))
    yield (
        "a form that fits no cell",
        told("train", "gives no label of the form", FILES | words, labels=column("{label}!")),
    )
    yield "a form without a label", told("train", "must say where the label stands", FILES | words, labels=column("*"))
    yield "a form with an open brace", told("train", "that no } closes", FILES | words, labels=column("{label"))
    yield (
        "a form of a million characters",
        told("train", "longer than the 1,000 allowed", FILES | words, labels=column("{label}" + "x" * 10**6)),
    )


def cases():
    for part in (_good, _wrong, _endless):
        for name, case in part():
            yield f"pattern: {name}", case
