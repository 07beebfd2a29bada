"""dvc.yaml: what each stage reads and writes."""

import pytest

from darkroom.base import graph


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return (tmp_path / "dvc.yaml").write_text


def test_paths_may_have_options(given):
    given(
        "stages:\n  split:\n    cmd: x\n    deps: [a, b]\n    outs: [c, {d: {cache: false}}]\n  report:\n    cmd: y\n"
    )
    assert graph.stages() == {"split": (["a", "b"], ["c", "d"]), "report": ([], [])}
