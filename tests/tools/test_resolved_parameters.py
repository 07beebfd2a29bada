"""`auto` and the value that it means are one."""

import pytest

from darkroom.config.yaml_files import dump, read_yaml
from darkroom.tools import resolved_parameters
from tests.conftest import ROOT

WRITTEN = {
    "train.lr": "auto",
    "datasets.yaml:digits.image_size": 8,
    "datasets.yaml:digits.title": "some digits",
    "datasets.yaml:digits.bundled": "digits",
    "datasets.yaml:digits.recipe.train.lr": 0.004,
}


@pytest.fixture(scope="module")
def texts():
    return {name: (ROOT / name).read_bytes() for name in ("params.yaml", "datasets.yaml")}


def resolved(texts, table=None, **train):
    content = read_yaml(ROOT / "params.yaml")
    content["train"] |= train
    files = texts | {"params.yaml": dump(content).encode(), "metrics/split.csv": table}
    return resolved_parameters.resolved(WRITTEN, files)


def test_auto_and_its_value_are_equal(texts):
    assert resolved(texts) == resolved(texts, lr=0.004, epochs=30)
    assert resolved(texts) != resolved(texts, lr=0.005)


def test_of_the_entry_that_is_kept_which_stands_nowhere_else(texts):
    found = resolved(texts)
    assert [key for key in found if key.startswith("datasets.yaml")] == ["datasets.yaml:digits.image_size"]
    assert found["train.lr"] == 0.004
    assert found["train.clip"] is None


def test_the_number_of_images_decides_as_in_the_training(texts):
    bare = texts | {"datasets.yaml": (ROOT / "datasets.yaml").read_bytes().replace(b"train.epochs: 30", b"")}
    few, many, unknown, damaged = (
        resolved(bare, table)["train.epochs"]
        for table in (b"class,train\na,60\nb,40\n", b"class,train\na,6000\n", None, b"class,images\na,6\n")
    )
    assert few > many
    assert unknown == damaged


@pytest.mark.parametrize("name", ["params.yaml", "datasets.yaml"])
def test_files_of_another_version_have_no_resolved_parameters(texts, name):
    assert resolved_parameters.resolved(WRITTEN, texts | {name: b"dataset: digits\ndigits: {size: 8}\n"}) is None
    assert resolved_parameters.resolved(WRITTEN, texts | {name: b"a: ["}) is None
    assert resolved_parameters.resolved(WRITTEN, texts | {name: None}) is None
