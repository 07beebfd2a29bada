from pathlib import Path

from darkroom.base import paths


def test_the_root_is_the_repository_also_in_a_copy_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert paths.root() == tmp_path
    monkeypatch.setenv("DVC_ROOT", "/repository")
    assert paths.root() == Path("/repository")


def test_the_project_is_the_nearest_folder_with_a_pipeline_and_parameters(tmp_path):
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    assert paths.project(inner) is None
    for folder, names in ((tmp_path, ["dvc.yaml", "params.yaml"]), (tmp_path / "a", ["params.yaml", "dvc.yaml"])):
        before = paths.project(inner)
        (folder / names[0]).touch()
        assert paths.project(inner) == before  # with one of them it is none
        (folder / names[1]).touch()
        assert paths.project(inner) == folder
