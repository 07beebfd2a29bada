"""dvc.yaml against the code: what it lists is what the stages import, read and write."""

from pathlib import Path

import pytest

from darkroom.base import paths
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params
from darkroom.config.yaml_files import keys, read_yaml
from tests.imports import direct, imported_files

ROOT = Path(__file__).resolve().parent.parent
GRAPH = read_yaml(ROOT / "dvc.yaml")
STAGES = GRAPH["stages"]
# From the ground up: a room imports from those before it alone.
ROOMS = (
    "base", "config", "pictures", "intake", "dataset", "augment", "network", "training", "classifier", "analysis",
    "drawing", "report", "tracking", "tools",
)  # fmt: skip
LOADER = "darkroom/config/own_code.py"  # of a user's own functions
RECORD = "darkroom/tracking/"  # of runs: it decides no output, and so is no dependency


def room_of(file):
    """The folder of a module of the library; a module of stages stands for itself."""
    return file.rpartition("/")[0] if file.startswith("darkroom/") else file


def outputs(stage):
    return [next(iter(item)) if isinstance(item, dict) else item for item in STAGES[stage]["outs"]]


def code(stage):
    """What a stage depends on besides data: its own module, and rooms."""
    return {path for path in STAGES[stage]["deps"] if path.startswith(("stages/", "darkroom/"))}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_every_room_it_imports_from_and_on_no_other(stage):
    files = imported_files(ROOT / "stages" / f"{stage}.py", ROOT, without=(RECORD,))
    assert code(stage) == {room_of(file) for file in files}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_the_users_own_code_where_it_can_load_some(stage):
    files = imported_files(ROOT / "stages" / f"{stage}.py", ROOT, without=(RECORD,))
    assert ("own" in STAGES[stage]["deps"]) == (LOADER in files)


def test_all_that_changes_images_or_builds_networks_can_load_own_code():
    for module in ("augment/pipeline.py", "network/architectures.py"):
        assert LOADER in imported_files(ROOT / "darkroom" / module, ROOT)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_runs_the_module_of_its_name_and_says_what_it_does(stage):
    assert STAGES[stage]["cmd"] == f"python -m stages.{stage}"
    assert STAGES[stage]["desc"]


def test_every_module_of_stages_is_a_stage():
    assert {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__"} == set(STAGES)


def test_every_path_stands_in_one_place():
    known = {value.as_posix() for value in vars(paths).values() if isinstance(value, Path)}
    used = {path for stage in STAGES for path in outputs(stage)}
    used |= {path for stage in STAGES for path in STAGES[stage]["deps"]} - {
        path for stage in STAGES for path in code(stage)
    }
    assert used <= known
    assert {"metrics/" + Path(path).name for path in GRAPH["metrics"]} <= known
    inside_folders = {path for path in known if any(path.startswith(folder + "/") for folder in used)}
    assert known - inside_folders - used == {"dvc.yaml", "params.yaml"}


def test_no_path_is_spelled_out_elsewhere():
    names = [value.as_posix() for value in vars(paths).values() if isinstance(value, Path) and "/" in value.as_posix()]
    for module in [*ROOT.glob("darkroom/**/*.py"), *ROOT.glob("stages/*.py")]:
        if module.name != "paths.py":
            code = "\n".join(line for line in module.read_text().splitlines() if '"""' not in line)
            assert not [name for name in names if f'"{name}"' in code], module


def test_no_key_has_a_name_to_which_the_run_cache_is_blind():
    # DVC leaves `size` and `nfiles` out of the hash by which it finds earlier results, wherever they stand.
    for model in (Params, Entry):
        assert not {key.rpartition(".")[2] for key in keys(model)} & {"size", "nfiles"}


def test_parameters_of_a_stage_exist():
    sections = set(Params.model_fields)
    for name, stage in STAGES.items():
        plain = {key for key in stage.get("params", []) if isinstance(key, str)}
        assert plain <= sections | set(keys(Params))
        if "dataset" in plain and name not in ("entry", "extract"):  # which read its files instead
            assert {"datasets.yaml": ["${dataset}"]} in stage["params"]


def test_dvc_looks_up_no_name_of_an_entry_before_the_first_stage_has_checked_it():
    assert "datasets.yaml" in STAGES["entry"]["deps"]
    after, made = {"entry"}, set(outputs("entry"))
    while more := {
        name
        for name in STAGES.keys() - after
        if any(path == out or path.startswith(f"{out}/") for path in STAGES[name]["deps"] for out in made)
    }:
        after |= more
        made |= {path for name in more for path in outputs(name)}
    assert after == set(STAGES)


def test_fetch_and_extract_depend_on_what_they_read_of_the_entry_alone():
    assert "params" not in STAGES["fetch"]
    assert paths.ENTRY_SOURCE.as_posix() in STAGES["fetch"]["deps"]
    assert STAGES["extract"]["params"] == ["dataset", "extract"]
    assert paths.ENTRY_LAYOUT.as_posix() in STAGES["extract"]["deps"]


def rooms():
    return [path.name for path in (ROOT / "darkroom").iterdir() if (path / "__init__.py").is_file()]


def test_the_house_has_the_rooms_that_are_known():
    assert sorted(rooms()) == sorted(ROOMS)
    assert {path.name for path in (ROOT / "darkroom").glob("*.py")} == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_from_the_rooms_before_it_alone(room):
    below = {f"darkroom/{name}" for name in ROOMS[: ROOMS.index(room) + 1]}
    for module in (ROOT / "darkroom" / room).rglob("*.py"):
        found = {room_of(path.relative_to(ROOT).as_posix()) for path in direct(module, ROOT)}
        # `darkroom/__init__.py` is the package itself, which every import of a room passes through.
        assert found - {"darkroom"} <= below, module


def test_no_module_imports_itself_through_others():
    for module in (ROOT / "darkroom").rglob("*.py"):
        through = set().union(*[imported_files(path, ROOT) for path in direct(module, ROOT)], set())
        assert module.relative_to(ROOT).as_posix() not in through, module


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_entered_without_importing_anything(room):
    assert (ROOT / "darkroom" / room / "__init__.py").read_text() == ""
