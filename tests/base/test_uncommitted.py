"""The first stage that DVC runs says what differs from the committed parameters."""

import os
import shutil

import pytest

from darkroom.base import uncommitted
from darkroom.config.yaml_files import dump
from tests import make
from tests.conftest import ROOT
from tests.repository import run

PARAMS = {"dataset": "digits", "train": {"lr": "auto", "epochs": "auto", "clip": None, "layers": [1, 2]}}
DATASETS = {"digits": {"image_size": 8, "recipe": {"train.lr": 0.1}}, "mnist": {"image_size": 28}}
GRAPH = {
    "stages": {
        "one": {"cmd": "python say.py one", "params": ["train.lr"], "outs": ["one"]},
        "two": {"cmd": "python say.py two", "params": ["train.epochs"], "deps": ["one"], "outs": ["two"]},
        "three": {
            "cmd": "sh -c 'python say.py three; true'",
            "params": ["dataset"],
            "deps": ["two"],
            "outs": ["three"],
        },
    }
}
SAY = """
import pathlib, sys
from darkroom.base.console import run
def main():
    pathlib.Path(sys.argv[1]).write_text(pathlib.Path("params.yaml").read_text())
    print("stage", sys.argv[1])
run(main)
"""


def started(folder, *init):
    """A repository of three quick stages, run and committed."""
    for name, content in (("params.yaml", PARAMS), ("datasets.yaml", DATASETS), ("dvc.yaml", GRAPH)):
        (folder / name).write_text(dump(content))
    (folder / "say.py").write_text(SAY)
    for command in (*init, ["dvc", "repro"]):
        run(folder, *command, PYTHONPATH=str(ROOT))
    return folder


GIT = (["git", "init", "-q"], ["git", "config", "user.email", "a@example.com"], ["git", "config", "user.name", "a"])


@pytest.fixture(scope="module")
def committed(tmp_path_factory):
    folder = started(tmp_path_factory.mktemp("committed"), *GIT, ["dvc", "init", "-q"])
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "run")
    return folder


@pytest.fixture
def repository(committed, tmp_path):
    return shutil.copytree(committed, tmp_path / "repository")


def said(repository, *command):
    """What the stages print when DVC runs them."""
    printed = run(repository, *command, PYTHONPATH=str(ROOT)).splitlines()
    return [line for line in printed if line.startswith(("stage ", "params.yaml ", "datasets.yaml "))]


def test_nothing_is_said_where_nothing_differs(repository):
    assert said(repository, "dvc", "repro", "--force") == ["stage one", "stage two", "stage three"]
    text = (repository / "params.yaml").read_text()
    (repository / "params.yaml").write_text("# a comment\n" + text)
    assert said(repository, "dvc", "repro", "--force") == ["stage one", "stage two", "stage three"]


def test_the_first_stage_alone_says_what_differs_in_each_run_anew(repository):
    differs = "params.yaml differs from the last commit: train.lr 0.001 (committed: auto)"
    found = said(repository, "dvc", "exp", "run", "-S", "train.lr=0.001")
    assert found == [differs, "stage one", "stage two", "stage three"]
    # The value has stayed in the file; DVC skips the stage that it concerns, so the next one speaks.
    both = f"{differs}, train.epochs 5 (committed: auto)"
    assert said(repository, "dvc", "exp", "run", "-S", "train.epochs=5") == [both, "stage two", "stage three"]
    assert said(repository, "dvc", "repro", "--force", "two")[0] == both
    assert "one" not in run(repository, "git", "status", "--short", "--untracked-files=all", ".dvc")


@pytest.mark.parametrize("where", ["--temp", pytest.param("--queue", marks=pytest.mark.slow)])
def test_copies_are_held_against_the_commit_of_the_user(repository, where):
    make.edit(repository / "params.yaml", {"train.epochs": 5})
    found = said(repository, "dvc", "exp", "run", where, "-n", "try", "-S", "dataset=mnist")
    if where == "--queue":
        found = said(repository, "dvc", "exp", "run", "--run-all")
    assert found == [
        "params.yaml differs from the last commit: dataset mnist (committed: digits), train.epochs 5 (committed: auto)",
        "stage two",
        "stage three",
    ]


def test_a_stage_run_by_hand_says_nothing(repository):
    make.edit(repository / "params.yaml", {"train.lr": 3})
    assert said(repository, "python", "say.py", "one") == ["stage one"]


def test_without_git_nothing_is_said(tmp_path):
    started(tmp_path, ["dvc", "init", "-q", "--no-scm"])
    make.edit(tmp_path / "params.yaml", {"train.lr": 3})
    assert said(tmp_path, "dvc", "repro") == ["stage one", "stage two", "stage three"]


@pytest.fixture
def changed(repository, monkeypatch):
    monkeypatch.chdir(repository)

    def lines(params=None, datasets=None):
        make.edit(repository / "params.yaml", params or {})
        make.edit(repository / "datasets.yaml", datasets or {})
        return list(uncommitted.differences())

    return lines


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"train.clip": 1.5}, "train.clip 1.5 (committed: null)"),
        ({"train.lr": None}, "train.lr null (committed: auto)"),
        ({"train.layers": []}, "train.layers [] (committed: [1, 2])"),
        ({"train.layers": [{"flip": {}}]}, 'train.layers [{"flip": {}}] (committed: [1, 2])'),
        ({"train.lr": ...}, "train.lr left out (committed: auto)"),
        ({"train.more": True}, "train.more true (not committed)"),
        ({"train.lr": "x" * 100}, f"train.lr {'x' * 57}... (committed: auto)"),
        ({"train": 5}, "train 5 (not committed), train.lr left out (committed: auto), train.epochs left out"),
    ],
)
def test_a_change_is_named_with_both_values(changed, change, says):
    (line,) = changed(change)
    assert line.startswith(f"params.yaml differs from the last commit: {says}")


def test_of_the_catalogue_the_entry_in_use_counts(changed):
    assert changed(datasets={"mnist.image_size": 14, "other": {"image_size": 3}}) == []
    assert changed(datasets={"digits.image_size": 16}) == [
        "datasets.yaml differs from the last commit: digits.image_size 16 (committed: 8)"
    ]
    params, datasets = changed({"dataset": "other"})
    assert params == "params.yaml differs from the last commit: dataset other (committed: digits)"
    assert datasets == "datasets.yaml differs from the last commit: the entry other is not committed"


def test_a_file_that_git_does_not_have_is_passed_over(changed, repository):
    run(repository, "git", "rm", "-q", "--cached", "params.yaml")
    run(repository, "git", "commit", "-qm", "without")
    assert changed({"train.lr": 3}) == []
    assert len(changed(datasets={"digits.image_size": 16})) == 1


def test_in_a_folder_of_a_larger_repository_the_files_of_the_folder_count(tmp_path, monkeypatch):
    (tmp_path / "inner").mkdir()
    for place, size in ((tmp_path, 1), (tmp_path / "inner", 2)):
        (place / "params.yaml").write_text(dump(PARAMS | {"size": size}))
        (place / "datasets.yaml").write_text(dump(DATASETS))
    for command in (*GIT, ["git", "add", "-A"], ["git", "commit", "-qm", "all"]):
        run(tmp_path, *command)
    monkeypatch.chdir(tmp_path / "inner")
    assert list(uncommitted.differences()) == []
    make.edit(tmp_path / "inner" / "params.yaml", {"size": 3})
    assert list(uncommitted.differences()) == ["params.yaml differs from the last commit: size 3 (committed: 2)"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / ".git" / "HEAD").write_text("nonsense"),
        lambda folder: (folder / "params.yaml").write_text("a: [1"),
        lambda folder: (folder / "params.yaml").unlink(),
        lambda folder: (folder / "datasets.yaml").write_text("- 1"),
        lambda folder: (folder / "params.yaml").write_text("dataset: nosuch"),
        lambda folder: (folder / "params.yaml").write_bytes(b"\xff"),
        lambda folder: shutil.rmtree(folder / ".dvc"),
    ],
)  # fmt: skip
def test_whatever_is_damaged_the_stage_goes_on(repository, damage, monkeypatch, capfd):
    make.edit(repository / "datasets.yaml", {"digits.image_size": 16})
    damage(repository)
    monkeypatch.chdir(repository)
    monkeypatch.setenv("DVC_STAGE", "one")
    uncommitted.print_differences()
    printed = capfd.readouterr()
    assert printed.err == ""
    assert printed.out == "" or "differs" in printed.out


def test_where_there_is_no_git_program_the_stage_goes_on(repository, monkeypatch, capfd):
    make.edit(repository / "params.yaml", {"train.lr": 3})
    monkeypatch.chdir(repository)
    monkeypatch.setenv("DVC_STAGE", "one")
    monkeypatch.setenv("PATH", "")
    uncommitted.print_differences()
    assert capfd.readouterr() == ("", "")


def test_a_mark_of_an_earlier_process_of_the_same_number_does_not_silence(repository, monkeypatch, capsys):
    make.edit(repository / "params.yaml", {"train.lr": 3})
    monkeypatch.chdir(repository)
    monkeypatch.setenv("DVC_STAGE", "one")
    uncommitted.print_differences()
    assert "train.lr 3 (committed: auto)" in capsys.readouterr().out
    uncommitted.print_differences()
    assert capsys.readouterr().out == ""
    number, began = uncommitted.MARK.read_text().split()
    assert int(number) == os.getppid()
    uncommitted.MARK.write_text(f"{number} {float(began) - 60}")
    uncommitted.print_differences()
    assert "train.lr 3 (committed: auto)" in capsys.readouterr().out
