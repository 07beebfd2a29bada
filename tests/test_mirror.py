"""The tests mirror the rooms: every module has a file of tests of its own, by its name."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# Modules that are tested under another name, and why.
ELSEWHERE = {
    "training/step": "training/test_one_step.py",  # whoever takes a step takes the same one
    "training/recipe": "training/test_one_step.py",  # which puts a recipe together by hand beside it
    "training/processes": "training/test_loop.py",  # several processes are those of a training
    "tools/ports": "tools/test_demo.py",  # which starts a server on one
}
MODULES = [
    path.relative_to(ROOT / "darkroom").with_suffix("").as_posix()
    for path in sorted((ROOT / "darkroom").glob("*/*.py"))
    if path.name != "__init__.py"
]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_tests_of_its_own(module):
    room, _, name = module.partition("/")
    assert (ROOT / "tests" / ELSEWHERE.get(module, f"{room}/test_{name}.py")).is_file()


def test_what_is_tested_elsewhere_has_no_file_of_its_own():
    for module in ELSEWHERE:
        room, _, name = module.partition("/")
        assert module in MODULES
        assert not (ROOT / "tests" / room / f"test_{name}.py").exists()
