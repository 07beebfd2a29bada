import pytest
import torchvision

from darkroom.base.errors import UserError
from darkroom.network.weight_sources import Place, caution, described
from tests.network.test_architectures import settings


def of(name):
    return described(settings(name=name, weights="DEFAULT"))


def test_torchvision_says_for_what_pictures_its_weights_were_made():
    note, place = of("mobilenet_v2")
    assert (note.height, note.width, note.interpolation, note.license) == (224, 224, "bilinear", "bsd-3-clause")
    assert (note.mean, note.std) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert note.crop_share == pytest.approx(224 / 232, abs=1e-4)
    assert place.url.startswith("https://download.pytorch.org/models/mobilenet_v2-")


def test_timm_says_it_too_and_names_a_repository_of_the_hub():
    note, place = of("timm/tf_efficientnet_lite0")
    assert (note.mean, note.std, note.license) == ([0.5] * 3, [0.5] * 3, "apache-2.0")
    assert (note.height, note.interpolation, note.crop_share) == (224, "bicubic", 0.875)
    assert str(place) == "https://huggingface.co/timm/tf_efficientnet_lite0.in1k/resolve/main/model.safetensors"


def test_a_tag_chooses_other_weights_of_a_network():
    assert of("timm/vit_tiny_patch16_224.augreg_in21k")[1].repository == "timm/vit_tiny_patch16_224.augreg_in21k"


def test_a_network_without_weights_has_no_place():
    assert of("timm/test_mambaout")[1] is None


def test_torchvisions_weights_that_may_not_be_sold_say_so():
    own = {
        name
        for name in torchvision.models.list_models(module=torchvision.models)
        if "SWAG" in str(torchvision.models.get_model_weights(name).DEFAULT.meta.get("license", ""))
    }
    assert own
    for name in own:
        assert "forbids commercial use" in caution(of(name)[0].license)


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("apache-2.0", None),
        ("MIT", None),
        ("cc-by-nc-4.0", "forbids commercial use"),
        ("", "nothing says under which licence"),
        ("dinov3-license", "a licence of their own (dinov3-license)"),
    ],
)
def test_what_an_owner_must_know_of_a_licence(licence, said):
    found = caution(licence)
    assert found is None if said is None else said in found


def test_an_unknown_name_is_refused():
    for name in ("resnet19", "timm/resnet19"):
        with pytest.raises(UserError, match="did you mean"):
            of(name)


def test_a_place_is_an_address():
    assert str(Place(url="https://a.b/c-00.pth")) == "https://a.b/c-00.pth"
    assert Place(url="https://a.b/c-00.pth?x=1").suffix == ".pth"
