import pytest

from darkroom.base.errors import UserError
from darkroom.config import catalogue
from darkroom.config.catalogue import LabelTable
from darkroom.config.yaml_files import dump, read_yaml
from tests import make
from tests.conftest import ROOT

NAMES = list(read_yaml(ROOT / "datasets.yaml"))


def refusal(tmp_path, **changes):
    settings = {"path": "a.zip", "train": "train", "channels": 1, "image_size": 8} | changes
    content = {"mine": {key: value for key, value in settings.items() if value is not ...}}
    path = tmp_path / "datasets.yaml"
    path.write_text(dump(content), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        catalogue.load("mine", path)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(tmp_path) + "/")


def test_the_catalogue_ships_the_promised_entries():
    assert {"digits", "mnist", "fashion_mnist", "cifar10", "eurosat"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_shipped_entry_is_valid_and_licensed(name):
    entry = catalogue.load(name, ROOT / "datasets.yaml")
    assert entry.license
    assert entry.title


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"path": ...},
            "datasets.yaml: mine: exactly one of bundled, kaggle, competition, huggingface, url, path must say",
        ),
        ({"url": "https://a.org/b.zip"}, "not url and path"),
        ({"path": None}, "not none of them"),
        ({"path": ..., "bundled": "flowers"}, "datasets.yaml: mine.bundled is 'flowers', but must be 'digits'"),
        ({"path": ..., "kaggle": "mnist"}, "mine.kaggle: 'mnist' must have the form owner/slug or owner/slug/version"),
        ({"path": ..., "kaggle": "a/b/c"}, "'a/b/c' must have the form"),
        ({"path": ..., "kaggle": "a/b/1/2"}, "'a/b/1/2' must have the form"),
        ({"path": ..., "kaggle": "a/b\n"}, "must have the form"),
        ({"path": ..., "kaggle": "a b/c"}, "'a b/c' must have the form"),
        ({"path": ..., "url": "ftp://a.org/b.zip"}, "'ftp://a.org/b.zip' must begin with http:// or https://"),
        ({"path": ..., "url": "https://a.org"}, "must begin with http:// or https:// and name a file"),
        ({"path": ..., "url": "http://[/a.zip"}, "datasets.yaml: mine.url: Invalid IPv6 URL"),
        ({"path": ..., "url": "https://a.org/%0a.zip"}, "'https://a.org/%0a.zip' holds a control character"),
        (
            {"path": ..., "url": "https://www.kaggle.com/datasets/a/b/versions/3"},
            "mine.url: 'https://www.kaggle.com/datasets/a/b/versions/3' is a page: write `kaggle: a/b/3` for it",
        ),
        ({"path": ..., "url": "https://www.kaggle.com/c/dog/data"}, "is a page: write `competition: dog` for it"),
        ({"path": ..., "url": "https://hf.co/datasets/a/b"}, "is a page: write `huggingface: a/b` for it"),
        ({"path": ..., "kaggle": "https://www.kaggle.com/c/dog"}, "is a page: write `competition: dog` for it"),
        ({"path": ..., "competition": "https://kaggle.com/c/dog"}, "mine.competition: 'https://kaggle.com/c/dog' is a"),
        ({"path": ..., "competition": "a/b"}, "mine.competition: 'a/b' must be the last part of the competition's"),
        ({"path": ..., "competition": ["a"]}, "mine.competition is ['a'], but must be string"),
        ({"path": ..., "huggingface": "mnist"}, "mine.huggingface: 'mnist' must have the form owner/name@commit"),
        ({"path": ..., "huggingface": "a/b@"}, "'a/b@' must have the form owner/name@commit"),
        ({"path": ..., "url": ["https://a.org/b.zip", "b.zip"]}, "mine.url.1: 'b.zip' must begin with http:// or"),
        ({"path": ..., "url": []}, "mine.url: an empty list names no archive: name one"),
        ({"path": []}, "mine.path: an empty list names no archive"),
        ({"path": ["a.zip", ""]}, "mine.path.1 is '', but must be text of at least 1 character"),
        ({"path": ["a.zip", 5]}, "mine.path.1 is 5, but must be string"),
        ({"path": ["a.zip", ["b.zip"]]}, "mine.path.1 is ['b.zip'], but must be string"),
        ({"path": 5}, "mine.path is 5, but must be string or list"),
        ({"path": ["a.zip"], "url": ["https://a.org/b.zip"]}, "not url and path"),
        ({"path": ""}, "datasets.yaml: mine.path is '', but must be text of at least 1 character"),
        ({"sha256": "abc"}, "datasets.yaml: mine.sha256 is 'abc', but must "),
        ({"sha256": "A" * 64}, "datasets.yaml: mine.sha256 is 'AAA"),
        ({"image_size": 0}, "datasets.yaml: mine.image_size is 0, but must be greater than or equal to 1"),
        ({"image_size": 5000}, "datasets.yaml: mine.image_size is 5000, but must be less than or equal to 4096"),
        ({"image_size": "28"}, "datasets.yaml: mine.image_size is '28', but must be integer or list"),
        ({"image_size": [28]}, "datasets.yaml: mine.image_size: [28] must be one number, or [height, width]"),
        ({"image_size": [28, 0]}, "datasets.yaml: mine.image_size.1 is 0, but must be greater"),
        ({"image_size": []}, "must be one number, or [height, width]"),
        ({"channels": 4}, "datasets.yaml: mine.channels is 4, but must be 1 or 3"),
        ({"channels": "1"}, "datasets.yaml: mine.channels is '1', but must be 1 or 3"),
        ({"train": ...}, "datasets.yaml: mine.train is missing: add it"),
        ({"trian": "x"}, "datasets.yaml: mine.trian is not a known key: did you mean train?"),
        ({"classes": {0: "zero"}}, "datasets.yaml: mine.classes.0 is 0, but must be string"),
        ({"classes": {"0": 0}}, "datasets.yaml: mine.classes is 0, but must be string"),
        ({"classes": {"0": ""}}, "datasets.yaml: mine.classes is '', but must be text of at least 1 character"),
        ({"test": "/train/"}, "mine: train and test both name 'train', but an image belongs to one of them"),
        ({"unlabeled": "train"}, "mine: train and unlabeled both name 'train'"),
        ({"test": "e\u0301", "unlabeled": "\u00e9"}, "mine: test and unlabeled both name"),
        ({"train": ["a", "b"], "test": ["c", "b/"]}, "mine: train and test both name 'b'"),
        ({"unlabeled": "train", "test": "train", "labels": "a.csv"}, "mine: train and test both name 'train'"),
        ({"train": []}, "mine.train: an empty list reaches nothing: name a folder, or leave the key out"),
        ({"train": 5}, "mine.train is 5, but must be string or list"),
        ({"train": ["a", 5]}, "but must be string"),
        ({"train": "@"}, "mine.train: '@' names no file: write @ and the path of a list inside the archive"),
        ({"train": "{label"}, "mine.train: '{label' has a { that no } closes"),
        ({"val": ["a", "{label:[}/*"]}, "mine.val: '{label:[}/*' holds no regular expression after its colon"),
        ({"min_images": 0}, "mine.min_images is 0, but must be greater than or equal to 1"),
        ({"resize": "stretch"}, "mine.resize is 'stretch', but must be 'squash', 'crop' or 'pad'"),
        ({"range": [5, 5]}, "mine.range: [5, 5] must be [lowest, highest], as in [0, 4095] for 12 of 16 bits"),
        ({"range": [0, 70000]}, "but must be less than or equal to 65535"),
        ({"range": [0]}, "mine.range: [0] must be [lowest, highest]"),
        ({"range": []}, "mine.range: [] must be [lowest, highest]"),
        ({"labels": {"image": "id"}}, "mine.labels.file is missing: add it"),
        ({"labels": {"file": "a.csv", "group_": "b"}}, "mine.labels.group_ is not a known key: did you mean group?"),
        ({"labels": [{"fil": "a.csv"}]}, "mine.labels.0.fil is not a known key: did you mean file?"),
        ({"labels": 5}, "mine.labels is 5, but must be string or dictionary or list"),
        ({"labels": {"file": "a.csv", "label": {"column": "a"}}}, "mine.labels.label.form is missing: add it"),
        ({"labels": {"file": "a.csv", "label": 1.5}}, "mine.labels.label is 1.5, but must be string or integer or"),
        ({"labels": {"file": "a.csv", "splits": {"val": [1]}}}, "but no split names their column"),
        (
            {"labels": {"file": "a.csv", "split": "s", "splits": {"dev": [1]}}},
            "mine.labels.splits is 'dev', but must be 'train', 'val'",
        ),
        ({"labels": {"file": "a.csv", "image": 0, "label": "b"}}, "columns are given by name or by number, not some"),
        ({"labels": {"file": "a.csv", "image": -1}}, "mine.labels.image is -1, but must be"),
        ({"labels": {"file": "a.csv", "label": {"column": "a", "form": "x"}}}, "must say where the label stands"),
        ({"submission": {"id": "Id"}}, "datasets.yaml: mine.submission.label is missing: add it"),
        ({"submission": {"id": "a", "label": "a"}}, "id and label are both 'a', but must name two columns"),
        ({"submission": {"id": "a", "label": "b", "id_from": "x"}}, "mine.submission.id_from is 'x', but must be"),
    ],
)
def test_a_bad_entry_names_key_and_remedy(tmp_path, changes, says):
    assert says in refusal(tmp_path, **changes)


@pytest.mark.parametrize("kaggle", ["a/b", "scolianni/mnistasjpg", "a-1/b_2.c", "a/b/12"])
def test_a_kaggle_slug_is_accepted(kaggle):
    assert make.entry(path=None, kaggle=kaggle).kaggle == kaggle


@pytest.mark.parametrize("content", [None, 5, [], "text"])
def test_an_entry_that_is_no_mapping_is_named(tmp_path, content):
    path = tmp_path / "datasets.yaml"
    path.write_text(dump({"mine": content}), encoding="utf-8")
    with pytest.raises(UserError, match=r"datasets.yaml: mine is .*, but must be "):
        catalogue.load("mine", path)


def test_a_mistake_in_another_entry_does_not_matter(tmp_path):
    path = tmp_path / "datasets.yaml"
    good = {"path": "a.zip", "train": "t", "channels": 1, "image_size": 8}
    path.write_text(dump({"mine": good, "other": {"nonsense": 1}}), encoding="utf-8")
    assert catalogue.load("mine", path).train == "t"


@pytest.mark.parametrize(("size", "shape"), [(28, (28, 28, 3)), ([20, 30], (20, 30, 3))])
def test_shape_is_height_width_channels(size, shape):
    assert make.entry(image_size=size, channels=3).shape == shape


def test_one_folder_in_two_spellings_is_one_folder():
    with pytest.raises(ValueError, match=r"train and test both name '\.'"):
        make.entry(train="", test=".")
    assert [str(one) for one in make.entry(train="./a//b/").patterns["train"]] == ["a/b"]


def test_a_subset_is_a_pattern_a_list_of_patterns_or_a_list_of_names():
    entry = make.entry(train=["a/{label}_*", "@lists/train.txt"], val=["v", "w"], test="@lists/test.txt")
    assert {subset: [str(one) for one in own] for subset, own in entry.patterns.items()} == {
        "train": ["a/{label}_*"],
        "val": ["v", "w"],
        "test": [],
    }
    assert entry.lists == {"train": ["lists/train.txt"], "val": [], "test": ["lists/test.txt"]}


@pytest.mark.parametrize(
    "changes",
    [
        {"train": "images", "unlabeled": "images", "labels": "labels.csv"},
        {"train": ["images/{label}_*", "@train.txt"], "test": ["images/{label}_*", "@test.txt"]},
    ],
)
def test_one_pattern_may_stand_in_two_subsets_that_something_else_tells_apart(changes):
    assert make.entry(**changes).patterns


def test_tables_of_labels_come_in_three_forms():
    full = {"file": "b.csv", "image": "id", "label": "dx", "group": "patient"}
    assert make.entry().tables == []
    assert [one.file for one in make.entry(labels="a.csv").tables] == ["a.csv"]
    assert make.entry(labels=full).tables[0].group == "patient"
    assert [one.file for one in make.entry(labels=["a.csv", full]).tables] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("columns", "answer"),
    [
        ({}, True),
        ({"image": "id", "label": "dx"}, True),
        ({"image": 0, "label": 1}, False),
        ({"label": [1, 2]}, False),
        ({"label": ["MEL", "NV"]}, True),
        ({"label": {"column": 2, "form": "{label} *"}}, False),
        ({"group": 0}, False),
    ],
)
def test_columns_by_number_say_that_a_table_has_no_header(columns, answer):
    assert LabelTable(file="a.csv", **columns).has_header is answer


def test_classes_may_be_merged_and_dropped():
    entry = make.entry(classes={"cat": "pet", "dog": "pet", "junk": None})
    assert entry.classes == {"cat": "pet", "dog": "pet", "junk": None}
    assert make.entry().min_images == 1


def test_a_range_of_stored_values_is_two_ascending_levels():
    assert make.entry(range=[0, 4095]).range == [0, 4095]
