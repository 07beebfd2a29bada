from types import SimpleNamespace

import pytest

from darkroom.config.model_facts import ModelFacts
from darkroom.tracking import note
from tests import models

FIGURES = {"test_accuracy": 0.75, "test_accuracy_low": 0.7, "test_accuracy_high": 0.8, "test_images": 1234.0}
PRETRAINED = {"network": "resnet18", "weights": "DEFAULT", "file": "w.safetensors", "source": "torchvision"}


def begun(**changes):
    return note.begun(ModelFacts.model_validate(models.facts(**changes)), {"train": 1000, "test": 3})


def test_the_note_has_three_lines_and_ends_with_the_result():
    text = begun()
    assert text.split(note.NEXT)[0] == "**tiny**: 3 classes of images of 8 x 8: 1,000 train, 3 test"
    assert text.split(note.NEXT)[1].startswith("**cnn**: 7 parameters, trained from scratch, at most ")
    assert text.split(note.NEXT)[2] == "not evaluated yet"
    lines = note.evaluated(text, FIGURES).split(note.NEXT)
    assert lines[:2] == text.split(note.NEXT)[:2]
    assert lines[2].startswith("75.00% of 1,234 test images are classified right (95 % interval 70.00% to 80.00%)")


def test_it_says_what_the_training_started_from():
    assert "trained from torchvision," in begun(pretrained=PRETRAINED)
    assert "trained from scratch," in begun(pretrained={"network": "cnn", "weights": None})


def test_a_later_result_takes_the_place_of_an_earlier_one():
    once = note.evaluated(begun(), FIGURES)
    again = note.evaluated(once, FIGURES | {"test_accuracy": 0.5})
    assert again.count("%)") == 1
    assert "50.00% of" in again


@pytest.mark.parametrize("text", ["", "my own words", "**mine**: one  \ntwo"])
def test_what_a_person_has_written_stays(text):
    assert note.evaluated(text, FIGURES) == text


def test_without_a_result_nothing_changes():
    assert note.evaluated(begun(), {"suspects": 3}) == begun()


def test_a_run_without_a_note_has_an_empty_one():
    assert note.of(SimpleNamespace(data=SimpleNamespace(tags={}))) == ""
    assert note.of(SimpleNamespace(data=SimpleNamespace(tags={note.TAG: "mine"}))) == "mine"
