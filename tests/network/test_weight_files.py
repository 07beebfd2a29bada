import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from darkroom.base.errors import UserError
from darkroom.network import weight_files


@pytest.fixture
def original():
    """A small network with weights of its own."""
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


@pytest.mark.parametrize(
    ("suffix", "nested"),
    [(".safetensors", None), (".pth", None), (".pt", None), (".pth", "state_dict"), (".pth", "model")],
)
def test_a_state_dict_is_read_bare_or_under_its_usual_keys(original, tmp_path, suffix, nested):
    path, state = tmp_path / f"weights{suffix}", original.state_dict()
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({nested: state, "epoch": 3} if nested else state, path)
    found = weight_files.read(path)
    assert found.keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in found.items())


def test_old_files_of_torch_are_read(original, tmp_path):
    path = tmp_path / "old.pth"
    torch.save(original.state_dict(), path, _use_new_zipfile_serialization=False)
    assert weight_files.read(path).keys() == original.state_dict().keys()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: b"x" * 200])
def test_a_damaged_file_is_refused(original, tmp_path, suffix, damage):
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(original.state_dict(), path)
    else:
        save_file(original.state_dict(), path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UserError, match="are damaged or hold more than tensors"):
        weight_files.read(path)


@pytest.mark.parametrize("content", [[torch.zeros(2)], {"epoch": 3}, {}, torch.zeros(2), {"state_dict": {}}], ids=str)
def test_what_is_no_state_dict_is_refused(tmp_path, content):
    path = tmp_path / "weights.pt"
    torch.save(content, path)
    with pytest.raises(UserError, match="no state dict"):
        weight_files.read(path)


class Malicious:
    def __init__(self, flag):
        self.flag = flag

    def __reduce__(self):
        return os.mkdir, (str(self.flag),)


@pytest.mark.parametrize("how", ["zip", "legacy", "pickle"])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_code_in_a_pickle_is_refused_and_never_run(original, tmp_path, how, suffix):
    flag, path = tmp_path / "ran", tmp_path / f"weights{suffix}"
    content = original.state_dict() | {"more": Malicious(flag)}
    if how == "pickle":
        path.write_bytes(pickle.dumps({"more": Malicious(flag)}))
    else:
        torch.save(content, path, _use_new_zipfile_serialization=how == "zip")
    with pytest.raises(UserError, match="more than tensors"):
        weight_files.read(path)
    assert not flag.exists()
    pickle.loads(pickle.dumps(Malicious(flag)))
    assert flag.exists()  # where it is trusted it does run


def test_a_whole_pickled_network_is_refused(original, tmp_path):
    path = tmp_path / "network.pt"
    torch.save(original, path)
    with pytest.raises(UserError, match="more than tensors: save a state dict"):
        weight_files.read(path)
