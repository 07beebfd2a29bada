"""What a run reached, in a few lines: once, whoever shows it."""

import re

import pytest

from darkroom.base import paths
from darkroom.config.model_facts import ModelFacts
from darkroom.report import summary
from tests import make, models
from tests.base.test_console import in_terminal
from tests.conftest import ROOT
from tests.report.test_sections import ERRORS, FIGURES


def evaluated(ours, other):
    """Figures in which the network reaches this accuracy on test, and every simple method the other one."""
    beside = FIGURES.baselines
    accuracy = dict.fromkeys(beside.test_accuracy, other) | {"network": ours}
    return FIGURES.model_copy(update={"baselines": beside.model_copy(update={"test_accuracy": accuracy})})


@pytest.fixture
def reached(project):
    ModelFacts.model_validate(models.facts()).write(paths.MODEL)
    evaluated(0.9, 0.5).write(paths.EVALUATE)


def test_before_any_run_it_says_what_to_do(project):
    assert make.refusal(summary.in_words) == "nothing has been evaluated yet: `dvc repro` runs the pipeline"


def test_result_with_interval_then_where_to_look_then_what_next(reached):
    first, *_, look, last = summary.in_words().splitlines()
    assert summary.headline(FIGURES) in first
    assert summary.interval(FIGURES.test) in first
    assert look.startswith("look at: metrics/report.html")
    assert last.startswith("next: dvc exp run -S train.lr=0.001")


def test_suspected_labels_are_shown_with_the_way_to_correct_them(reached):
    assert ERRORS.suspects.images > 0
    ERRORS.write(paths.ERRORS)
    text = summary.in_words()
    assert f"{ERRORS.suspects.images} labels that may be wrong" in text
    assert "`darkroom review` goes through them" in text
    nothing = ERRORS.suspects.model_copy(update={"images": 0})
    ERRORS.model_copy(update={"suspects": nothing}).write(paths.ERRORS)
    assert "may be wrong" not in summary.in_words()


def test_a_network_worse_than_a_simple_method_leads_to_the_checks(reached):
    evaluated(0.5, 0.9).write(paths.EVALUATE)
    assert summary.in_words().splitlines()[-1] == "next: python -m darkroom check, which says what may be wrong"


def test_the_makefile_looks_for_the_note_that_it_was_shown(project):
    summary.note_shown()  # without DVC there is no place for it
    assert not summary.SHOWN.exists()
    summary.SHOWN.parent.mkdir(parents=True)
    summary.note_shown()
    assert summary.SHOWN.is_file()
    recipe = re.search(r"^repro:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    remove, run, show = recipe[1].splitlines()
    assert remove.endswith(f"rm -f {summary.SHOWN}")
    assert run.endswith("dvc repro")
    assert show.endswith(f"test -e {summary.SHOWN} || python -m darkroom summary")


def test_a_terminal_that_lacks_letters_gets_the_summary_too(reached):
    paths.GRAPH.touch()
    ModelFacts.model_validate(models.facts(dataset="漢")).write(paths.MODEL)
    answer = in_terminal("C", "-m", "darkroom", "summary")
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert answer.stdout.startswith(f"?: {evaluated(0.9, 0.5).test.accuracy:.2%} of ".encode())
