import hashlib
import shutil

import huggingface_hub
import pytest
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from darkroom.base.errors import UserError
from darkroom.network import weight_download
from darkroom.network.weight_sources import Place

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project"))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *names: None)
    return tmp_path / "project"


def published(folder, start=DIGEST[:8]):
    """A file where an address points to."""
    path = folder / f"net-{start}.pth"
    path.write_bytes(CONTENT)
    return path, Place(url=path.as_uri())


def test_a_file_is_fetched_once_and_kept_by_its_hash(tmp_path, root):
    path, place = published(tmp_path)
    file = weight_download.fetched(place)
    assert file == root / ".pretrained" / f"{DIGEST}.pth"
    path.unlink()
    assert weight_download.fetched(place) == file
    assert sorted(one.name for one in file.parent.iterdir()) == [file.name, "known.json"]


def test_a_damaged_file_is_fetched_again(tmp_path):
    _, place = published(tmp_path)
    file = weight_download.fetched(place)
    file.write_bytes(b"damaged")
    assert weight_download.fetched(place).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_refused_and_not_kept(tmp_path, root):
    _, place = published(tmp_path, "00000000")
    with pytest.raises(UserError, match=r"could not be fetched \(invalid hash"):
        weight_download.fetched(place)
    assert not [item for item in root.rglob("*") if item.is_file()]


def test_without_network_the_file_to_bring_and_its_place_are_named(tmp_path):
    place = Place(url=(tmp_path / "none-00000000.pth").as_uri())
    with pytest.raises(UserError, match=r"none-00000000.pth could not be fetched .*`-S model\.weights=/path/to/none-"):
        weight_download.fetched(place)


def test_the_hub_is_asked_for_the_safe_file_first(tmp_path, monkeypatch):
    asked = []

    def hub(repository, name, local_dir):
        asked.append(name)
        if name.endswith(".safetensors"):
            raise EntryNotFoundError("no such file")
        (local_dir / name).write_bytes(CONTENT)
        return str(local_dir / name)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", hub)
    monkeypatch.setattr(weight_download.socket, "getaddrinfo", lambda *place: [])
    place = Place(repository="timm/x", files=("model.safetensors", "pytorch_model.bin"))
    assert weight_download.fetched(place).name == f"{DIGEST}.bin"
    assert asked == ["model.safetensors", "pytorch_model.bin"]


def test_what_the_hubs_own_cache_holds_is_not_fetched(tmp_path, monkeypatch):
    kept = tmp_path / "model.safetensors"
    kept.write_bytes(CONTENT)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repository, name: str(kept))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **b: pytest.fail("fetched"))
    assert weight_download.fetched(Place(repository="timm/x", files=("model.safetensors",))).read_bytes() == CONTENT


def test_an_unreachable_hub_ends_in_the_sentence(monkeypatch):
    def offline(*names, **options):
        raise LocalEntryNotFoundError("cannot reach the hub")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", offline)
    monkeypatch.setattr(weight_download.socket, "getaddrinfo", lambda *place: [])
    with pytest.raises(UserError, match=r"huggingface\.co/timm/x/resolve/main/model\.safetensors could not be fetched"):
        weight_download.fetched(Place(repository="timm/x", files=("model.safetensors",)))


def test_without_a_network_the_hub_is_not_asked_over_and_over(monkeypatch):
    def nowhere(*place):
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr(weight_download.socket, "getaddrinfo", nowhere)
    monkeypatch.setattr(weight_download, "getproxies", dict)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *a, **b: pytest.fail("asked"))
    with pytest.raises(UserError, match=r"Name or service not known.*-S model\.name=cnn -S model\.weights=null"):
        weight_download.fetched(Place(repository="timm/x", files=("model.safetensors",)))


def test_what_is_kept_may_be_deleted(tmp_path, root):
    _, place = published(tmp_path)
    weight_download.fetched(place)
    shutil.rmtree(root / ".pretrained")
    assert weight_download.fetched(place).is_file()
