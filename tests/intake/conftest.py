import pytest

from darkroom.intake import download


@pytest.fixture
def folder(project):
    """data/raw of an empty project; downloads wait under the project too."""
    path = project.folder / "raw"
    path.mkdir()
    return path


@pytest.fixture
def pauses(monkeypatch):
    """The pauses that were asked for; none is made."""
    asked = []
    monkeypatch.setattr("time.sleep", asked.append)
    return asked


@pytest.fixture
def small_pieces(monkeypatch):
    """A connection that breaks off loses at most one piece."""
    monkeypatch.setattr(download, "PIECE", 100)
