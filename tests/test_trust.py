"""Model and data files may come from a shared cache or another machine: whatever stands in them, no code runs.

State dicts of `model.weights` and checkpoints are tried in tests/network/test_weight_files.py and
tests/training/test_checkpoint.py.
"""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import write_json
from darkroom.classifier.familiarity import FILE, Familiarity
from darkroom.classifier.inference import Classifier
from darkroom.dataset import packed
from darkroom.tools import export
from tests.models import classifier, facts
from tests.network.test_weight_files import Malicious


@pytest.fixture
def flag(tmp_path):
    """The folder that code in a pickle would make."""
    path = tmp_path / "ran"
    yield path
    assert not path.exists()
    pickle.loads(pickle.dumps(Malicious(path)))
    assert path.exists()  # where it is trusted it does run


def written(path, content, how):
    if how == "pickle":
        path.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_weights_of_a_model_are_no_pickle(tmp_path, flag, how):
    ours = classifier()
    write_json(tmp_path / "model.json", facts(ours.shape, ours.classes))
    written(tmp_path / "model.safetensors", ours.network.state_dict() | {"more": Malicious(flag)}, how)
    with pytest.raises(UserError, match=r"model\.safetensors is damaged"):
        Classifier.load(tmp_path)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_what_is_familiar_is_no_pickle(tmp_path, flag, how):
    written(tmp_path / FILE, {"more": Malicious(flag)}, how)
    with pytest.raises(UserError, match="is damaged"):
        Familiarity.load(tmp_path / FILE)


@pytest.mark.parametrize("how", ["array", "pickle"])
def test_images_are_no_objects(project, flag, how):
    paths.IMAGES.parent.mkdir(parents=True)
    objects = np.array([Malicious(flag)], dtype=object)
    if how == "array":
        np.save(paths.IMAGES, objects, allow_pickle=True)
    else:
        paths.IMAGES.write_bytes(pickle.dumps(objects))
    with pytest.raises(ValueError, match=r"Python objects|pickled"):
        packed.load_images()


def test_tables_are_no_python_types(project, flag):
    """Arrow once unpickled the types of its extensions (CVE-2023-47248)."""
    paths.INDEX.parent.mkdir(parents=True)
    kind = {
        "ARROW:extension:name": "arrow.py_extension_type",
        "ARROW:extension:metadata": pickle.dumps(Malicious(flag)),
    }
    schema = pa.schema([pa.field("row", pa.int64(), metadata=kind)])
    pq.write_table(pa.table({"row": [0]}, schema=schema), paths.INDEX)
    stored = pq.read_schema(paths.INDEX).field("row").metadata
    assert stored[b"ARROW:extension:metadata"] == pickle.dumps(Malicious(flag))
    assert packed.load_index()["row"].tolist() == [0]


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
def test_an_exported_model_is_no_pickle(tmp_path, flag, how):
    written(tmp_path / "model.onnx", {"more": Malicious(flag)}, how)
    with pytest.raises(Exception, match="INVALID_PROTOBUF"):
        export.session(tmp_path / "model.onnx")
