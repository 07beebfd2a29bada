import json
from types import SimpleNamespace

import numpy as np
import pytest

from darkroom.base import paths
from darkroom.base.files import write_parquet
from darkroom.config.params import load
from darkroom.config.stage_files import Source
from darkroom.tracking import data_inputs
from tests import make


def put(labels=(0, 1, 0, 1), splits=("train", "train", "val", "test"), hashes=None, classes=("a", "b")):
    make.packed(np.zeros((len(labels), 8, 6, 3), np.uint8), list(labels), list(splits), list(classes))
    write_parquet(paths.INDEX, make.index_of(list(labels), hashes))


def found():
    return {item.tags[0].value: item.dataset for item in data_inputs.inputs(load()[0])}


def test_each_split_is_an_input_with_its_images_and_their_form(project):
    put()
    splits = found()
    assert list(splits) == ["train", "val", "test"]
    assert {item.name for item in splits.values()} == {"digits"}
    assert len({item.digest for item in splits.values()}) == 3
    assert data_inputs.sizes(data_inputs.inputs(load()[0])) == {"train": 2, "val": 1, "test": 1}
    profile = json.loads(splits["train"].profile)
    assert profile == {"num_rows": 2, "num_elements": 2 * 8 * 6 * 3, "classes": 2}
    spec = json.loads(splits["train"].schema)["mlflow_tensorspec"]
    (images,), (labels,) = json.loads(spec["features"]), json.loads(spec["targets"])
    assert (images["tensor-spec"], labels["name"]) == ({"dtype": "uint8", "shape": [-1, 8, 6, 3]}, "label")


def test_a_split_without_images_is_no_input(project):
    put(splits=("train", "train", "train", "test"))
    assert list(found()) == ["train", "test"]


def test_the_digest_follows_the_pixels_and_their_classes_and_nothing_else(project):
    hashes = ["h1", "h2", "h3", "h4"]
    put(hashes=hashes)
    before = found()["train"].digest
    assert len(before) <= 36
    put(labels=(1, 0, 0, 1), hashes=["h2", "h1", "h3", "h4"])  # in another order
    assert found()["train"].digest == before
    put(labels=(1, 0, 0, 1), hashes=hashes, classes=("b", "a"))  # under other numbers
    assert found()["train"].digest == before
    for changed in ({"labels": (1, 1, 0, 1), "hashes": hashes}, {"hashes": ["h1", "hx", "h3", "h4"]}):
        put(**changed)
        assert found()["train"].digest != before


@pytest.mark.parametrize(
    ("origin", "kind", "place"),
    [
        ("url: https://example.com/a.zip", "http", {"url": "https://example.com/a.zip"}),
        ("url: https://a.org/1.zip, https://a.org/2.zip", "url", {"place": "https://a.org/1.zip, https://a.org/2.zip"}),
        ("huggingface: owner/name", "hugging_face", {"path": "owner/name"}),
        ("kaggle: owner/set", "kaggle", {"place": "owner/set"}),
        ("bundled: scikit-learn", "bundled", {"place": "scikit-learn"}),
    ],
)
def test_the_source_is_where_the_archive_came_from(project, origin, kind, place):
    put()
    Source(archive="a.zip", origin=origin, sha256="ab", bytes=1).write(paths.SOURCE)
    item = found()["train"]
    assert item.source_type == kind
    assert json.loads(item.source) == place | {"archive": "a.zip", "sha256": "ab"}


def test_a_machine_without_the_archive_says_so(project):
    put()
    assert (found()["train"].source_type, found()["train"].source) == ("unknown", "{}")


def test_the_inputs_of_a_run_are_found_by_split(project):
    put()
    run = SimpleNamespace(inputs=SimpleNamespace(dataset_inputs=data_inputs.inputs(load()[0])))
    assert data_inputs.by_split(run) == found()
    assert data_inputs.by_split(SimpleNamespace(inputs=None)) == {}
