"""The model's part: asked late, and only where it is one of these data."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from darkroom.base import paths
from darkroom.base.files import write_json
from darkroom.tools import review_explanations
from darkroom.tools.review_explanations import Explanations
from tests import make
from tests.conftest import ROOT
from tests.tools import reviewing

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True)
def site(project, monkeypatch):
    reviewing.site()
    from darkroom.base import torch_setup

    monkeypatch.setattr(torch_setup, "torch_for", lambda **_: None)  # it may be called once in a process


def test_the_nearest_training_images_without_the_picture_itself():
    near = Explanations().nearest(0)
    assert (near.among, near.of) == (4, 4)
    assert sorted(near.rows) == [3, 6, 9]  # all others for training


def test_of_a_set_that_would_take_long_a_part_is_looked_at(monkeypatch):
    monkeypatch.setattr(review_explanations, "FIRST", 2)
    monkeypatch.setattr(review_explanations, "SECONDS", 0.0)
    near = Explanations().nearest(1)
    assert (near.among, near.of, len(near.rows)) == (2, 4, 2)


def test_a_heat_map_is_a_picture():
    shown = Image.open(io.BytesIO(Explanations().heat(1, 2)))
    assert shown.size == (280, 280)


def test_a_network_without_a_feature_map_has_none(monkeypatch):
    from darkroom.analysis import gradcam

    monkeypatch.setattr(gradcam, "last_feature_map", lambda *_: None)
    assert Explanations().heat(1, 2) is None


def test_a_model_of_other_data_is_refused():
    write_json(paths.CLASSES, ["x", "y", "z"])
    assert "not one of this data set" in make.refusal(lambda: Explanations().nearest(0))
    assert np.load(paths.IMAGES).shape[0] == 12


def test_the_page_stands_without_torch():
    code = (
        "import sys, darkroom.tools.review; print(*{'torch', 'sklearn', 'matplotlib', 'mlflow'} & sys.modules.keys())"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
