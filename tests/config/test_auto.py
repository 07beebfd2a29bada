"""What `auto` is replaced by: the recipe's value, else that of the rule."""

import copy

import pytest

from darkroom.config import auto, params
from darkroom.config.catalogue import load as load_entry
from darkroom.config.yaml_files import keys
from tests import make


def refusal():
    sentence = make.refusal(params.load)
    assert sentence is not None
    assert make.is_one_line(sentence)
    return sentence


def test_auto_takes_the_recipe_then_the_rule(project):
    rule = auto.rules(load_entry("digits"))
    project.add(path="a.zip", recipe={"train.epochs": 3, "model.layers": "16P"})
    settings, _ = params.load()
    assert (settings.train.epochs, settings.model.layers) == (3, "16P")
    assert (settings.train.batch_size, settings.model.dropout) == (rule["train.batch_size"], rule["model.dropout"])


def test_a_value_that_is_given_wins_over_the_recipe(project):
    project.add(path="a.zip", recipe={"train.epochs": 3})
    project.set(train__epochs=5)
    assert params.load()[0].train.epochs == 5


def test_it_says_which_keys_are_from_the_recipe_and_which_by_the_rule():
    content = {
        "model": {"layers": "auto", "dropout": "auto"},
        "train": {"epochs": "auto", "lr": 0.5},
        "augment": "auto",
    }
    entry = make.entry(recipe={"train.epochs": 3, "train.lr": 0.1, "augment": [{"flip": {}}]})
    from_recipe, by_rule = auto.replace(content, entry, "mine")
    assert from_recipe == {"train.epochs", "augment"}
    assert by_rule == {"model.layers", "model.dropout"}
    assert content == {
        "model": {"layers": auto.rules(entry)["model.layers"], "dropout": 0.0},
        "train": {"epochs": 3, "lr": 0.5},
        "augment": [{"flip": {}}],
    }


@pytest.mark.parametrize("content", [{}, {"train": None}, {"train": 5, "augment": []}, {"train": {"device": "auto"}}])
def test_what_is_no_auto_of_a_rule_stays_as_it_is(content):
    """Of these keys and their values the check of the parameters tells."""
    before = copy.deepcopy(content)
    assert auto.replace(content, make.entry(), "mine") == (set(), set())
    assert content == before


def test_every_rule_is_for_a_parameter_that_may_be_auto(project):
    entry = load_entry("digits")
    assert set(auto.rules(entry)) <= set(keys(params.Params))


@pytest.mark.parametrize(
    ("recipe", "says"),
    [
        ({"train.epochz": 3}, "datasets.yaml: mine.recipe.train.epochz is not a key that may be auto"),
        ({"train.seed": 3}, "datasets.yaml: mine.recipe.train.seed is not a key that may be auto"),
        ({"train.epochs": "ten"}, "datasets.yaml: mine.recipe.train.epochs is 'ten', but must be integer"),
        ({"model.layers": "P"}, "datasets.yaml: mine.recipe.model.layers is 'P', but must "),
        ({"model.layers": "0-64"}, "datasets.yaml: mine.recipe.model.layers"),
        ({"augment": [{"flop": {}}]}, "datasets.yaml: mine.recipe.augment.0.flop is not a known key"),
        ({"augment": [{"shift": {"pixels": 0}}]}, "datasets.yaml: mine.recipe.augment.0.shift.pixels is 0, but must"),
        ({"augment": [{}]}, "datasets.yaml: mine.recipe.augment.0: each item must name exactly one change"),
        (5, "datasets.yaml: mine.recipe is 5, but must be "),
        ({5: 5}, "datasets.yaml: mine.recipe.5"),
    ],
)
def test_a_bad_recipe_names_the_catalogue(project, recipe, says):
    project.add(path="a.zip", recipe=recipe)
    assert refusal().startswith(says)


def test_a_recipe_cannot_itself_say_auto(project):
    project.add(path="a.zip", recipe={"train.epochs": "auto"})
    assert refusal() == "datasets.yaml: mine.recipe.train.epochs is 'auto', but must be integer"


@pytest.mark.parametrize("side", [1, 8, 15, 16, 28, 32, 64, 224, 225, 1024, 4096])
def test_the_rule_for_layers_fits_every_image_size(project, side):
    project.add(path="a.zip", image_size=side)
    layers = params.load()[0].model.layers
    assert 1 <= side >> layers.count("P") <= 9 or (side < 16 and layers.count("P") == 1)


def test_the_rule_for_layers_goes_by_the_shorter_side():
    wide, square = (auto.rules(make.entry(image_size=size))["model.layers"] for size in ([28, 300], 28))
    assert wide == square
