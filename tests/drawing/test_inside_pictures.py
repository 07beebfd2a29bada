import numpy as np
import pandas as pd
import pytest

from darkroom.analysis.layers import Dead
from darkroom.analysis.network_findings import Data, FeatureMap, Findings
from darkroom.base import paths
from darkroom.drawing import inside_pictures, network_charts, style
from darkroom.report.page import PICTURES
from tests import make, models

ALL = {"filters.png", "kernels.png", "activations.png", "dead.png", "map.png"}


@pytest.fixture
def data():
    images, labels = models.blobs(12)
    rows = np.arange(6, 12)
    tested = pd.DataFrame({"row": rows, "label": labels[rows], "predicted": labels[rows]})
    return Data(images, make.index_of(labels.tolist()), ["ant", "bee", "cow"], rows[:0], rows[:0], tested)


def found(data, **changes):
    """Something of all, for images of the classes 2 and 0."""
    random = np.random.default_rng(0)
    everything = {
        "filters": ("conv1", random.standard_normal((4, 3, 3, 1))),
        "kernels": ("conv2", random.standard_normal((5, 4, 3, 3))),
        "shown": data.tested.iloc[[2, 3]],
        "maps": {"act1": random.random((2, 3, 4, 4))},
        "dead": {"act1": Dead(4, 1)},
        "idle": {},
        "feature_map": FeatureMap(random.random((3, 2)), random.random((6, 2)), data.tested, 6),
        "accuracies": (0.5, 0.5),
        "compared": (6, 6),
    }
    return Findings(**everything | changes)


@pytest.fixture
def drawn(data, tmp_path, monkeypatch):
    """Draws what was found; gives the names of the pictures."""

    def draw(findings):
        saved = []
        monkeypatch.setattr(style, "save", lambda _, path: saved.append(path))
        inside_pictures.write(tmp_path, findings, data)
        assert {path.parent for path in saved} <= {tmp_path}
        return {path.name for path in saved}

    return draw


def test_all_that_was_found_is_drawn_and_the_report_finds_it(data, drawn):
    assert drawn(found(data)) == ALL
    assert {f"{name}.png" for name, (folder, _) in PICTURES.items() if folder == paths.INSIDE_PICTURES} == ALL


@pytest.mark.parametrize("missing", ["filters", "kernels", "maps", "dead", "filters kernels maps dead"])
def test_what_is_said_to_be_left_out_is_and_nothing_else(data, drawn, missing):
    without = found(data, **{name: {} if name in ("maps", "dead") else None for name in missing.split()})
    assert len(without.left_out) == len(missing.split())
    assert drawn(without) == ALL - set(without.left_out)


def test_no_map_where_there_is_none(data, drawn):
    assert drawn(found(data, feature_map=None)) == ALL - {"map.png"}


def test_maps_stand_beside_their_images_and_the_names_of_their_classes(data, drawn, monkeypatch):
    seen = []
    monkeypatch.setattr(network_charts, "activations", lambda *given: seen.append(given))
    findings = found(data, filters=None, kernels=None, dead={}, feature_map=None)
    assert drawn(findings) == {"activations.png"}
    ((pictures, classes, maps),) = seen
    np.testing.assert_array_equal(pictures, data.images[[8, 9]])
    assert classes == ["cow", "ant"]
    assert maps is findings.maps
