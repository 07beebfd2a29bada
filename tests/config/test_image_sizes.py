import numpy as np
import pytest

from darkroom.config import auto, params
from darkroom.config.image_sizes import middle, sides
from tests import make


@pytest.mark.parametrize(("whole", "part", "first"), [((9, 8), (3, 8), (3, 0)), ((8, 8), (3, 4), (2, 2))])
def test_the_middle_has_as_much_on_either_side_or_one_more_after_it(whole, part, first):
    numbers = np.arange(np.prod(whole)).reshape(whole)
    found = numbers[middle(whole, part)]
    assert found.shape == part
    assert found[0, 0] == numbers[first]
    assert np.array_equal(numbers[middle(whole, whole)], numbers)


def test_a_size_is_one_side_or_two():
    assert (sides(5), sides([3, 4])) == ((5, 5), (3, 4))


def load(project, value, **entry):
    project.add(path="a.zip", **({"image_size": [24, 32]} | entry))
    project.set(model__input_size=value)
    return params.load()[0].model


@pytest.mark.parametrize(
    ("value", "seen"), [("auto", (24, 32, 1)), (20, (20, 20, 1)), ([24, 20], (24, 20, 1)), ([24, 32], (24, 32, 1))]
)
def test_the_network_sees_all_or_a_part(project, value, seen):
    found = load(project, value)
    assert found.seen((24, 32, 1)) == seen
    assert found.input_size == ([24, 32] if value == "auto" else value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (33, "params.yaml: model.input_size is 33x33 (height x width), but images of mine are stored as 24x32: it can"),
        ([8, 40], "params.yaml: model.input_size is 8x40 (height x width), but images of mine are stored as 24x32"),
        (0, "params.yaml: model.input_size is 0, but must be greater than or equal to 1"),
        ([8, 8, 3], "params.yaml: model.input_size: [8, 8, 3] must be one number, or [height, width]"),
        ("all", "params.yaml: model.input_size is 'all', but must be"),
    ],
)
def test_what_no_network_can_see_is_one_sentence(project, value, says):
    said = make.refusal(lambda: load(project, value))
    assert said.startswith(says)
    assert make.is_one_line(said)


def test_a_params_file_of_the_first_version_is_told_the_line(project):
    make.edit(project.params, {"model.input_size": ...})
    assert "`input_size: auto` below model" in make.refusal(params.load)


def test_the_layers_suit_what_the_network_sees(project):
    small = auto.rules(make.entry(image_size=28))["model.layers"]
    assert load(project, 28, image_size=224).layers == small
    assert load(project, "auto", image_size=224, recipe={"model.input_size": 28}).layers == small
    project.set(model__layers="8P-8P-8P-8P-8P")
    said = make.refusal(lambda: load(project, 28, image_size=224))
    assert "halves the image 5 times, but one of mine is only 28 pixels" in said
