import socket
import time

import pytest

from darkroom.tools import doctor, machine_findings
from darkroom.tools.commands import main
from tests import make
from tests.tools.conftest import git


class Answered:
    """Instead of a probe in a process: what it would have said."""

    def __init__(self, name, *arguments):
        self._name = name

    def answer(self, until):
        return {"pytorch": ("none", "2.15.0, built for the CPU")}.get(self._name, ("ok", "reached"))

    def end(self):
        pass


def test_the_whole_list_ends_with_what_is_wrong(home, project, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "Probe", Answered)
    monkeypatch.setattr(machine_findings, "_driver", lambda: "")
    with pytest.raises(SystemExit) as caught:
        main(["doctor"])
    out = capsys.readouterr().out
    assert caught.value.code == 1
    assert "problem  git          experiments are commits, and Git does not know who you are" in out
    assert "warning  packages     1 of 1 are not as in requirements.txt: pytest " in out
    assert "problems: git; warnings: packages" in out
    git("config", "user.name", "one")
    git("config", "user.email", "a@b.c")
    main(["doctor"])
    assert "problems: none; " in capsys.readouterr().out


def test_a_mistake_in_the_parameters_is_a_problem_like_others(home, project, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "Probe", Answered)
    project.set(train__lr=-1)
    assert not doctor.run()
    assert "problem  parameters   params.yaml: train.lr is -1" in capsys.readouterr().out


def test_what_the_first_version_left_is_told_and_each_name_stands_once_at_the_end(home, project, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "Probe", Answered)
    make.edit(project.params, {"split.stable": ..., "train.fraction": ...})
    old = {"path": "a.zip", "channels": 1, "image_size": 8, "train": "a/*", "test": "b/*"}
    make.edit(project.datasets, {"old": old, "wrong": old | {"train": []}})
    assert not doctor.run()
    out = capsys.readouterr().out
    assert "add `stable: auto` below split, `fraction: 1.0` below train" in out
    assert 'write train: "a/**"' in out
    assert 'write test: "b/**"' in out
    assert "problems: parameters, git; warnings: datasets.yaml, packages" in out
    project.set(dataset="wrong", split__stable="auto", train__fraction=1.0)
    assert not doctor.run()
    assert capsys.readouterr().out.count("an empty list reaches nothing") == 1
    project.set(dataset="old")
    doctor.run()
    assert (
        "split        split.use_given_test is auto: the makers' test pictures of old are kept"
        in capsys.readouterr().out
    )


def test_remotes_are_asked_one_by_one(home, monkeypatch):
    monkeypatch.setattr(doctor, "Probe", lambda *arguments: arguments)
    probed = {}
    (finding,) = doctor._remotes(probed)
    assert "dvc remote add" in finding.text
    with (home.parent / ".dvc" / "config").open("a") as config:
        config.write("['remote \"one\"']\n    url = /one\n['remote \"two\"']\n    url = s3://two\n")
    (finding,) = doctor._remotes(probed)
    assert (finding.state, "dvc remote default one" in finding.text) == ("warning", True)
    assert probed == {"remote one": ("remote", "one"), "remote two": ("remote", "two")}


def test_a_probe_that_does_not_answer_is_given_up(monkeypatch):
    monkeypatch.setattr(doctor, "LIMIT", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        probe = doctor.Probe("mlflow", f"http://127.0.0.1:{silent.getsockname()[1]}")
        state, text = probe.answer(time.monotonic() - 1)
    assert (state, "no answer within 0.2 s: run this again when the machine is less busy" in text) == (
        "warning",
        True,
    ), text
    state, text = doctor.Probe("no such probe").answer(time.monotonic() + 60)
    assert (state, "KeyError" in text) == ("problem", True)
