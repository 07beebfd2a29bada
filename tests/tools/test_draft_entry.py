"""Drafts of made archives: what is understood, what is asked, what is refused."""

import json

import pytest

from darkroom.base.errors import UserError
from tests.tools.drafting import FACTS, OTHER, PICTURE, drafted, pictures, table, with_tables

FLAT = [f"images/{number}.png" for number in range(12)]
ROWS = [f"{number}.png,{'cat' if number % 2 else 'dog'}" for number in range(12)]

# Of each layout: the files, and the keys of the entry beside those of the pictures.
UNDERSTOOD = {
    "folders of classes": (pictures("data/cat", "data/dog"), {"train": "data"}),
    "folders of classes at the top": (pictures("cat", "dog"), {"train": "{label}/*"}),
    "train, valid, test": (
        pictures("set/train/cat", "set/train/dog", "set/valid/cat", "set/valid/dog", "set/test/cat", "set/test/dog"),
        {"train": "set/train", "val": "set/valid", "test": "set/test"},
    ),
    "subsets below classes": (
        pictures("cat/train", "cat/test", "dog/train", "dog/test"),
        {"train": "{label}/train/*", "test": "{label}/test/*"},
    ),
    "subsets with the set's name": (
        pictures("asl_train/asl_train/A", "asl_train/asl_train/B", "asl_test/asl_test/A", "asl_test/asl_test/B"),
        {"train": "asl_train/asl_train", "test": "asl_test/asl_test"},
    ),
    "a test without labels": (
        pictures("train/cat", "train/dog") + pictures("test", name="x{}.png"),
        {"train": "train", "unlabeled": "test"},
    ),
    "a test whose names are classes": (
        [*pictures("train/A", "train/B"), "test/A_test.png", "test/B_test.png"],
        {"train": "train", "test": "test/{label}_*.png"},
    ),
    "classes below parts": (pictures("part1/cat", "part1/dog", "part2/cat", "part2/dog"), {"train": "part*/{label}/*"}),
    "classes are digits": (pictures("train/0", "train/1", "train/2"), {"train": "train"}),
    "a number after each class": (
        pictures("", name="pics/cat-{}.png") + pictures("", name="pics/dog-{}.png"),
        {"train": "pics/{label}-*.png"},
    ),
    "classes and numbers without a sign between": (
        pictures("", name="pics/cat{}.png") + pictures("", name="pics/dog{}.png"),
        {"train": "pics/{label:\\D*[^\\d _.-]}*.png"},
    ),
    "spaces and Unicode": (pictures("Früchte/äpfel rot", "Früchte/梨"), {"train": "Früchte"}),
    "images inside classes, masks beside them": (
        pictures("set/cat/images", "set/cat/masks", "set/dog/images", "set/dog/masks"),
        {"train": "set/{label}/images/*"},
    ),
    "a table": (
        with_tables(FLAT, labels_csv=table(ROWS, "image,label")),
        {"train": "images", "labels": {"file": "labels.csv", "image": "image", "label": "label"}},
    ),
    "a table of ids": (
        with_tables(FLAT, labels_csv=table([row.replace(".png", "") for row in ROWS], "id,species")),
        {"train": "images", "labels": {"file": "labels.csv", "image": "id", "label": "species"}},
    ),
    "a table of Windows paths": (
        with_tables(FLAT, labels_csv=table(["images\\" + row for row in ROWS], "path,class")),
        {"train": "images", "labels": {"file": "labels.csv", "image": "path", "label": "class"}},
    ),
    "a table without a header": (
        with_tables(FLAT, labels_csv=table(ROWS[1:], ROWS[0])),
        {"train": "images", "labels": {"file": "labels.csv", "image": 0, "label": 1}},
    ),
    "a table of groups": (
        with_tables(FLAT, labels_csv=table([f"{row},p{at // 3},{20 + at}" for at, row in enumerate(ROWS)],
                                           "image,label,patient_id,age")),
        {"train": "images",
         "labels": {"file": "labels.csv", "image": "image", "label": "label", "group": "patient_id"}},
    ),
    "a column of subsets": (
        with_tables(FLAT, labels_csv=table([f"{row},{'train' if at < 8 else 'test'}" for at, row in enumerate(ROWS)],
                                           "image,label,split")),
        {"train": "images", "labels": {"file": "labels.csv", "image": "image", "label": "label", "split": "split"}},
    ),
    "columns of which one is 1": (
        with_tables(FLAT, _classes_csv=table([f"{at}.png, {at % 2}, {1 - at % 2}" for at in range(12)],
                                             "filename, cat, dog")),
        {"train": "images", "labels": {"file": "_classes.csv", "image": "filename", "label": ["cat", "dog"]}},
    ),
    "train.csv, test.csv, one folder": (
        with_tables(FLAT, train_csv=table(ROWS[:8], "image,label"),
                    test_csv=table([row.partition(",")[0] for row in ROWS[8:]], "image"),
                    sample_submission_csv=table(ROWS[8:], "image,label")),
        {"train": "images", "unlabeled": "images", "submission": "sample_submission.csv",
         "labels": {"file": "train.csv", "image": "image", "label": "label"}},
    ),
    "tables by subset": (
        with_tables(pictures("train") + pictures("test", name="t{}.png"),
                    train_labels_csv=table([f"{at}.png,{'ab'[at % 2]}" for at in range(6)], "image,label"),
                    test_labels_csv=table([f"t{at}.png,{'ab'[at % 2]}" for at in range(6)], "image,label")),
        {"train": "train", "test": "test",
         "labels": [{"file": "train_labels.csv", "image": "image", "label": "label"},
                    {"file": "test_labels.csv", "image": "image", "label": "label"}]},
    ),
    "lists of names": (
        with_tables(pictures("images/cat", "images/dog"),
                    meta__train_txt="\n".join(f"{c}/{n}" for c in ("cat", "dog") for n in range(4)),
                    meta__test_txt="\n".join(f"{c}/{n}" for c in ("cat", "dog") for n in (4, 5))),
        {"train": ["images", "@meta/train.txt"], "test": "@meta/test.txt"},
    ),
    "JSON lines beside the pictures": (
        dict.fromkeys(pictures("train")) | {
            "train/metadata.jsonl": "\n".join(
                json.dumps({"file_name": f"{n}.png", "label": "ab"[n % 2]}) for n in range(6))
        },
        {"train": "train", "labels": {"file": "train/metadata.jsonl", "image": "file_name", "label": "label"}},
    ),
    "COCO of one object a picture": (
        dict.fromkeys(FLAT) | {"annotations.json": json.dumps({
            "images": [{"id": n, "file_name": f"{n}.png"} for n in range(12)],
            "annotations": [{"image_id": n, "category_id": n % 2} for n in range(12)],
            "categories": [{"id": 0, "name": "cat"}, {"id": 1, "name": "dog"}]})},
        {"train": "images", "labels": {"file": "annotations.json", "image": "file_name", "label": "category"}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDERSTOOD)
def test_understands(name, tmp_path):
    files, expected = UNDERSTOOD[name]
    found = drafted(tmp_path, files)
    assert found.entry == {**expected, **FACTS}
    assert not found.questions


ASKED = {
    "two levels of folders": (
        pictures("dog/husky", "dog/poodle", "cat/siam"),
        {"label": {"level2": "{label}", "level1": "{label}"}},
    ),
    "versions of one set": (pictures("set/color/a", "set/color/b", "set/grayscale/a", "set/grayscale/b"), {"copies"}),
    "two columns of labels": (
        with_tables(FLAT, labels_csv=table([f"{row},{'xyz'[at % 3]}" for at, row in enumerate(ROWS)],
                                           "image,breed,species")),
        {"label"},
    ),
    "names that begin alike": (
        pictures("data/ill", name="p{0}_left.png") + pictures("data/ill", name="p{0}_right.png")
        + pictures("data/well", name="q{0}_left.png") + pictures("data/well", name="q{0}_right.png"),
        {"group"},
    ),
    "classes too small to divide": ([*pictures("data/a", "data/b"), "data/c/1.png"], {"small"}),
    "one class to learn from": (pictures("train/good", "test/good", "test/bad"), {"test"}),
}  # fmt: skip


@pytest.mark.parametrize("name", ASKED)
def test_asks(name, tmp_path):
    files, expected = ASKED[name]
    content = {path: OTHER if "gray" in path else PICTURE for path in files} if isinstance(files, list) else files
    found = drafted(tmp_path, content)
    assert {question.name for question in found.questions} == set(expected)
    for question in found.questions:
        for choice in question.choices:
            answered = drafted(tmp_path, content, {question.name: choice.word})
            assert question.name not in {one.name for one in answered.questions}
            assert (answered.entry == found.entry) == (choice is question.choices[0])


REFUSED = {
    "no pictures": ({"a.docx": "x"}, "holds no pictures that can be read: its files are 1 of .docx"),
    "no labels": (pictures("photos", name="IMG_{}.png"), "have no labels"),
    "one class": (pictures("data/cat"), "one class"),
    "subsets with the set's name, and no classes": (
        pictures("cars_train/cars_train", "cars_test/cars_test"),
        "no labels",
    ),
    "several labels a picture": (
        with_tables(
            FLAT, labels_csv=table([f"{at}.png,{'a|b' if at % 3 else 'b|c'}" for at in range(12)], "image,labels")
        ),
        "several labels a picture",
    ),
    "numbers": (
        with_tables(FLAT, labels_csv=table([f"{at}.png,{at * 1.37}" for at in range(12)], "image,score")),
        "numbers, not classes",
    ),
    "several columns of which some are 1": (
        with_tables(FLAT, labels_csv=table([f"{at}.png,1,{at % 2},{at % 3 // 2}" for at in range(12)], "image,a,b,c")),
        "several labels a picture",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name, tmp_path):
    files, message = REFUSED[name]
    with pytest.raises(UserError, match=message):
        drafted(tmp_path, files)
