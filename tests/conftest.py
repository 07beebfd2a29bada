"""What all tests share: no network, and a project in a temporary folder."""

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from darkroom.config.yaml_files import read_yaml
from tests import make

ROOT = Path(__file__).resolve().parent.parent

# The same examples in every run: a change is judged by what it does, not by chance.
settings.register_profile("darkroom", deadline=None, derandomize=True, max_examples=60)
# HYPOTHESIS_PROFILE=search looks further, with new examples each time.
settings.register_profile("search", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "darkroom"))


# Files of minutes: begun last, one of them would keep a single core busy at the end.
LONGEST = (
    "test_pipeline.py",
    "test_loop.py",
    "test_recording.py",
    "test_verify.py",
    "test_one_step.py",
    "test_commands.py",
)


def pytest_collection_modifyitems(items):
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(ranks)))


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """Names of other machines do not resolve, so that no test can reach one."""
    resolve = socket.getaddrinfo

    def only_here(host, *arguments, **options):
        if host not in (None, "", "localhost", "127.0.0.1", b"localhost", b"127.0.0.1"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", only_here)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "DVC_ROOT", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def one_thread():
    """PyTorch with one thread: networks as small as those of the tests gain nothing by a second one."""
    import torch  # here, for most tests do without

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def closed_port():
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


class Project:
    """A folder with the repository's parameters and catalogue, as the working folder."""

    def __init__(self, folder):
        self.folder = folder
        self.params, self.datasets = folder / "params.yaml", folder / "datasets.yaml"

    def set(self, **changes):
        """Change parameters; `__` stands for the dot: split__test=0.3."""
        make.edit(self.params, {key.replace("__", "."): value for key, value in changes.items()})

    def add(self, name="mine", **settings):
        """Add an entry to the catalogue, and choose it."""
        content = {"train": "train", "channels": 1, "image_size": 8} | settings
        make.edit(self.datasets, {name: content})
        self.set(dataset=name)

    def archive(self, content, name="archive.zip"):
        """Put an archive in place, as `fetch` would, for the chosen data set."""
        path = self.folder / name
        path.write_bytes(content)
        self.use(path)
        return path

    def use(self, path):
        """Name an archive for the chosen data set."""
        self.set(fetch__archive={read_yaml(self.params)["dataset"]: str(path)})


@pytest.fixture
def project(tmp_path, monkeypatch):
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.fixture(scope="session")
def archives():
    """The folder of real archives; tests that need it are skipped where there is none."""
    folder = os.environ.get("DARKROOM_TEST_ARCHIVES")
    if not folder:
        pytest.skip("DARKROOM_TEST_ARCHIVES names no folder of archives")
    return Path(folder)


@pytest.fixture
def own(tmp_path_factory, monkeypatch):
    """Writes a file of own/ in a project of their own, from which functions are then loaded; gives its path."""
    from darkroom.config import own_code

    root = tmp_path_factory.mktemp("with own code")
    monkeypatch.setattr(own_code, "ROOT", root)
    monkeypatch.setattr("sys.path", sys.path[:])
    _forget_own(own_code)

    def write(name, text=""):
        path = root / "own" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    write("__init__.py")
    yield write
    _forget_own(own_code)


def _forget_own(own_code):
    own_code.load.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "own"]:
        del sys.modules[name]
