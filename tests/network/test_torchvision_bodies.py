import hashlib
import re
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn

from darkroom.base.errors import UserError
from darkroom.config.model_facts import Pretrained
from darkroom.network import architectures, pretrained, torchvision_bodies
from tests.network.test_architectures import settings

NAMES = torchvision.models.list_models(module=torchvision.models)
SQUEEZENET = "squeezenet1_1"


def build(name=SQUEEZENET, weights=None, shape=(32, 32, 3), classes=4, **changes):
    chosen = settings(name=name, weights=None if weights is None else str(weights), hidden=[], **changes)
    return architectures.build(chosen, shape, classes), chosen


@pytest.fixture(scope="module")
def original():
    """A network of torchvision with weights of its own."""
    torch.manual_seed(5)
    return torchvision.models.get_model(SQUEEZENET, weights=None).eval()


@pytest.fixture
def file(original, tmp_path):
    torch.save(original.state_dict(), tmp_path / "squeezenet.pth")
    return tmp_path / "squeezenet.pth"


def load(network, chosen):
    """Load the file that model.weights names, as a training does; return its hash."""
    file = Path(chosen.weights)
    found = Pretrained(network=chosen.name, weights=chosen.weights, file=file.name)
    pretrained.load(network, chosen, (0, 0, 0), found, file.parent)
    return hashlib.sha256(file.read_bytes()).hexdigest()


def means_of_maps(original, images):
    """The features of SqueezeNet as torchvision would give them: the maps before its last convolution, averaged."""
    return original.features(images).mean((2, 3))


# --- bodies ---


def test_the_body_is_the_network_without_its_last_layer():
    torch.manual_seed(2)
    body, width = torchvision_bodies.body("resnet18", (32, 32, 3))
    torch.manual_seed(2)
    whole = torchvision.models.get_model("resnet18", weights=None).eval()
    images = torch.rand(2, 3, 32, 32)
    features = body.eval()(images)
    assert features.shape == (2, width)
    assert torch.equal(whole.fc(features), whole(images))


def test_the_hidden_layers_of_torchvisions_classifier_stay():
    with torch.device("meta"):  # 500 MB elsewhere
        body, width = torchvision_bodies.body("vgg11", (64, 64, 3))
    assert [type(layer) for layer in body.classifier] == [*[nn.Linear, nn.ReLU, nn.Dropout] * 2, nn.Identity]
    assert width == 4096


@examples(max_examples=8)
@given(
    height=st.integers(17, 40),
    width=st.integers(17, 40),
    channels=st.integers(1, 5),
    classes=st.integers(2, 7),
    hidden=st.lists(st.integers(1, 9), max_size=2),
    dropout=st.sampled_from([0.0, 0.5]),
)
def test_any_size_channels_and_classes(height, width, channels, classes, hidden, dropout):
    with torch.device("meta"):
        chosen = settings(name="shufflenet_v2_x0_5", hidden=hidden, dropout=dropout)
        network = architectures.build(chosen, (height, width, channels), classes).eval()
        assert network(torch.empty(2, channels, height, width)).shape == (2, classes)


def test_trying_the_size_draws_no_random_number_and_leaves_training_mode():
    torch.manual_seed(0)
    torchvision.models.get_model("shufflenet_v2_x0_5", weights=None)
    expected = torch.get_rng_state()
    torch.manual_seed(0)
    body, _ = torchvision_bodies.body("shufflenet_v2_x0_5", (32, 32, 1))
    assert torch.equal(torch.get_rng_state(), expected)
    assert all(module.training for module in body.modules())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet19", "did you mean resnet18"),
        ("ccn", "did you mean cnn"),
        ("zzz", "cnn, mlp, a classification model of torchvision or timm/NAME"),
        ("fcn_resnet50", "did you mean"),  # segments
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, expected):
    with pytest.raises(UserError, match=rf"model\.name is '{name}'.*{expected}"):
        torchvision_bodies.body(name, (32, 32, 3))


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("alexnet", (32, 32, 3)),
        ("squeezenet1_1", (8, 28, 1)),
        ("densenet121", (28, 28, 1)),
        ("inception_v3", (28, 28, 3)),
        ("maxvit_t", (64, 64, 3)),
        ("swin_t", (3, 3, 3)),
    ],
)
def test_a_size_that_does_not_work_is_refused_with_what_to_do(name, shape):
    said = rf"model\.name is {name}, which does not work on images of {shape[0]}x{shape[1]} \(.+\): .*datasets\.yaml"
    with torch.device("meta"), pytest.raises(UserError, match=said):
        torchvision_bodies.body(name, shape)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 48, 3)])
def test_a_vision_transformer_wants_squares_of_whole_patches(shape):
    with pytest.raises(UserError, match="must be square, and their side a multiple of 16"):
        torchvision_bodies.body("vit_b_16", shape)


@pytest.mark.slow
def test_every_classification_network_of_torchvision_can_be_built(monkeypatch):
    # RegNet computes its widths with tensors, which must hold numbers.
    widths = torchvision.models.regnet.BlockParams.from_init_params.__func__

    def with_numbers(cls, *arguments, **options):
        with torch.device("cpu"):
            return widths(cls, *arguments, **options)

    monkeypatch.setattr(torchvision.models.regnet.BlockParams, "from_init_params", classmethod(with_numbers))
    assert len(NAMES) >= 80
    for name in NAMES:
        with torch.device("meta"):
            network = architectures.build(settings(name=name, hidden=[]), (224, 224, 1), 5).eval()
            features = network.features(torch.empty(2, 1, 224, 224))
        assert features.shape == (2, network.head.classes.in_features), name
        assert network.head(features).shape == (2, 5), name


# --- another number of channels ---


def test_the_weights_of_a_convolution_for_other_numbers_of_channels():
    weight = torch.randn(4, 3, 2, 2)
    assert torchvision_bodies.for_channels(weight, 3) is weight
    assert torch.equal(torchvision_bodies.for_channels(weight, 1), weight.sum(1, keepdim=True))
    six = torchvision_bodies.for_channels(weight, 6)
    assert torch.equal(six, torch.cat([weight, weight], 1) / 2)
    assert torchvision_bodies.for_channels(weight, 5).shape == (4, 5, 2, 2)


def test_a_grey_picture_has_the_features_of_its_rgb_copy(original, file):
    grey, chosen = build(weights=file, shape=(32, 32, 1))
    load(grey, chosen)
    picture = torch.randn(2, 1, 32, 32)
    copies = means_of_maps(original, picture.expand(-1, 3, -1, -1))
    torch.testing.assert_close(grey.eval().features(picture), copies, rtol=1e-4, atol=1e-5)


def test_a_network_for_grey_pictures_gives_its_weights_to_one_for_colour(tmp_path):
    grey, _ = build(shape=(32, 32, 1))
    save_file(grey.state_dict(), tmp_path / "model.safetensors")
    colour, chosen = build(weights=tmp_path / "model.safetensors")
    load(colour, chosen)
    picture = torch.randn(2, 1, 32, 32)
    found = colour.eval().features(picture.expand(-1, 3, -1, -1))
    torch.testing.assert_close(found, grey.eval().features(picture), rtol=1e-4, atol=1e-5)


# --- pretrained weights ---


def test_the_weights_of_features_alone_are_enough_where_the_body_has_no_others(original, tmp_path):
    path = tmp_path / "features.pt"
    torch.save(original.features.state_dict(), path)
    network, chosen = build(weights=path)
    load(network, chosen)
    images = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(network.eval().features(images), means_of_maps(original, images))


def test_counters_of_batch_norms_may_be_missing(tmp_path):
    whole = torchvision.models.get_model("shufflenet_v2_x0_5", weights=None)
    path = tmp_path / "weights.pth"
    torch.save({name: value for name, value in whole.state_dict().items() if "num_batches" not in name}, path)
    network, chosen = build("shufflenet_v2_x0_5", weights=path)
    assert load(network, chosen)


def test_a_file_that_lacks_weights_is_refused_with_the_first_and_their_number(original, tmp_path):
    path, state = tmp_path / "some.pth", original.state_dict()
    del state["features.3.squeeze.bias"], state["features.4.expand1x1.weight"]
    state["features.12.expand3x3.bias"] = torch.zeros(7)
    torch.save(state, path)
    network, chosen = build(weights=path)
    said = r"some\.pth, which does not fit squeezenet1_1: 3 of the 50 .* the first is features\.3\.squeeze\.bias"
    with pytest.raises(UserError, match=said):
        load(network, chosen)


def test_weights_of_another_network_are_refused(file):
    network, chosen = build("shufflenet_v2_x0_5", weights=file)
    with pytest.raises(UserError, match="does not fit shufflenet_v2_x0_5"):
        load(network, chosen)


# --- files as torchvision wrote them ---


def test_a_vision_transformer_takes_positions_of_another_image_size_and_old_names(tmp_path):
    def make(side):
        return torchvision.models.VisionTransformer(
            image_size=side, patch_size=8, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=3
        )

    whole, path = make(48), tmp_path / "vit.pth"
    old = {
        name.replace(".mlp.0.", ".mlp.linear_1.").replace(".mlp.3.", ".mlp.linear_2."): value
        for name, value in whole.state_dict().items()
    }
    assert any("linear_2" in name for name in old)
    torch.save(old, path)
    for side in (48, 32):
        features = make(side)
        features.heads = nn.Identity()
        network = nn.Sequential(OrderedDict(features=features, head=nn.Linear(8, 2)))
        load(network, settings(name="vit_b_16", weights=str(path)))
        positions = features.encoder.pos_embedding
        assert positions.shape == (1, (side // 8) ** 2 + 1, 8)
        assert torch.equal(positions[:, 0], whole.encoder.pos_embedding[:, 0])
        assert torch.equal(features.encoder.layers[0].mlp[3].weight, whole.encoder.layers[0].mlp[3].weight)


def test_a_densenet_takes_old_names(tmp_path):
    def make():
        return torchvision.models.DenseNet(growth_rate=4, block_config=(2, 1), num_init_features=4, num_classes=3)

    whole, path = make(), tmp_path / "densenet.pth"
    old = {re.sub(r"(norm|conv)([12])\.", r"\1.\2.", name): value for name, value in whole.state_dict().items()}
    assert "features.denseblock1.denselayer2.norm.1.weight" in old
    torch.save(old, path)
    features = make()
    features.classifier = nn.Identity()
    network = nn.Sequential(OrderedDict(features=features, head=nn.Linear(14, 2)))
    load(network, settings(name="densenet121", weights=str(path)))
    found = features.state_dict()
    assert all(torch.equal(value, found[name]) for name, value in whole.features.state_dict(prefix="features.").items())


def test_a_real_file_of_features_is_loaded(archives):
    path = archives / "mobilenet_v2_features.pt"
    if not path.is_file():
        pytest.skip(f"there is no {path.name} in DARKROOM_TEST_ARCHIVES")
    network, chosen = build("mobilenet_v2", weights=path, shape=(32, 32, 1))
    assert load(network, chosen) == hashlib.sha256(path.read_bytes()).hexdigest()
    real = torch.load(path, weights_only=True)
    found = network.features.features.state_dict()
    torch.testing.assert_close(found["0.0.weight"], real.pop("0.0.weight").sum(1, keepdim=True))
    assert all(torch.equal(found[name], value) for name, value in real.items())
