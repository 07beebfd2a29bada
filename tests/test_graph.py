"""dvc.yaml against the code: what it lists is what the stages import, read and write."""

from pathlib import Path

import pytest
import yaml

from darkroom import paths
from darkroom.catalog import Entry
from darkroom.params import Params
from darkroom.schema import keys
from tests.imports import imported_files

ROOT = Path(__file__).resolve().parent.parent
GRAPH = yaml.safe_load((ROOT / "dvc.yaml").read_text())
STAGES = GRAPH["stages"]


def outputs(stage):
    return [next(iter(item)) if isinstance(item, dict) else item for item in STAGES[stage]["outs"]]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_every_module_it_imports_and_on_no_other(stage):
    listed = {path for path in STAGES[stage]["deps"] if path.endswith(".py")}
    assert listed == imported_files(ROOT / "stages" / f"{stage}.py", ROOT)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_the_module_of_its_name_and_says_what_it_does(stage):
    assert STAGES[stage]["cmd"] == f"python -m stages.{stage}"
    assert STAGES[stage]["desc"]


def test_every_module_of_stages_is_a_stage():
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"} == set(STAGES)


def test_every_path_stands_in_one_place():
    known = {value.as_posix() for value in vars(paths).values() if isinstance(value, Path)}
    used = {path for stage in STAGES for path in outputs(stage)}
    used |= {path for stage in STAGES.values() for path in stage["deps"] if not path.endswith(".py")}
    assert used <= known
    assert {"metrics/" + Path(path).name for path in GRAPH["metrics"]} <= known
    inside_folders = {path for path in known if any(path.startswith(folder + "/") for folder in used)}
    assert known - inside_folders - used == {"params.yaml", "datasets.yaml"}


def test_no_path_is_spelled_out_elsewhere():
    names = [value.as_posix() for value in vars(paths).values() if isinstance(value, Path) and "/" in value.as_posix()]
    for module in [*ROOT.glob("darkroom/*.py"), *ROOT.glob("stages/*.py")]:
        if module.name != "paths.py":
            code = "\n".join(line for line in module.read_text().splitlines() if '"""' not in line)
            assert not [name for name in names if f'"{name}"' in code], module


def test_no_key_has_a_name_to_which_the_run_cache_is_blind():
    # DVC leaves `size` and `nfiles` out of the hash by which it finds earlier results, wherever they stand.
    for model in (Params, Entry):
        assert not {key.rpartition(".")[2] for key in keys(model)} & {"size", "nfiles"}


def test_parameters_of_a_stage_exist():
    sections = set(Params.model_fields)
    for stage in STAGES.values():
        plain = {key for key in stage.get("params", []) if isinstance(key, str)}
        assert plain <= sections
        if plain & {"dataset"}:
            assert {"datasets.yaml": ["${dataset}"]} in stage["params"]
