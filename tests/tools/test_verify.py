import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from darkroom.base.files import write_text
from darkroom.config import params
from darkroom.config.yaml_files import dump, read_yaml
from darkroom.tools import verify
from tests import make
from tests.conftest import ROOT
from tests.test_pipeline import make_repository, run

GRAPH = {
    "stages": {
        "draw": {
            "cmd": "python draw.py",
            "deps": ["draw.py"],
            "params": ["train.seed"],
            "outs": ["drawn.csv", {"metrics.json": {"cache": False}}],
        },
        "sum": {"cmd": "python sum.py", "deps": ["drawn.csv", "sum.py"], "outs": ["sums"]},
    }
}
DRAW = """
import json, pathlib, random
from ruamel.yaml import YAML
draws = random.Random(YAML(typ="safe").load(open("params.yaml"))["train"]["seed"])
numbers = [draws.randrange(10**6) for _ in range(9)]
pathlib.Path("drawn.csv").write_text("\\n".join(["number", *map(str, numbers), ""]))
pathlib.Path("metrics.json").write_text(json.dumps({"largest": max(numbers)}))
"""
SUM = """
import os, pathlib, time
time.sleep(60 if os.environ.get("SLOW") else 0)
pathlib.Path("sums").mkdir()
for name in "ab":
    pathlib.Path("sums", name + ".txt").write_text(name + pathlib.Path("drawn.csv").read_text())
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A repository of two quick stages, run and committed."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, folder)
    (folder / "dvc.yaml").write_text(dump(GRAPH))
    (folder / "draw.py").write_text(DRAW)
    (folder / "sum.py").write_text(SUM)
    run(folder, "git", "init", "-q")
    run(folder, "git", "config", "user.email", "test@example.com")
    run(folder, "git", "config", "user.name", "test")
    run(folder, "dvc", "init", "-q")
    run(folder, "dvc", "repro")
    commit(folder)
    return folder


@pytest.fixture
def repository(made, tmp_path):
    return shutil.copytree(made, tmp_path / "repository", symlinks=True)


def commit(folder):
    run(folder, "git", "add", "-A")
    run(folder, "git", "commit", "-qm", "state")


def start(repository, tmp_path, **environment):
    """`python -m darkroom verify` there, with temporary folders below tmp_path / "temporary"."""
    (tmp_path / "temporary").mkdir(exist_ok=True)
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    variables |= {"TMPDIR": str(tmp_path / "temporary"), "PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-m", "darkroom", "verify"]
    return subprocess.Popen(
        command,
        cwd=repository,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job would pass on that it ignores Ctrl+C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def verified(repository, tmp_path):
    """Exit code and all that it prints; it must leave nothing behind, and touch nothing."""
    before = run(repository, "git", "status", "--porcelain")
    process = start(repository, tmp_path)
    printed = "".join(process.communicate())
    assert not [*(tmp_path / "temporary").glob("darkroom*")]
    assert run(repository, "git", "status", "--porcelain") == before
    return process.returncode, printed


def test_the_same_bytes_are_one_line_and_what_is_not_committed_is_named(repository, tmp_path):
    make.edit(repository / "params.yaml", {"train.seed": 7})
    code, printed = verified(repository, tmp_path)
    assert code == 0, printed
    assert "warning: the commit is verified, without what is not committed here: params.yaml" in printed
    assert "1 of 2  draw" in printed
    head = run(repository, "git", "rev-parse", "HEAD")[:7]
    assert f"3 outputs of 2 stages: the same bytes as in dvc.lock of commit {head}, " in printed
    assert printed.strip().endswith("portable mode")


def test_started_by_a_hook_of_git_it_leaves_the_repository_alone(repository, tmp_path):
    branch = run(repository, "git", "symbolic-ref", "HEAD")
    process = start(repository, tmp_path, GIT_DIR=str(repository / ".git"))
    printed = "".join(process.communicate())
    assert run(repository, "git", "symbolic-ref", "HEAD") == branch
    assert (process.returncode, "the same bytes" in printed) == (0, True), printed


def test_a_changed_seed_is_told_with_its_stage_and_figures(repository, tmp_path):
    largest = json.loads((repository / "metrics.json").read_text())["largest"]
    make.edit(repository / "params.yaml", {"train.seed": 7})
    commit(repository)
    code, printed = verified(repository, tmp_path)
    assert code == 1
    assert "draw is the first stage with other bytes: 2 of its 2 outputs" in printed
    assert "drawn.csv: number of 9 of 9 rows (row 1 was " in printed
    assert f"metrics.json: largest was {largest}, is " in printed
    assert "set otherwise since dvc.lock was written: params.yaml: train.seed was 42, is 7" in printed
    assert "sum" not in printed.replace("sums", "")


def test_a_tampered_lock_is_told_with_its_stage(repository, tmp_path):
    lock = read_yaml(repository / "dvc.lock")
    lock["stages"]["sum"]["outs"][0]["md5"] = f"{0:032}.dir"
    (repository / "dvc.lock").write_text(dump(lock))
    commit(repository)
    code, printed = verified(repository, tmp_path)
    assert code == 1
    assert "sum is the first stage with other bytes: 1 of its 1 outputs" in printed
    assert "sums: the DVC cache has no copy of what it was, so by how much is not known" in printed
    assert "another processor" in printed


def test_code_that_is_newer_than_the_lock_is_warned_of(repository, tmp_path):
    with (repository / "sum.py").open("a") as code:
        code.write("# a remark\n")
    commit(repository)
    code, printed = verified(repository, tmp_path)
    assert code == 0
    assert "warning: dvc.lock is older than what sum read" in printed


def test_a_stage_that_fails_is_named(repository, tmp_path):
    (repository / "sum.py").write_text("import helper\n" + SUM)
    (repository / "helper.py").write_text("")
    run(repository, "git", "add", "sum.py")
    run(repository, "git", "commit", "-qm", "without its helper")
    code, printed = verified(repository, tmp_path)
    assert code == 1
    assert "No module named 'helper'" in printed
    assert printed.strip().splitlines()[-1].startswith("error: stage sum fails in the clone")


def test_cut_off_it_ends_the_stage_and_leaves_nothing(repository, tmp_path):
    process = start(repository, tmp_path, SLOW="1")
    for line in process.stdout:
        if "2 of 2  sum" in line:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert not [*(tmp_path / "temporary").glob("darkroom*")]


def test_mistakes_are_one_sentence(repository, tmp_path):
    run(repository, "git", "rm", "-q", "--cached", "dvc.lock")
    run(repository, "git", "commit", "-qm", "without lock")
    code, printed = verified(repository, tmp_path)
    assert code == 1
    assert "has no dvc.lock: `dvc repro`" in printed
    (tmp_path / "empty").mkdir()
    process = start(tmp_path / "empty", tmp_path)
    assert make.is_one_line(process.communicate()[1])
    assert process.returncode == 1


def test_likely_causes_name_the_mode_the_packages_and_the_processor(project, tmp_path):
    write_text(tmp_path / "requirements.txt", "numpy==0.1\n")
    project.set(train__portable=False)
    settings, _ = params.load()
    stage = {"outs": [{"path": "models/model.safetensors", "md5": ""}]}
    said = list(verify.likely_causes(stage, settings, [" M stages/train.py"]))
    assert [word for word, line in zip(("portable", "numpy", "stages/train.py", "processor"), said, strict=True)
            if word in line] == ["portable", "numpy", "stages/train.py", "processor"]  # fmt: skip
    assert "portable" not in "".join(verify.likely_causes({"outs": []}, settings, []))


@pytest.mark.slow
def test_the_pipeline_itself(tmp_path):
    (tmp_path / "repository").mkdir()
    repository = make_repository(tmp_path / "repository")
    run(repository, "dvc", "repro")
    commit(repository)
    code, printed = verified(repository, tmp_path)
    assert code == 0, printed
    assert "of 12 stages: the same bytes" in printed
    make.edit(repository / "params.yaml", {"train.seed": 7})
    commit(repository)
    code, printed = verified(repository, tmp_path)
    assert code == 1
    assert "train is the first stage with other bytes" in printed
    assert "tensors, by at most" in printed
    assert "params.yaml: train.seed was 42, is 7" in printed
