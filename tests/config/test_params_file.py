"""params.yaml stands in the form in which DVC writes it, so that `dvc exp run -S` changes what it is told to alone."""

import difflib
import shutil

import pytest
from dvc.utils.hydra import apply_overrides

from darkroom.config.yaml_files import read_yaml
from tests.conftest import ROOT


@pytest.fixture
def after(tmp_path):
    """Removed and added lines of a copy of params.yaml after DVC's own `-S`."""
    path = tmp_path / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)

    def change(*overrides):
        before = path.read_text(encoding="utf-8").splitlines()
        apply_overrides(path, list(overrides))
        lines = list(difflib.ndiff(before, path.read_text(encoding="utf-8").splitlines()))
        return [line[2:] for line in lines if line[0] == "-"], [line[2:] for line in lines if line[0] == "+"]

    change.path = path
    return change


def test_an_archive_can_be_named_without_a_plus_for_each_entry_that_is_downloaded():
    entries = read_yaml(ROOT / "datasets.yaml")
    downloaded = [name for name, entry in entries.items() if "bundled" not in entry]
    assert list(read_yaml(ROOT / "params.yaml")["fetch"]["archive"]) == downloaded


def test_dvc_writes_the_file_as_it_stands(after):
    assert after() == ([], [])


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("dataset", "mnist", "dataset: mnist            # an entry of datasets.yaml"),
        ("train.lr", "0.001", "  lr: 0.001               # peak learning rate"),
        ("train.lr", "0.00001", "  lr: 1e-05               # peak learning rate"),
        ("train.epochs", "5", "  epochs: 5               # passes over the training images"),
        ("train.epochs", "null", "  epochs:                 # passes over the training images"),
        ("train.clip", "1.5", "  clip: 1.5               # longest gradient, over all parameters; null: any"),
        ("train.nesterov", "false", "  nesterov: false         # of sgd"),
        ("train.class_weights", "true", "  class_weights: true     # weigh the loss of a class by the inverse of its"),
        ("extract.max_bytes", "5", "  max_bytes: 5              # bytes to unpack at most, nested archives included"),
        ("model.name", "resnet18", "  name: resnet18          # cnn, mlp, a classifier of torchvision (resnet18, "),
        ("model.hidden", "[]", "  hidden: []              # widths of fully connected layers before the last one: []"),
        ("augment", "[]", "augment: []               # list of changes drawn anew for each training image, in order;"),
        ("evaluate.tta.copies", "8", "    copies: 8             # changed copies of each image that vote with it"),
        ("tracking.experiment", "yes", "  experiment: yes         # MLflow experiment; null: the name of the data set"),
        ("fetch.archive.mnist", "/data/mnistasjpg.zip", "    mnist: /data/mnistasjpg.zip"),
    ],
)
def test_one_line_changes_and_keeps_its_comment(after, key, value, line):
    removed, added = after(f"{key}={value}")
    assert (len(removed), len(added)) == (1, 1)
    assert added[0].startswith(line)
    assert removed[0].partition("#")[2] == added[0].partition("#")[2]


def test_an_archive_of_an_entry_of_ones_own_is_added_by_a_plus(after):
    assert after("+fetch.archive.flowers=/data/flowers") == ([], ["    flowers: /data/flowers"])
    assert after("++fetch.archive.flowers=/new") == (["    flowers: /data/flowers"], ["    flowers: /new"])


def test_a_list_takes_a_line_for_each_item(after):
    removed, added = after("model.hidden=[64,32]")
    assert [line.partition("#")[0].strip() for line in removed] == ["hidden: auto"]
    assert [line.partition("#")[0].strip() for line in added] == ["hidden:", "- 64", "- 32"]
    assert read_yaml(after.path)["model"]["hidden"] == [64, 32]


def test_what_was_changed_can_be_changed_back(after):
    text = after.path.read_text(encoding="utf-8")
    after("train.lr=0.001", "train.clip=5", "augment=[{shift: {pixels: 2}}]", "extract.max_bytes=7")
    after("train.lr=auto", "train.clip=null", "augment=auto")
    removed, added = after("extract.max_bytes=1000000000000")
    assert len(removed) == len(added) == 1
    assert after.path.read_text(encoding="utf-8") == text
