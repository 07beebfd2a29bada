"""A small model in a folder, grey and in colour."""

import json

import pytest
import torch
from safetensors.torch import save_file

from darkroom.config.params import Model
from darkroom.network import architectures
from tests import models

MODEL = {
    "name": "cnn",
    "weights": None,
    "layers": "4P",
    "kernel": 3,
    "batch_norm": True,
    "activation": "relu",
    "pooling": "mean",
    "hidden": [],
    "hidden_activation": "relu",
    "dropout": 0.0,
    "init": "default",
    "input_size": None,
}


@pytest.fixture(params=[1, 3])
def folder(tmp_path, request):
    facts = models.facts((8, 10, request.param), ["ant", "bee", "cow", "dog"], model=MODEL, border=[])
    torch.manual_seed(0)
    network = architectures.build(Model.model_validate(MODEL), (8, 10, request.param), 4)
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "model.json").write_text(json.dumps(facts))
    return tmp_path
