"""A recorded run is laid out in a clone, made again, and compared with its record."""

import hashlib
import json
import platform
import shutil

import pytest

from darkroom.base.errors import UserError
from darkroom.base.files import read_json, write_json, write_text
from darkroom.config.yaml_files import dump, read_yaml
from darkroom.tools import fresh_clone, recorded_run, reproduce
from darkroom.tracking import provenance
from tests import make
from tests.conftest import ROOT
from tests.repository import git, make_repository, run, runs

GRAPH = {"stages": {"draw": {"cmd": "", "outs": ["drawn.json"]}, "sum": {"cmd": "", "outs": ["sum.txt"]}}}


def make_outputs(root):
    """What two stages would make there of the code in own/ and the parameters; they are written into dvc.lock."""
    code = "".join(path.read_text() for path in sorted((root / "own").glob("*.py")))
    seed = read_yaml(root / "params.yaml")["train"]["seed"]
    write_text(root / "drawn.json", json.dumps({"code": code, "seed": seed}))
    write_text(root / "sum.txt", "always the same")
    stages = {
        name: {"cmd": "", "outs": [{"path": path, "md5": hashlib.md5((root / path).read_bytes()).hexdigest()}]}
        for name, (path,) in ((name, stage["outs"]) for name, stage in GRAPH["stages"].items())
    }
    write_text(root / "dvc.lock", dump({"stages": stages}))


@pytest.fixture
def repository(request, tmp_path, monkeypatch):
    """A project under Git, at the root of the repository or in the folder that a test names, as the working folder."""
    folder = tmp_path / "repository" / getattr(request, "param", "")
    for name, text in (("own/code.py", "old"), (".dvc/config", ""), ("dvc.yaml", dump(GRAPH)), (".gitignore", "/*.*")):
        write_text(folder / name, text)
    for name in ("params.yaml", "datasets.yaml"):
        shutil.copy(ROOT / name, folder)
    git(folder, "init", "-q", tmp_path / "repository")
    git(folder, "add", "-f", ".")
    git(folder, "commit", "-qm", "first")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(fresh_clone, "cache", lambda: tmp_path / "no cache")
    return folder


@pytest.fixture
def recorded(repository, tmp_path, monkeypatch):
    """The record of a run that was made there with other code, a new file of own/, and another seed."""
    monkeypatch.setattr(provenance, "lock_is_of_this_model", lambda: True)
    monkeypatch.delenv("DVC_EXP_NAME", raising=False)

    def write(**changes):
        write_text(repository / "own" / "code.py", "new")
        write_text(repository / "own" / "more.py", "more")
        make.edit(repository / "params.yaml", {"train.seed": 7})
        make_outputs(repository)
        folder = tmp_path / "provenance"
        folder.mkdir()
        provenance.write_state(folder, {})
        write_json(folder / "machine.json", provenance.this_machine())
        write_text(folder / "packages.txt", provenance.packages())
        write_json(folder / "state.json", read_json(folder / "state.json") | changes)
        git(repository, "stash", "-q", "--include-untracked")
        return recorded_run.read("run warm-sun", folder)

    return write


@pytest.fixture
def rebuilt(monkeypatch):
    """In place of DVC: the two outputs are made in the clone, after `spoil` has had its way there."""

    def by(spoil=lambda root: None):
        def rebuild(root, stages, taken, advice):
            spoil(root)
            (root / ".dvc" / "tmp").mkdir()  # as DVC does
            make_outputs(root)
            git(root, "ls-files", "--error-unmatch", "own/more.py")  # a stage refuses what Git does not track
            yield from stages

        monkeypatch.setattr(fresh_clone, "rebuild", rebuild)

    return by


@pytest.mark.parametrize("repository", ["", "project/below"], ids=["at the root", "in a folder"], indirect=True)
def test_a_run_of_a_dirty_tree_is_made_again_from_its_record(recorded, rebuilt, repository, capsys):
    rebuilt()
    assert reproduce.run(recorded())
    printed = capsys.readouterr().out
    assert "run warm-sun: commit " in printed
    assert "3 changed files" in printed
    assert "packages and processor are those of the record" in printed
    assert "    the same bytes: drawn.json\n" in printed
    assert "reproduced: 2 outputs have the same bytes as in run warm-sun, " in printed
    assert "warning" not in printed
    assert read_yaml(repository / "params.yaml")["train"]["seed"] == 42
    assert not (repository / "own" / "more.py").exists()


def test_each_output_is_compared_and_the_machine_is_a_reason(recorded, rebuilt, tmp_path, capsys):
    rebuilt(lambda root: write_text(root / "own" / "code.py", "spoiled"))
    record = recorded()
    write_json(record.folder / "machine.json", read_json(record.folder / "machine.json") | {"processor": "an abacus"})
    write_text(record.folder / "packages.txt", provenance.packages() + "abacus==1.0\n")
    assert not reproduce.run(record)
    printed = capsys.readouterr().out
    assert "    other bytes: drawn.json: " in printed
    assert "    the same bytes: sum.txt\n" in printed
    reasons = printed.partition("what may be the reason:\n")[2].splitlines()
    assert reasons[0] == "  stage draw is the first that differs"
    assert reasons[1] == "  packages differ from the record: abacus missing (the run had 1.0)"
    assert reasons[2].endswith("(the run had an abacus)")
    assert reasons[3].startswith("not reproduced: 1 of 2 outputs have other bytes than in run warm-sun, ")


def test_what_is_not_compared_is_told(recorded, rebuilt, capsys):
    rebuilt()
    record = recorded(masked=["datasets.yaml"])
    assert reproduce.run(record._replace(stages={"draw": record.stages["draw"]}))
    printed = capsys.readouterr().out
    assert "warning: addresses in datasets.yaml are recorded without user and password" in printed
    assert "warning: the run recorded no hash of sum, which is not compared" in printed


def test_files_that_people_write_are_taken_as_recorded_whatever_the_changes_say_of_them(recorded, rebuilt):
    """A password in one of them is masked in the changes, too, which then do not fit the commit."""
    rebuilt()
    record = recorded()
    diff = record.folder / "changes.diff"
    write_text(diff, diff.read_text().replace("  seed: 42", "  seed: ..."))
    assert reproduce.run(record)


def test_an_output_of_which_no_hash_is_recorded_is_no_difference(tmp_path, capsys):
    was, now = ({"outs": [{"path": path, "md5": path} for path in paths]} for paths in (["a"], ["a", "b"]))
    assert reproduce.compared(tmp_path, was, now, tmp_path) == []
    assert capsys.readouterr().out == "    the same bytes: a\n"


def test_a_commit_that_is_not_here_is_one_sentence(recorded, rebuilt):
    with pytest.raises(UserError, match=r"^commit c0ffee0 of run warm-sun is not in this clone: `git fetch --all`"):
        reproduce.run(recorded(commit="c0ffee0" + "0" * 33))


def test_changes_that_do_not_fit_are_refused(recorded, rebuilt):
    rebuilt()
    record = recorded()
    diff = record.folder / "changes.diff"
    write_text(diff, diff.read_text().replace("-old", "-older"))
    with pytest.raises(UserError, match=r"the recorded changes do not fit commit .* \(patch failed: .*own/code.py"):
        reproduce.run(record)


def test_a_file_too_large_for_the_record_comes_from_the_experiment(recorded, rebuilt, repository, monkeypatch, capsys):
    rebuilt()
    monkeypatch.setattr(provenance, "MAX_DIFF", 10)
    reference = "refs/exps/c0/ffee/warm-sun"
    record = recorded(experiment="warm-sun", experiment_ref=reference)
    assert record.state["left_out"] == ["own/code.py", "params.yaml", "own/more.py"]
    told = r"leaves out own/code.py, params.yaml, own/more.py, too large for it: `dvc exp pull origin warm-sun`"
    with pytest.raises(UserError, match=told):
        reproduce.run(record)
    git(repository, "stash", "pop", "-q")
    git(repository, "add", "own", "params.yaml")
    git(repository, "commit", "-qm", "what DVC commits of an experiment")
    git(repository, "update-ref", reference, "HEAD")
    git(repository, "reset", "-q", "--hard", "HEAD~1")
    assert reproduce.run(record)


def test_the_record_of_this_machine_names_what_a_result_may_hang_on():
    assert {"processor", "cores", "machine", "python"} <= set(provenance.this_machine())
    assert provenance.this_machine()["python"] == platform.python_version()


@pytest.mark.slow
def test_an_experiment_with_an_own_augmentation_is_reproduced_in_another_clone(tmp_path):
    (tmp_path / "first").mkdir()
    first = make_repository(tmp_path / "first")
    second = tmp_path / "second"
    run(tmp_path, "git", "clone", "-q", "first", "second")
    own = (first / "own" / "augmentation.py").read_text()
    write_text(first / "own" / "mine.py", own.replace("20 * draw", "30 * draw"))
    augment = 'augment=[{function: {name: "own.mine:noise"}}]'
    run(first, "dvc", "exp", "run", "-n", "mine", "-S", augment, "-S", "train.epochs=1")
    store = {"MLFLOW_TRACKING_URI": f"sqlite:///{first / 'mlflow.db'}"}
    known = len(runs(first)[1])
    printed = run(second, "python", "-m", "darkroom", "reproduce", "mine", **store)
    assert "reproduced: " in printed
    assert "of 15  report\n" in printed
    assert len(runs(first)[1]) == known == 1
    assert not (second / "mlflow.db").exists()
    assert run(second, "git", "status", "--porcelain") == ""
