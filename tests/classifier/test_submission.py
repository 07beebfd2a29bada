import numpy as np
import pytest

from darkroom.base.errors import UserError
from darkroom.classifier import submission
from darkroom.config import catalogue
from darkroom.config.submissions import Submission
from tests import make
from tests.conftest import ROOT

KAGGLE = Submission(id="ImageId", label="Label", id_from="number")


def test_numbers_are_sorted_as_numbers():
    paths = ["test/img_10.jpg", "test/img_9.jpg", "2/img_007.jpg"]
    table = submission.table(submission.ids(paths, KAGGLE), np.array(["a", "b", "c"], object), KAGGLE)
    assert table.to_csv(index=False, lineterminator="\n") == "ImageId,Label\n7,c\n9,b\n10,a\n"


def test_mnist_is_as_the_digit_recognizer_wants_it():
    entry = catalogue.load("mnist", ROOT / "datasets.yaml")
    assert entry.submission == KAGGLE
    assert submission.labels(["0", "7"], entry) == ["0", "7"]


@pytest.mark.parametrize(
    ("id_from", "wanted"), [("number", [12]), ("name", ["img2_012"]), ("path", ["a 7/img2_012.x.png"])]
)
def test_where_an_id_comes_from(id_from, wanted):
    form = Submission(id="id", label="label", id_from=id_from)
    path = "a 7/img2_012.x.png" if id_from == "path" else "a 7/img2_012.png"
    assert submission.ids([path], form) == wanted


def test_without_the_key_it_is_the_path():
    ids = submission.ids(["b.png", "a.png"], None)
    table = submission.table(ids, np.array(["x", "y"], object), None)
    assert table.to_csv(index=False, lineterminator="\n") == "path,label\na.png,y\nb.png,x\n"


def test_nothing_is_a_header():
    table = submission.table(submission.ids([], KAGGLE), np.array([], object), KAGGLE)
    assert table.to_csv(index=False, lineterminator="\n") == "ImageId,Label\n"


@pytest.mark.parametrize(
    ("paths", "says"),
    [
        (["x/cat.png"], "x/cat.png has no number in its name.*name or path"),
        (["3/cat.png"], "has no number in its name"),
        (["a/1.png", "b/01.jpg"], "b/01.jpg and a/1.png both have the id 1.*to path"),
    ],
)
def test_bad_names_are_refused_with_the_remedy(paths, says):
    with pytest.raises(UserError, match=says):
        submission.ids(paths, KAGGLE)


def test_the_table_has_the_makers_labels_where_its_form_is_given():
    classes = {"0": "zero", "1": "one"}
    form = {"id": "i", "label": "l", "id_from": "name"}
    assert submission.labels(["one", "zero"], make.entry(classes=classes)) == ["one", "zero"]
    assert submission.labels(["one", "zero"], make.entry(classes=classes, submission=form)) == ["1", "0"]
