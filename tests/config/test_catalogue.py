import unicodedata

import pytest

from darkroom.base.errors import UserError
from darkroom.config import catalogue
from darkroom.config.catalogue import Layout, Place
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
        ({"path": ...}, "datasets.yaml: mine: exactly one of bundled, kaggle, url, path must say where"),
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
        ({"path": ""}, "datasets.yaml: mine.path is '', but must be text of at least 1 character"),
        ({"sha256": "abc"}, "datasets.yaml: mine.sha256 is 'abc', but must "),
        ({"sha256": "A" * 64}, "datasets.yaml: mine.sha256 is 'AAA"),
        ({"image_size": 0}, "datasets.yaml: mine.image_size is 0, but must be greater than or equal to 1"),
        ({"image_size": 5000}, "datasets.yaml: mine.image_size is 5000, but must be less than or equal to 4096"),
        ({"image_size": "28"}, "datasets.yaml: mine.image_size is '28', but must be integer or list"),
        ({"image_size": [28]}, "datasets.yaml: mine.image_size: [28] must be one number, or [height, width]"),
        ({"image_size": [28, 0]}, "datasets.yaml: mine.image_size is [28, 0], but must be "),
        ({"image_size": []}, "must be one number, or [height, width]"),
        ({"channels": 4}, "datasets.yaml: mine.channels is 4, but must be 1 or 3"),
        ({"channels": "1"}, "datasets.yaml: mine.channels is '1', but must be 1 or 3"),
        ({"train": ...}, "datasets.yaml: mine.train is missing: add it"),
        ({"trian": "x"}, "datasets.yaml: mine.trian is not a known key: did you mean train?"),
        ({"classes": {0: "zero"}}, "datasets.yaml: mine.classes.0 is 0, but must be string"),
        ({"classes": {"0": 0}}, "datasets.yaml: mine.classes is 0, but must be string"),
        ({"classes": {"0": "a", "1": "a"}}, "two labels under `classes` have the same name"),
        ({"test": "/train/"}, "mine: train and test both name 'train', but an image belongs to one of them"),
        ({"unlabeled": "train"}, "mine: train and unlabeled both name 'train'"),
        ({"test": "e\u0301", "unlabeled": "\u00e9"}, "mine: test and unlabeled both name"),
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


FOLDERS = {"train": "data/train", "test": "data/test/", "unlabeled": "/data/more"}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("data/train/cat/1.png", Place("train", "cat")),
        ("data/train/cat/deep/1.png", Place("train", "deep")),
        ("data/test/dog/1.png", Place("test", "dog")),
        ("data/more/1.png", Place("unlabeled", None)),
        ("data/more/cat/1.png", Place("unlabeled", None)),
        ("data/train/1.png", Place("train", None)),
        ("data/trainer/cat/1.png", None),
        ("data/cat/1.png", None),
        ("x/data/train/cat/1.png", None),
        ("1.png", None),
    ],
)
def test_a_folder_stands_for_all_that_is_below_it(path, place):
    layout = Layout(make.entry(**FOLDERS))
    assert layout.place(path) == place
    assert layout.place(path) == place  # from the cache of folders


@pytest.mark.parametrize(
    ("pattern", "path", "place"),
    [
        ("*", "a/b/1.png", Place("train", "b")),
        ("*", "1.png", Place("train", None)),
        ("data/*_train/*", "data/x_train/cat/1.png", Place("train", "cat")),
        ("data/*.png", "data/a/b/1.png", Place("train", "b")),
        ("data/*.png", "data/a/b/1.jpg", None),
        ("data/*.png", "other/1.png", None),
        ("fold[12]/*", "fold2/cat/1.png", Place("train", "cat")),
        ("fold[12]/*", "fold3/cat/1.png", None),
        ("set?/*", "set1/cat/1.png", Place("train", "cat")),
        ("*.png", "a\nb/1.png", Place("train", "a\nb")),
        (".", "cat/1.png", Place("train", "cat")),
        (".", "a/cat/1.png", Place("train", "cat")),
        (".", "1.png", Place("train", None)),
        (".", "a\nb/1.png", Place("train", "a\nb")),
        ("a.b", "a.b/cat/1.png", Place("train", "cat")),
        ("a.b", "axb/cat/1.png", None),
        ("a (1)+", "a (1)+/cat/1.png", Place("train", "cat")),
    ],
)
def test_a_pattern_is_a_folder_or_a_glob(pattern, path, place):
    assert Layout(make.entry(train=pattern)).place(path) == place


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("pattern", ["Übung", "Übung/*"])
def test_both_spellings_of_an_accent_are_one(form, pattern):
    layout = Layout(make.entry(train=unicodedata.normalize(form, pattern)))
    for spelling in ("NFC", "NFD"):
        path = unicodedata.normalize(spelling, "Übung/café/1.png")
        assert layout.place(path) == Place("train", unicodedata.normalize("NFC", "café"))
        assert layout.may_hold(path.rpartition("/")[0])


@pytest.mark.parametrize(
    ("pattern", "folder", "may"),
    [
        ("trainingSet", "trainingSet", True),
        ("trainingSet", "trainingSample", False),
        ("trainingSet", "trainingSet/inner", True),
        ("trainingSet/inner", "trainingSet", True),
        ("trainingSet/inner", "trainingSet/other", False),
        ("train", "training", False),
        ("training", "train", False),
        (".", "anything", True),
        ("*", "anything", True),
        ("data/*/train", "data/x", True),
        ("data/*/train", "data", True),
        ("data/*/train", "other", False),
        ("tr*", "train", True),
        ("tr*", "test", False),
    ],
)
def test_a_nested_archive_is_opened_only_if_it_can_hold_data(pattern, folder, may):
    assert Layout(make.entry(train=pattern)).may_hold(folder) is may
    assert Layout(make.entry(train="elsewhere", unlabeled=pattern)).may_hold(folder) is may


def test_the_layout_is_shown_to_people():
    assert str(Layout(make.entry(train="a/", test="b"))) == "train: a, test: b"


def test_the_most_particular_pattern_decides():
    layout = Layout(make.entry(train=".", test="test", unlabeled="test/new"))
    assert layout.place("ant/1.png") == ("train", "ant")
    assert layout.place("test/ant/1.png") == ("test", "ant")
    assert layout.place("test/new/1.png") == ("unlabeled", None)


@pytest.mark.parametrize(
    ("train", "test", "path"),
    [
        (".", "t", "t/ant/1.png"),
        ("", "t", "t/ant/1.png"),
        ("./", "t", "t/ant/1.png"),
        ("pets/*/*.jpg", "pets/test", "pets/test/ant/1.jpg"),
        ("pets", "pets/*/test/*", "pets/new/test/1.jpg"),
        ("data", "*/test/*", "data/test/1.jpg"),
        ("a-long-name", "a-long-name/t", "a-long-name/t/ant/1.jpg"),
    ],
)
def test_more_particular_is_what_names_more_folders_not_what_is_longer(train, test, path):
    place = Layout(make.entry(train=train, test=test)).place(path)
    assert place is not None
    assert place.subset == "test"


def test_one_folder_in_two_spellings_is_one_folder():
    with pytest.raises(ValueError, match=r"train and test both name '\.'"):
        make.entry(train="", test=".")
    assert Layout(make.entry(train="./a//b/")).place("a/b/cat/1.png") == ("train", "cat")
