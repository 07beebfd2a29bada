"""What the files of a revision say of its figures: whose they are, or why nobody may believe them."""

import copy
import hashlib
import json
import subprocess

import pytest

from darkroom.base import paths
from darkroom.config.yaml_files import dump
from darkroom.tools import run_records
from darkroom.tools.experiments import RunRecord

FIGURES = b'{"val": {"accuracy": 0.9}}\n'
PARAMS = {"dataset": "toy", "split": {"seed": 1}, "train": {"lr": 0.1, "epochs": 3}, "errors": {"worst": 4}}
DATASETS = {"toy": {"size": 8}, "other": {"size": 9}}


def digest(content):
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def stage(deps, outs, **params):
    def listed(files):
        return [{"path": path, "hash": "md5", "md5": md5} for path, md5 in files.items()]

    return {"cmd": "python -m stages.x", "deps": listed(deps), "outs": listed(outs), "params": params}


def lock():
    data = {"data/images/index.parquet": "i1"}
    evaluate = {**data, "data/split.parquet": "s1", "models/model.safetensors": "m1", "darkroom/analysis": "c3"}
    return {
        "extract": stage({"darkroom/intake": "c0"}, {"data/images": "d1.dir"}, **{"params.yaml": {"dataset": "toy"}}),
        "split": stage(
            {**data, "darkroom/dataset": "c1"},
            {"data/split.parquet": "s1"},
            **{"params.yaml": {"dataset": "toy", "split": {"seed": 1}}, "datasets.yaml": {"toy": {"size": 8}}},
        ),
        "train": stage(
            {**data, "data/split.parquet": "s1", "darkroom/training": "c2", "own": "c4"},
            {"models/model.safetensors": "m1"},
            **{"params.yaml": {"train.lr": 0.1, "train.epochs": 3}},
        ),
        "evaluate": stage(evaluate, {"metrics/evaluate.json": digest(FIGURES)}),
        "errors": stage({"metrics/evaluate.json": "x"}, {"e": "e1"}, **{"params.yaml": {"errors": {"worst": 99}}}),
    }


def files(stages=None, figures=FIGURES, **params):
    stages = lock() if stages is None else stages
    settings = copy.deepcopy(PARAMS)
    for key, value in params.items():
        section, _, name = key.partition("__")
        settings[section] = settings[section] | {name: value} if name else value
    return {
        "dvc.lock": dump({"schema": "2.0", "stages": stages}).encode(),
        "dvc.yaml": dump({"stages": {name: {} for name in lock()}}).encode(),
        "params.yaml": dump(settings).encode(),
        "datasets.yaml": dump(DATASETS).encode(),
        "metrics/evaluate.json": figures,
    }


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


def changed(change):
    stages = lock()
    change(stages)
    return stages


def test_a_whole_run_is_not_doubted_and_has_its_hashes():
    found = run_records.read(files())
    assert found.doubt == ""
    assert found.division == "s1"
    assert len(found.data) == len(found.code) == 32


def test_a_later_stage_and_another_entry_are_not_asked():
    later = files(errors__worst=5) | {"datasets.yaml": dump(DATASETS | {"other": {"size": 10}}).encode()}
    assert run_records.read(later) == run_records.read(files())


@pytest.mark.parametrize(
    ("params", "doubt"),
    [
        ({"train__lr": 0.2}, "its stage train did not run with its parameters (train.lr was 0.1, is 0.2)"),
        ({"split__seed": 7}, "its stage split did not run with its parameters (split.seed was 1, is 7)"),
        ({"split__new": 7}, "its stage split did not run with its parameters (split.new was absent, is 7)"),
        ({"dataset": "other"}, "its stage extract did not run with its parameters (dataset was toy, is other)"),
        ({"train": {"lr": 0.1}}, "its stage train did not run with its parameters (train.epochs was 3, is absent)"),
    ],
)
def test_other_parameters_are_told(params, doubt):
    assert run_records.read(files(**params)).doubt == doubt


def test_another_entry_of_the_data_set_is_told():
    found = run_records.read(files() | {"datasets.yaml": dump({"toy": {"size": 16}}).encode()})
    assert found.doubt == "its stage split did not run with its parameters (toy.size was 8, is 16)"


def test_a_run_that_stopped_at_the_split_is_told():
    """DVC has then written the new split into dvc.lock, and left the stages after it as they were."""

    def stop(stages):
        stages["split"]["outs"][0]["md5"] = "s2"
        stages["split"]["params"]["params.yaml"]["split"]["seed"] = 7

    found = run_records.read(files(changed(stop), split__seed=7))
    assert found.doubt == "its stage train did not read what split wrote (data/split.parquet)"


def test_a_model_that_was_not_evaluated_is_told():
    found = run_records.read(files(changed(lambda stages: stages["train"]["outs"][0].update(md5="m2"))))
    assert found.doubt == "its stage evaluate did not read what train wrote (models/model.safetensors)"


@pytest.mark.parametrize("path", ["darkroom/base", "data/images/index.parquet"])
def test_stages_that_ran_with_different_code_or_data_are_told(path):
    """An experiment that changed code and stopped at `split` has run this stage with it, and no later one."""

    def change(stages):
        for name in ("split", "train"):
            stages[name]["deps"] = [item for item in stages[name]["deps"] if item["path"] != path]
            stages[name]["deps"].append({"path": path, "md5": name})

    found = run_records.read(files(changed(change)))
    assert found.doubt == f"its stages split and train did not read the same {path}"


@pytest.mark.parametrize(("md5", "doubted"), [("i1", False), ("i2", True)])
def test_files_in_a_folder_are_checked_where_the_cache_lists_them(tmp_path, md5, doubted):
    listing = tmp_path / ".dvc" / "cache" / "files" / "md5" / "d1" / ".dir"
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps([{"relpath": "index.parquet", "md5": md5}]))
    assert ("did not read what extract wrote" in run_records.read(files()).doubt) == doubted


def test_figures_of_another_run_are_told():
    assert run_records.read(files(figures=b"{}")).doubt == (
        "its metrics/evaluate.json is not the file that its dvc.lock records"
    )
    assert run_records.read(files(figures=None)).doubt == ""  # DVC keeps it, under the recorded hash


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        (None, "its dvc.lock records no stage that wrote metrics/evaluate.json"),
        (b"", "its dvc.lock records no stage that wrote metrics/evaluate.json"),
        (b"stages: {evaluate: [}", "its dvc.lock or dvc.yaml cannot be read (ParserError)"),
        (b"stages: 3", "its dvc.lock or dvc.yaml cannot be read (TypeError)"),
        (b"\xff", "its dvc.lock or dvc.yaml cannot be read (ReaderError)"),
    ],
)
def test_a_lock_that_says_nothing_is_told(content, doubt):
    assert run_records.read(files() | {"dvc.lock": content}) == RunRecord(doubt)


def test_a_stage_that_left_the_pipeline_is_not_asked():
    old = changed(lambda stages: stages.update(old=stage({}, {"metrics/evaluate.json": "o1"})))
    assert run_records.read(files(old)) == run_records.read(files())


@pytest.mark.parametrize(
    ("path", "differs"),
    [
        ("darkroom/training", ("code",)),
        ("own", ("code",)),
        ("darkroom/analysis", ()),
        ("data/images/index.parquet", ("data",)),
        ("data/split.parquet", ("division",)),
    ],
)
def test_each_hash_is_about_its_own(path, differs):
    def change(stages):
        for one in stages.values():
            for item in [*one["deps"], *one["outs"]]:
                if item["path"] == path:
                    item["md5"] = "z9"

    before, after = run_records.read(files()), run_records.read(files(changed(change)))
    assert after.doubt == ""
    assert tuple(key for key in ("data", "division", "code") if getattr(before, key) != getattr(after, key)) == differs


def test_files_of_revisions_are_read_from_git(tmp_path, monkeypatch):
    monkeypatch.delenv("GIT_DIR", raising=False)
    for path, content in files().items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    identity = ["-c", "user.name=one", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "start"]):
        subprocess.run(["git", *command], check=True)
    found = run_records.files_of(["HEAD", "workspace", "HEAD"])
    assert set(found) == {"HEAD", "workspace"}
    assert found["HEAD"] == files() | {paths.SPLIT_TABLE.as_posix(): None}
    assert set(found["workspace"].values()) == {None}
