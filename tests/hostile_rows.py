"""Hostile rows: labels, groups, subsets and lists that contradict one another, and classes that leave nothing."""

from tests import hostile, make
from tests.hostile_tables import COUNT, GOOD, LABELS, NAMED, PICTURES, handled, text, told

GROUPED = NAMED | {"group": "group"}
DIVIDED = NAMED | {"split": "usage"}


def _third(column, value):
    """A table with a third column: the value of each row, by its number and label."""
    rows = [(name, f"{label},{value(number, label)}") for number, (name, label) in enumerate(LABELS.items())]
    return text(rows, f"image,label,{column}")


def _rows():
    yield "a row twice", handled(GOOD + "3.png,cat\n")
    yield "every row twice", handled(GOOD + text(header=""))
    yield "two labels of one picture", told(GOOD + "3.png,dog\n", "gives several labels a picture ('3.png'")
    yield "a label and none of one picture", told(GOOD + "3.png,\n", "gives several labels a picture ('3.png'")
    yield "one picture by two names", handled(GOOD + "pics/3.png,cat\n")
    yield "one picture by two names, of two labels", handled(GOOD + "pics/3.png,dog\n")
    yield "rows without pictures", handled(GOOD + "".join(f"x{n}.png,cat\n" for n in range(5000)))
    yield (
        "rows without pictures alone",
        told(text({f"x{name}": "cat" for name in LABELS}), "no column that names pictures"),
    )
    yield "pictures without rows", handled(text({**dict(list(LABELS.items())[1:])}), images=11, rejected=1)
    yield (
        "pictures without rows, most of them",
        told(text({"0.png": "cat", "7.png": "dog"}), "has no row for it", NAMED),
    )
    yield (
        "pictures without rows, unlabelled elsewhere",
        handled(text(dict(list(LABELS.items())[1:])), images=12, unlabeled="pics"),
    )
    yield "rows of no name", handled(GOOD + ",cat\n,dog\n")
    yield "rows of no label", handled(text(LABELS | {"0.png": ""}), images=11, rejected=1)
    yield "no label at all", told(text(dict.fromkeys(LABELS, "")), "labels.csv gives no label", NAMED)
    yield "one label", told(text(dict.fromkeys(LABELS, "cat")), "training pictures of 1 class (cat)", NAMED)
    yield "each picture its own label", told(text({name: name[:-4] for name in LABELS}), "too few different", NAMED)
    yield "labels that differ in blanks", handled(text({n: f" {v}" if n == "1.png" else v for n, v in LABELS.items()}))
    two = PICTURES | {f"more/{path}": make.picture(50 + n, 8, 8, 3) for n, path in enumerate(PICTURES)}
    yield "rows that name two pictures each", told(two | {"labels.csv": GOOD}, "names two pictures", train=".")
    yield "the column of images as label", told(GOOD, "too few different", NAMED | {"label": "image"})
    yield (
        "the column of labels as images",
        told(GOOD, "several labels a picture", {**NAMED, "image": "label", "label": "image"}),
    )
    for key in ("image", "label"):
        yield f"a column {key} that is not there", told(GOOD, "has no column 'odd'", NAMED | {key: "odd"})
    yield "columns by numbers beyond the last", told(GOOD, "by number, 0 to 1", {**NAMED, "image": 0, "label": 2})
    yield "a column of a negative number", told(GOOD, "greater than or equal to 0", {**NAMED, "image": 0, "label": -1})
    yield "a column of an endless number", told(GOOD, "has no column", {**NAMED, "image": 0, "label": 10**30})
    yield "columns by name and number", told(GOOD, "by name or by number", {**NAMED, "label": 1})
    yield "columns by number of a table with a header", handled(GOOD, {**NAMED, "image": 0, "label": 1})
    yield "no columns of a label", told(GOOD, "at least 1 item", NAMED | {"label": []})
    yield (
        "a column twice of a label",
        told(
            _third("cat", lambda n, v: int(v == "cat")),
            "label names one column twice",
            NAMED | {"label": ["cat", "cat"]},
        ),
    )
    one_hot = {name: f"{int(label == 'cat')},{int(label == 'dog')}" for name, label in LABELS.items()}
    both = NAMED | {"label": ["cat", "dog"]}
    yield "a column for each class", handled(text(one_hot, "image,cat,dog"), both)
    yield "several columns set", told(text(one_hot | {"3.png": "1,1"}, "image,cat,dog"), "(line 5: cat, dog)", both)
    yield "no column set", handled(text(one_hot | {"3.png": "0,0"}, "image,cat,dog"), both, images=11, rejected=1)
    yield (
        "a column set to -1, which is not set",
        handled(text(one_hot | {"3.png": "-1,0"}, "image,cat,dog"), both, images=11, rejected=1),
    )
    for value in ("2", "0.7", "cat", "nan", "1e0"):
        rows = text(one_hot | {"3.png": f"{value},0"}, "image,cat,dog")
        yield f"a column set to {value}", told(rows, f"holds '{value}' in line 5", both)


def _groups():
    yield "one group of all", told(_third("group", lambda n, v: "all"), "in 1 group", GROUPED)
    yield "one group of each class", told(_third("group", lambda n, v: v), "in 1 group", GROUPED)
    yield "a group of each picture", handled(_third("group", lambda n, v: n), GROUPED)
    yield "no group at all", handled(_third("group", lambda n, v: ""), GROUPED)
    yield "groups of 60,000 characters", handled(_third("group", lambda n, v: f"{n}" * 30_000), GROUPED)
    yield "groups of one beginning", handled(_third("group", lambda n, v: f"{'g' * 9000}{n}"), GROUPED)
    yield (
        "two groups of one picture",
        told(_third("group", lambda n, v: n) + "3.png,cat,9\n", "several groups", GROUPED),
    )
    yield "groups that chain two classes", told(_third("group", lambda n, v: n % 2), "in 2 groups", GROUPED)
    yield "the label as group", told(GOOD, "in 1 group", NAMED | {"group": "label"})
    yield "the image as group", handled(GOOD, NAMED | {"group": "image"})
    yield "a group that is not there", told(GOOD, "has no column 'patient'", NAMED | {"group": "patient"})
    for mark in ("\u2028", "=1+1", "nan", "\u202e", "\x1b[31m"):
        yield f"groups that begin with {mark!r}", handled(_third("group", lambda n, v, m=mark: f"{m}{n}"), GROUPED)
    split = _third("usage", lambda n, v: ["train", "val", "test"][n % 3])
    yield "subsets in a column", handled(split, DIVIDED)
    yield "subsets of a strange word", told(split.replace("val", "odd"), "'odd' is none of the usual words", DIVIDED)
    yield "subsets of no word", handled(split.replace("3.png,cat,train", "3.png,cat,"), DIVIDED, images=11)
    yield "no subset to train on", told(split.replace("train", "test"), "picture to train on", DIVIDED)
    yield (
        "a subset given to two",
        told(
            split,
            "gives 'val' of labels.csv to val and to test",
            DIVIDED | {"splits": {"val": ["val"], "test": ["val"]}},
        ),
    )
    yield "subsets of no row", told(split, "splits names no value", DIVIDED | {"splits": {"train": ["odd"]}})
    yield "subsets of nothing", told(split, "splits", DIVIDED | {"splits": {}})
    yield "subsets of an empty list", told(split, "splits names no value", DIVIDED | {"splits": {"train": []}})
    yield (
        "subsets without their column",
        told(split, "no split names their column", NAMED | {"splits": {"train": ["x"]}}),
    )
    yield "two subsets of one picture", told(split + "3.png,cat,val\n", "several subsets", DIVIDED)
    long = {"splits": {"train": ["train", "x" * 60_000], "val": ["val"], "test": ["test"]}}
    yield "a subset of 60,000 characters", handled(split, DIVIDED | long)


def _classes():
    wanted = {
        "unnamed": ({"bird": "x"}, "has no such label"),
        "all dropped": ({"cat": None, "dog": None}, "training pictures of 0 classes"),
        "one dropped": ({"cat": None}, "training pictures of 1 class (dog)"),
        "joined into one": ({"cat": "pet", "dog": "pet"}, "training pictures of 1 class (pet)"),
        "of no name": ({"cat": ""}, "must be text of at least 1 character"),
        "of a name with a NUL": ({"cat": "\0dog"}, "must be text of the form"),
        "a number": ({"cat": 1}, "must be"),
        "a list": (["cat"], "must be"),
    }
    for name, (classes, sentence) in wanted.items():
        yield f"classes: {name}", told(GOOD, sentence, classes=classes)
    yield "classes: exchanged", handled(GOOD, classes={"cat": "dog", "dog": "cat"})
    yield "classes: of 60,000 characters", handled(GOOD, classes={"cat": "c" * 60_000})
    yield "classes: a label of 60,000 characters", told(GOOD, "has no such label", classes={"c" * 60_000: "x"})
    yield (
        "classes: of the same name in two forms",
        told(GOOD, "training pictures of 1 class", classes={"cat": "caf\u00e9", "dog": "cafe\u0301"}),
    )
    yield "min_images: more than there are", told(GOOD, "leaves training pictures of 0 classes", min_images=10**12)
    yield "min_images: none", told(GOOD, "must be", min_images=0)
    yield "min_images: all of them", handled(GOOD, min_images=6)


def _tables():
    def both(*files):
        return [{"file": file, "image": "image", "label": "label"} for file in files]

    other = text(dict.fromkeys(LABELS, "bird"))
    yield "two tables that contradict each other", handled({"a.csv": GOOD, "b.csv": other}, both("a.csv", "b.csv"))
    yield "a table twice", handled(GOOD, ["labels.csv", "labels.csv"])
    yield "no tables", told(GOOD, "it lies in no class folder", [])
    yield "a hundred tables", handled({f"{n}.csv": GOOD for n in range(100)}, both(*(f"{n}.csv" for n in range(100))))
    near = {
        "pics/labels.csv": text({n: "dog" if v == "cat" else "cat" for n, v in LABELS.items()}),
        "labels.csv": other,
    }
    yield "a table nearer than another", handled(near, both("labels.csv", "pics/labels.csv"))
    names = "\n".join(LABELS)
    lists = {"train": ["pics/*", "@list.txt"]}
    yield "a list", handled({"list.txt": names, "labels.csv": GOOD}, NAMED, **lists)
    yield (
        "a list that names itself",
        handled({"list.txt": f"list.txt\n@list.txt\n{names}", "labels.csv": GOOD}, NAMED, **lists),
    )
    yield (
        "lists that name each other",
        handled(
            {"list.txt": f"@b.txt\nb.txt\n{names}", "b.txt": "@list.txt\nlist.txt\n0.png", "labels.csv": GOOD},
            NAMED,
            **lists,
        ),
    )
    yield "a list as table and list", told({"list.txt": names}, "label", "list.txt", **lists)
    yield "a list of nothing", told({"list.txt": ""}, "list.txt is empty", None, **lists)
    yield "a list of comments", told({"list.txt": "# a\n# b\n"}, "list.txt is empty", None, **lists)
    yield "a list of other files", told({"list.txt": "a\nb\nc\n"}, "no column that names pictures", None, **lists)
    yield (
        "a list of folders out of the archive",
        told({"list.txt": "../../x\n/etc/passwd\n"}, "no column that", None, **lists),
    )
    yield "a list that is not there", told({}, "holds no such file", None, **lists)
    yield "a list of one name", told({"list.txt": "@", "labels.csv": GOOD}, "names no file", train="@")
    yield "a picture as a list", told({}, "holds a NUL byte", None, train=["pics/*", "@pics/0.png"])
    two = {"train": ["pics/*", "@list.txt"], "test": "@b.txt"}
    yield (
        "two lists with one picture",
        told(
            {"list.txt": names, "b.txt": "3.png\n", "labels.csv": GOOD},
            "in the list of train and in that of test",
            NAMED,
            **two,
        ),
    )
    yield (
        "two lists of the same pictures",
        told(
            {"list.txt": names, "b.txt": names, "labels.csv": GOOD},
            "in the list of train and in that of test",
            NAMED,
            **two,
        ),
    )
    yield (
        "one list of two subsets",
        told({"list.txt": names, "labels.csv": GOOD}, "in that of test", NAMED, train="@list.txt", test="@list.txt"),
    )
    yield (
        "a list of a name of 60,000 characters",
        handled({"list.txt": f"{'n' * 60_000}\n{names}", "labels.csv": GOOD}, NAMED, **lists),
    )
    yield (
        "a list of 300,000 names",
        handled(
            {"list.txt": names + "".join(f"\nx{n}.png" for n in range(300_000)), "labels.csv": GOOD}, NAMED, **lists
        ),
    )
    linked = hostile.linked(PICTURES | {"b.txt": names, "labels.csv": GOOD}, "list.txt", "b.txt")
    yield (
        "a list that a link is",
        hostile.Case(lambda: linked, told="list.txt cannot be read: it is a link", entry=lists | {"labels": NAMED}),
    )


def cases():
    for part in (_rows, _groups, _classes, _tables):
        for name, case in part():
            yield f"rows: {name}", case


assert len(LABELS) == COUNT
