import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from darkroom import models
from darkroom.params import Model

S1 = {
    "layers": "16P-32P",
    "kernel": 3,
    "batch_norm": False,
    "activation": "relu",
    "pooling": "flatten",
    "hidden": [500],
    "hidden_activation": "sigmoid",
    "dropout": 0.0,
}


def settings(**changes):
    return Model.model_validate(S1 | changes)


def test_the_network_of_s1_has_its_shapes_and_its_number_of_parameters():
    model = models.build(settings(), (28, 28, 1), 10)
    assert model.head.hidden1.in_features == 1568
    # 160 + 4,640 for the convolutions, 784,500 + 5,010 for the fully connected layers
    assert models.parameter_count(model) == 794_310


@given(
    layers=st.lists(st.sampled_from(["4", "6P", "8"]), min_size=1, max_size=3).map("-".join),
    kernel=st.sampled_from([1, 3, 5]),
    batch_norm=st.booleans(),
    pooling=st.sampled_from(["max", "mean", "flatten"]),
    hidden=st.lists(st.integers(1, 9), max_size=2),
    height=st.integers(8, 20),
    width=st.integers(8, 20),
    channels=st.sampled_from([1, 3]),
    classes=st.integers(2, 7),
)
def test_any_size_channels_and_classes(layers, kernel, batch_norm, pooling, hidden, height, width, channels, classes):
    chosen = settings(layers=layers, kernel=kernel, batch_norm=batch_norm, pooling=pooling, hidden=hidden)
    model = models.build(chosen, (height, width, channels), classes).eval()
    assert model(torch.zeros(2, channels, height, width)).shape == (2, classes)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_acts_in_training_alone(dropout):
    model = models.build(settings(dropout=dropout), (8, 8, 1), 3)
    images = torch.rand(4, 1, 8, 8)
    model.eval()
    assert torch.equal(model(images), model(images))
    model.train()
    assert torch.equal(model(images), model(images)) == (dropout == 0)


def test_weight_decay_spares_biases_and_norms():
    model = models.build(settings(batch_norm=True), (8, 8, 1), 3)
    weights, others = models.decayed(model)
    assert all(parameter.ndim > 1 for parameter in weights["params"])
    assert others["weight_decay"] == 0
    assert len(weights["params"]) + len(others["params"]) == len(list(model.parameters()))


def test_normalise_moves_channels_forward_without_copying_their_order():
    images = torch.randint(0, 256, (5, 4, 6, 3), dtype=torch.uint8)
    mean, std = torch.tensor([1.0, 2, 3]).view(-1, 1, 1), torch.tensor([4.0, 5, 6]).view(-1, 1, 1)
    result = models.normalise(images, mean, std)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(result[:, 2], (images[..., 2].float() - 3) / 6)
