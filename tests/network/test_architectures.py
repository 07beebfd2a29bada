import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from darkroom.config.params import Model
from darkroom.network import architectures, layer_table, normalisation
from darkroom.training import optimizers

S1 = {
    "name": "cnn",
    "weights": None,
    "layers": "16P-32P",
    "kernel": 3,
    "batch_norm": False,
    "activation": "relu",
    "pooling": "flatten",
    "hidden": [500],
    "hidden_activation": "sigmoid",
    "dropout": 0.0,
    "init": "default",
    "input_size": None,
}
SMALL = ["cnn", "mlp", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5"]


def settings(**changes):
    return Model.model_validate(S1 | changes)


NAMED = {
    # 160 + 4,640 for the convolutions, 784,500 + 5,010 for the fully connected layers
    "S1": ({}, (28, 28, 1), 794_310),
    # 320 + 9,248, then 32 * 7 * 7 * 100 + 100 and 1,010
    "LeNet-like": ({"layers": "32P-32P", "hidden": [100]}, (28, 28, 1), 320 + 9_248 + 156_900 + 1_010),
    "one block": ({"layers": "16P", "hidden": []}, (28, 28, 1), 160 + 16 * 14 * 14 * 10 + 10),
    "digits": ({"name": "mlp", "hidden": [52, 52], "dropout": 0.25}, (8, 8, 1), 65 * 52 + 53 * 52 + 53 * 10),
    "cifar": ({"name": "mlp", "hidden": [64]}, (32, 32, 3), 3073 * 64 + 65 * 10),
    "fashion": ({"name": "mlp", "hidden": [196]}, (28, 28, 1), 785 * 196 + 197 * 10),
    "logistic regression": ({"name": "mlp", "hidden": []}, (28, 28, 1), 785 * 10),
    # a linear layer before a batch norm has no bias; the norm has two parameters for each of its inputs
    "mlp with norms": ({"name": "mlp", "hidden": [64], "batch_norm": True}, (8, 8, 1), 64 * 64 + 2 * 64 + 65 * 10),
    # 3,504,872 with the 1,281,000 of ImageNet's classifier, in whose place come 1280 -> 500 -> 10
    "mobilenet_v2": ({"name": "mobilenet_v2"}, (96, 96, 3), 3_504_872 - 1_281_000 + 1281 * 500 + 501 * 10),
    # 11,689,512 with 513,000 of the classifier; two of three planes of the 64 first kernels of 7 x 7 go
    "resnet18": (
        {"name": "resnet18", "hidden": []},
        (28, 28, 1),
        11_689_512 - 513_000 - 2 * 64 * 49 + 513 * 10,
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_known_networks_have_their_shapes_and_numbers_of_parameters(name):
    changes, shape, parameters = NAMED[name]
    network = architectures.build(settings(**changes), shape, 10).eval()
    height, width, channels = shape
    assert architectures.parameter_count(network) == parameters
    assert [child for child, _ in network.named_children()] == ["features", "head"]
    features = network.features(torch.zeros(2, channels, height, width))
    assert features.ndim == 2
    assert network.head(features).shape == (2, 10)


def test_names_of_parameters_stay():
    network = architectures.build(settings(layers="4P", batch_norm=True, hidden=[3], dropout=0.5), (8, 8, 1), 2)
    assert list(network.state_dict()) == [
        "features.conv1.weight",
        *[
            f"features.norm1.{name}"
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
        ],
        *[f"head.{name}" for name in ("hidden1.weight", "hidden1.bias", "classes.weight", "classes.bias")],
    ]


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
    model = architectures.build(chosen, (height, width, channels), classes).eval()
    assert model(torch.zeros(2, channels, height, width)).shape == (2, classes)


@given(
    hidden=st.lists(st.integers(1, 9), max_size=3),
    batch_norm=st.booleans(),
    activation=st.sampled_from(["relu", "gelu", "tanh", "sigmoid"]),
    dropout=st.sampled_from([0.0, 0.25]),
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3])),
    classes=st.integers(2, 7),
)
def test_an_mlp_of_any_widths(hidden, batch_norm, activation, dropout, shape, classes):
    chosen = settings(name="mlp", hidden=hidden, batch_norm=batch_norm, hidden_activation=activation, dropout=dropout)
    network = architectures.build(chosen, shape, classes).eval()
    height, width, channels = shape
    images = torch.rand(2, height, width, channels).permute(0, 3, 1, 2)
    assert network.features(images).shape == (2, hidden[-1] if hidden else height * width * channels)
    assert network(images).shape == (2, classes)


def test_layers_of_an_mlp_stand_in_order():
    network = architectures.build(settings(name="mlp", hidden=[5, 4], batch_norm=True, dropout=0.25), (3, 3, 1), 2)
    blocks = [f"{layer}{number}" for number in (1, 2) for layer in ("hidden", "norm", "act", "dropout")]
    assert [name for name, _ in network.features.named_children()] == ["flatten", *blocks]
    assert [name for name, _ in network.head.named_children()] == ["classes"]


def test_an_mlp_reads_channel_by_channel_and_row_by_row_whatever_the_memory():
    images = torch.arange(2 * 3 * 2 * 4.0).view(2, 3, 2, 4)
    network = architectures.build(settings(name="mlp", hidden=[]), (2, 4, 3), 5)
    for arranged in (images, images.contiguous(memory_format=torch.channels_last)):
        assert torch.equal(network.features(arranged), torch.arange(48.0).view(2, 24))


@pytest.mark.parametrize("name", ["cnn", "mlp"])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_acts_in_training_alone(name, dropout):
    model = architectures.build(settings(name=name, dropout=dropout), (8, 8, 1), 3)
    images = torch.rand(4, 1, 8, 8)
    model.eval()
    assert torch.equal(model(images), model(images))
    model.train()
    assert torch.equal(model(images), model(images)) == (dropout == 0)


@pytest.mark.parametrize(
    ("name", "pooling"),
    [("cnn", "max"), ("cnn", "mean"), ("cnn", "flatten"), *[(name, "max") for name in SMALL if name != "cnn"]],
)
def test_channels_last_changes_nothing_but_speed(name, pooling):
    network = architectures.build(settings(name=name, pooling=pooling), (32, 32, 3), 4).eval()
    images = torch.rand(2, 3, 32, 32)
    expected = network(images)
    network = network.to(memory_format=torch.channels_last)
    found = network(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    found.sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize("name", SMALL)
def test_weights_in_a_safetensors_file_give_the_same_network(name, tmp_path):
    chosen = settings(name=name, batch_norm=True)
    first, second = (architectures.build(chosen, (32, 32, 1), 4) for _ in range(2))
    save_file(first.state_dict(), tmp_path / "model.safetensors")
    second.load_state_dict(load_file(tmp_path / "model.safetensors"))
    images = torch.rand(2, 1, 32, 32)
    assert torch.equal(first.eval()(images), second.eval()(images))


@pytest.mark.parametrize("name", ["cnn", "mlp", "squeezenet1_1"])
@pytest.mark.parametrize("init", ["default", "kaiming", "xavier"])
def test_equal_seeds_give_equal_weights(name, init):
    networks = []
    for _ in range(2):
        torch.manual_seed(7)
        networks.append(architectures.build(settings(name=name, init=init), (32, 32, 3), 4).state_dict())
    assert all(torch.equal(networks[0][key], networks[1][key]) for key in networks[0])


@pytest.mark.parametrize("name", ["cnn", "mlp", "squeezenet1_1"])
def test_kaiming_and_xavier_draw_as_their_papers_say(name):
    torch.manual_seed(0)
    changes = {"name": name, "layers": "32P-64P", "hidden": [300]}
    kaiming = architectures.build(settings(init="kaiming", **changes), (64, 64, 3), 10)
    xavier = architectures.build(settings(init="xavier", **changes), (64, 64, 3), 10)
    for key, weight in kaiming.named_parameters():
        if key.endswith("bias"):
            assert not weight.any()
            continue
        area = weight[0, 0].numel()
        outgoing, incoming = weight.shape[0] * area, weight.shape[1] * area
        drawn = weight.std().item() * ((outgoing if weight.ndim == 4 else incoming) / 2) ** 0.5
        assert drawn == pytest.approx(1, rel=5 / weight.numel() ** 0.5)
    for key, weight in xavier.named_parameters():
        if key.endswith("bias"):
            assert not weight.any()
            continue
        area = weight[0, 0].numel()
        limit = (6 / ((weight.shape[0] + weight.shape[1]) * area)) ** 0.5
        assert 0.95 * limit < weight.abs().max() <= limit


def test_a_body_that_will_get_pretrained_weights_is_not_drawn_anew():
    torch.manual_seed(3)
    plain = architectures.build(settings(name="squeezenet1_1"), (32, 32, 3), 4)
    torch.manual_seed(3)
    network = architectures.build(settings(name="squeezenet1_1", weights="DEFAULT", init="xavier"), (32, 32, 3), 4)
    ours, theirs = network.state_dict(), plain.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours if key.startswith("features."))
    assert not network.head.classes.bias.any()


def test_the_global_maximum_is_that_of_adaptive_max_pool():
    maps = torch.randn(3, 5, 4, 6).contiguous(memory_format=torch.channels_last)
    ours, theirs = (maps.clone().requires_grad_() for _ in range(2))
    found, expected = architectures.GlobalMax()(ours), nn.AdaptiveMaxPool2d(1)(theirs)
    assert torch.equal(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    assert torch.equal(ours.grad, theirs.grad)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_the_global_maximum_has_a_deterministic_gradient_on_a_gpu():
    maps = torch.randn(3, 5, 4, 6)
    gradients = []
    torch.use_deterministic_algorithms(True)
    try:
        for device in ("cpu", "cuda"):
            given_maps = maps.to(device).requires_grad_()
            architectures.GlobalMax()(given_maps).square().sum().backward()
            gradients.append(given_maps.grad.cpu())
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(*gradients)


def test_weight_decay_spares_biases_and_norms():
    model = architectures.build(settings(batch_norm=True), (8, 8, 1), 3)
    weights, others = optimizers.decayed(model)
    assert all(parameter.ndim > 1 for parameter in weights["params"])
    assert others["weight_decay"] == 0
    assert len(weights["params"]) + len(others["params"]) == len(list(model.parameters()))


SPARED = ("bias", "class_token", "pos_embedding", "layer_scale", "relative_position_bias_table", "logit_scale")


@pytest.mark.parametrize("name", ["vit_b_32", "convnext_tiny", "swin_t", "swin_v2_t", "mnasnet0_5"])
def test_weight_decay_spares_what_is_no_weight_of_torchvision_networks(name):
    with torch.device("meta"):
        network = architectures.build(settings(name=name), (64, 64, 3), 3)
    decayed, spared = ({id(parameter) for parameter in group["params"]} for group in optimizers.decayed(network))
    named = dict(network.named_parameters())
    norms = {
        key
        for key, module in network.named_modules()
        if isinstance(module, nn.LayerNorm | nn.BatchNorm2d) and hasattr(module, "weight")
    }
    for key, parameter in named.items():
        is_weight = not key.endswith(SPARED) and key.rpartition(".")[0] not in norms
        assert (id(parameter) in decayed) == is_weight, key
        assert (id(parameter) in spared) == (not is_weight), key


def test_frozen_parameters_are_not_optimised():
    network = architectures.build(settings(), (8, 8, 1), 3)
    network.features.requires_grad_(False)
    weights, others = optimizers.decayed(network)
    assert {id(one) for one in weights["params"] + others["params"]} == {id(one) for one in network.head.parameters()}
    assert architectures.parameter_count(network) == 32 * 2 * 2 * 500 + 500 + 501 * 3


def test_the_table_shows_each_layer_with_shape_parameters_and_work():
    text = layer_table.table(architectures.build(settings(), (28, 28, 1), 10), (28, 28, 1))
    rows = {line.split("(")[1].split(")")[0]: line for line in text.splitlines() if line.startswith("|")}
    # a convolution's weights and biases are used once for each place
    assert rows["conv2"].endswith(f"{4_640 * 14 * 14:,}")
    assert all(part in rows["conv2"] for part in ("[1, 32, 14, 14]", "4,640"))
    assert all(part in rows["hidden1"] for part in ("[1, 500]", "784,500"))
    assert {"Total params: 794,310", "Total mult-adds (M): 1.82"} <= set(text.splitlines())
    assert all(line == line.rstrip() for line in text.splitlines())
    assert text.isascii()


@pytest.mark.parametrize(
    ("name", "shown", "hidden"),
    [("resnet18", "BasicBlock (1)", "conv1) 3x3"), ("squeezenet1_1", "Fire (12)", "expand3x3")],
)
def test_the_table_of_a_deep_network_stays_readable(name, shown, hidden):
    text = layer_table.table(architectures.build(settings(name=name), (32, 32, 3), 10), (32, 32, 3))
    assert shown in text
    assert hidden not in text
    assert len(text.splitlines()) < 80


def test_the_table_of_a_transformer_is_made_without_its_weights():
    with torch.device("meta"):
        network = architectures.build(settings(name="vit_b_16", hidden=[]), (32, 32, 3), 10)
    # 86,567,656 with 769,000 of the classifier, and 197 positions of which 5 are left
    assert f"Total params: {86_567_656 - 769_000 - 192 * 768 + 7_690:,}" in layer_table.table(network, (32, 32, 3))


def test_the_table_leaves_network_and_random_state_alone():
    network = architectures.build(settings(batch_norm=True, dropout=0.5), (28, 28, 1), 10).train()
    network.features.eval()
    modes = [module.training for module in network.modules()]
    tensors = copy.deepcopy(network.state_dict())
    state = torch.get_rng_state()
    assert layer_table.table(network, (28, 28, 1)) == layer_table.table(network, (28, 28, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(tensors[name], value) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_normalise_moves_channels_forward_without_copying_their_order():
    images = torch.randint(0, 256, (5, 4, 6, 3), dtype=torch.uint8)
    mean, std = torch.tensor([1.0, 2, 3]).view(-1, 1, 1), torch.tensor([4.0, 5, 6]).view(-1, 1, 1)
    result = normalisation.normalise(images, mean, std)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(result[:, 2], (images[..., 2].float() - 3) / 6)


@pytest.mark.parametrize("changes", [{}, {"name": "mlp", "hidden": [5]}, {"name": "resnet18"}, {"pooling": "max"}])
def test_a_network_that_sees_less_takes_the_middle(changes):
    torch.manual_seed(0)
    network = architectures.build(settings(input_size=[20, 24], **changes), (28, 32, 3), 4).eval()
    torch.manual_seed(0)
    plain = architectures.build(settings(**changes), (20, 24, 3), 4).eval()
    assert network.state_dict().keys() == plain.state_dict().keys()
    assert str(network) == str(plain)
    images = torch.rand(2, 3, 28, 32).contiguous(memory_format=torch.channels_last)
    expected = plain(images[:, :, 4:24, 4:28].contiguous(memory_format=torch.channels_last))
    for found in (network, copy.deepcopy(network)):
        assert torch.equal(found(images), expected)
        assert torch.equal(found(images[:, :, 4:24, 4:28].contiguous(memory_format=torch.channels_last)), expected)
    assert torch.equal(network.features(images), plain.features(images[:, :, 4:24, 4:28]))
    compiled = torch.compile(network, backend="eager")
    assert torch.equal(compiled(images), expected)


def test_a_network_that_sees_all_has_no_hook():
    network = architectures.build(settings(input_size=[28, 32]), (28, 32, 3), 4)
    assert not network.features._forward_pre_hooks


def test_the_table_of_layers_is_that_of_what_is_seen():
    part = architectures.build(settings(input_size=20), (28, 28, 1), 4)
    plain = architectures.build(settings(), (20, 20, 1), 4)
    assert layer_table.table(part, (20, 20, 1)) == layer_table.table(plain, (20, 20, 1))
