"""A store of runs for each test that wants a real one; making one takes seconds, copying one does not."""

import shutil

import mlflow
import pytest

from darkroom.tracking import store


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    file = tmp_path_factory.mktemp("store") / "store.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def real_store(empty_store, tmp_path, monkeypatch):
    """The address of an empty store, which is the one that is used."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    address = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    store.client.cache_clear()
    yield address
    store.client.cache_clear()
