import pytest
import timm
from safetensors.torch import save_file

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.model_facts import Pretrained
from stages import pretrained


@pytest.fixture
def photos(project):
    """A project with a data set of colour pictures."""
    project.add(path="x", image_size=64, channels=3)
    return project


def note():
    return Pretrained.read(paths.PRETRAINED_NOTE)


def test_without_weights_it_writes_a_note_alone(photos, capsys):
    pretrained.main()
    assert [one.name for one in paths.PRETRAINED.iterdir()] == ["pretrained.json"]
    assert note().file is None
    assert "model.weights is null, so no weights are wanted" in capsys.readouterr().out


def test_a_file_of_weights_is_kept_with_what_must_be_known_of_it(photos, tmp_path, capsys):
    state = timm.create_model("test_resnet").state_dict()
    save_file(state, tmp_path / "mine.safetensors")
    photos.set(model__name="timm/test_resnet", model__weights=str(tmp_path / "mine.safetensors"))
    pretrained.main()
    assert (paths.PRETRAINED / note().file).read_bytes() == (tmp_path / "mine.safetensors").read_bytes()
    said = capsys.readouterr().out
    assert "weights of timm/test_resnet from the file mine.safetensors: licence not stated" in said
    assert "made for pictures of 160x160" in said
    assert "warning: nothing says under which licence" in said
    assert "warning: pictures of 64x64 are much smaller" in said


def test_a_mistake_leaves_what_was_there(photos):
    pretrained.main()
    photos.set(model__name="resnet18", model__weights="none.pth")
    with pytest.raises(UserError, match="no such file is there"):
        pretrained.main()
    assert note().file is None
