"""The steps that the report begins with."""

import pytest

from darkroom.report import advice
from tests.ddp import settings
from tests.report import test_sections as given


def steps(fit="a sound fit", suspects=0, rejected=None, reached=None):
    errors = given.ERRORS.model_copy(update={"suspects": given.ERRORS.suspects.model_copy(update={"images": suspects})})
    audit = given.AUDIT.model_copy(update={"rejected": rejected or {}})
    figures = given.FIGURES
    if reached:
        figures = figures.model_copy(
            update={"baselines": figures.baselines.model_copy(update={"test_accuracy": reached})}
        )
    curves = given.Curves(fit=fit)
    return advice.steps(figures, errors, curves, audit, settings(epochs=20, lr=0.003))


def commands(**options):
    return [step.command for step in steps(**options)]


GOOD = {"network": 0.9, given.FIGURES.baselines.best: 0.5}


def test_a_good_model_is_compared_and_used():
    assert commands(reached=GOOD) == [
        "dvc exp run -S train.lr=0.001\npython -m darkroom compare", "python -m darkroom predict PICTURE",
    ]  # fmt: skip


def test_wrong_labels_come_before_better_training():
    assert commands(suspects=3, fit="still improving: x", reached=GOOD)[:2] == [
        "python -m darkroom review", "dvc exp run -S train.epochs=40",
    ]  # fmt: skip


def test_a_network_worse_than_simple_methods_comes_first_and_its_suspects_are_not_trusted():
    found = steps(suspects=3, reached={"network": 0.4, given.FIGURES.baselines.best: 0.5})
    assert found[0].words.startswith("Find out why the network (40.00% on test) is worse than")
    assert not any("review" in step.command for step in found)


def test_rejected_files_are_named():
    assert "2 of" in steps(rejected={"no image": 2}, reached=GOOD)[0].words


@pytest.mark.parametrize(
    ("fit", "knob"),
    [
        ("unstable from epoch 2: x", "train.lr=0.001"),
        ("over-fitting from epoch 2: x", "train.weight_decay="),
        ("under-fitting: only 50%", "train.epochs=40"),
        ("under-fitting: only 50%; still improving: x", "train.epochs=40"),
    ],
)
def test_each_verdict_on_the_curves_has_one_remedy(fit, knob):
    (step,) = advice.of_curves(fit, settings(epochs=20, lr=0.003))
    assert knob in step.command


def test_a_sound_fit_needs_none():
    assert advice.of_curves("a sound fit: validation loss is level", settings()) == []
