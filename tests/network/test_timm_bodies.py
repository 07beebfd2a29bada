import pytest
import timm
import torch
from safetensors.torch import save_file

from darkroom.base.errors import UserError
from darkroom.config.model_facts import Pretrained
from darkroom.network import architectures, pretrained, timm_bodies
from tests.network.test_architectures import settings

TINY = ["test_efficientnet", "test_vit", "test_convnext", "test_mambaout", "test_resnet", "test_nfnet"]


def loaded(name, file, shape):
    """A network with the weights of a file, as a training loads them."""
    chosen = settings(name=name, weights=str(file), hidden=[])
    network = architectures.build(chosen, shape, 4)
    found = Pretrained(network=name, weights=str(file), file=file.name)
    pretrained.load(network, chosen, shape, found, file.parent)
    return network.eval()


def saved(network, folder):
    save_file(
        {name: value.contiguous() for name, value in network.state_dict().items()}, folder / "weights.safetensors"
    )
    return folder / "weights.safetensors"


@pytest.mark.parametrize("name", TINY)
def test_a_network_is_built_for_a_size_channels_and_classes(name):
    network = architectures.build(settings(name=f"timm/{name}", hidden=[]), (96, 96, 1), 5).eval()
    assert network(torch.zeros(2, 1, 96, 96)).shape == (2, 5)


def test_the_features_are_timms_own():
    torch.manual_seed(3)
    whole = timm.create_model("test_resnet", num_classes=3).eval()
    body, width = timm_bodies.body("timm/test_resnet", (64, 64, 3))
    body.load_state_dict({name: value for name, value in whole.state_dict().items() if not name.startswith("fc.")})
    images = torch.randn(2, 3, 64, 64)
    features = body.eval()(images)
    assert features.shape == (2, width)
    torch.testing.assert_close(whole.fc(features), whole(images))


def test_the_same_seed_draws_the_same_weights():
    states = []
    for _ in range(2):
        torch.manual_seed(7)
        states.append(timm_bodies.body("timm/test_vit", (64, 64, 3))[0].state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm/resnet19", "did you mean timm/resnet"),
        ("timm/zzzzzz", "has no network 'zzzzzz'"),
        ("timm/test_vit.nonsense", "knows no weights 'nonsense' of test_vit: its weights are"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, said):
    with pytest.raises(UserError, match=said):
        timm_bodies.body(name, (64, 64, 3))


def test_a_size_that_does_not_work_is_refused_with_the_one_it_was_made_for():
    with pytest.raises(UserError, match=r"does not work on images of 50x50 \(.+\): it was made for 160x160"):
        timm_bodies.body("timm/test_vit", (50, 50, 3))


# --- weights ---


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "test_convnext"])
def test_a_file_of_timms_is_loaded_without_its_classifier(name, tmp_path):
    torch.manual_seed(1)
    whole = timm.create_model(name).eval()
    images = torch.randn(2, 3, 160, 160)
    network = loaded(f"timm/{name}", saved(whole, tmp_path), (160, 160, 3))
    expected = whole.forward_head(whole.forward_features(images), pre_logits=True)
    torch.testing.assert_close(network.features(images), expected)


def test_position_embeddings_are_brought_to_another_image_size(tmp_path):
    whole = timm.create_model("test_vit")
    network = loaded("timm/test_vit", saved(whole, tmp_path), (64, 64, 3))
    assert network.features.pos_embed.shape[1] < whole.pos_embed.shape[1]
    assert torch.equal(network.features.cls_token, whole.cls_token)


def test_a_grey_picture_has_the_features_of_its_rgb_copy(tmp_path):
    whole = timm.create_model("test_efficientnet", num_classes=0).eval()
    grey = loaded("timm/test_efficientnet", saved(whole, tmp_path), (64, 64, 1))
    picture = torch.randn(2, 1, 64, 64)
    torch.testing.assert_close(grey.features(picture), whole(picture.expand(-1, 3, -1, -1)), rtol=1e-4, atol=1e-4)


def test_weights_of_another_network_are_refused(tmp_path):
    file = saved(timm.create_model("test_resnet"), tmp_path)
    with pytest.raises(UserError, match="not fit timm/test_vit"):
        loaded("timm/test_vit", file, (64, 64, 3))


def test_a_file_that_lacks_weights_is_refused_with_their_number(tmp_path):
    whole = timm.create_model("test_resnet")
    state = whole.state_dict()
    del state["layer1.0.conv1.weight"]
    save_file(state, tmp_path / "some.safetensors")
    with pytest.raises(UserError, match=r"1 of the \d+ tensors .* the first is layer1\.0\.conv1\.weight"):
        loaded("timm/test_resnet", tmp_path / "some.safetensors", (64, 64, 3))


def test_loading_leaves_torch_as_it_was(tmp_path):
    before = torch.nn.Module.load_state_dict
    loaded("timm/test_resnet", saved(timm.create_model("test_resnet"), tmp_path), (64, 64, 3))
    assert torch.nn.Module.load_state_dict is before


def test_a_real_file_is_loaded(archives):
    file = archives / "tf_efficientnet_lite0.safetensors"
    if not file.is_file():
        pytest.skip(f"there is no {file.name} in DARKROOM_TEST_ARCHIVES")
    network = loaded("timm/tf_efficientnet_lite0", file, (64, 64, 3))
    assert network.features(torch.zeros(1, 3, 64, 64)).shape == (1, 1280)


@pytest.mark.slow
def test_every_network_of_timm_under_50_million_parameters_runs_on_the_size_it_was_made_for():
    failed, tried = {}, 0
    for name in timm.list_models():
        _, height, width = timm_bodies.config(name)["input_size"]
        with torch.device("meta"):
            try:
                network = timm_bodies.body(f"timm/{name}", (height, width, 3))[0]
            except UserError as error:
                failed[name] = str(error)
                continue
        tried += sum(one.numel() for one in network.parameters()) < 50e6
    assert tried > 800
    assert not failed
