from dataclasses import replace

import pytest

from darkroom.config import params
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import recipe_rules
from darkroom.tools.entry_draft import Evidence
from darkroom.tools.recipe_rules import SHARES, with_recipe
from tests.conftest import ROOT
from tests.tools.drafts import draft


def recipe(units, entry=None, evidence=()):
    found = replace(draft(), entry={"train": "train", **(entry or {})}, evidence=evidence, units=units)
    return with_recipe(found)


def test_classes_that_are_large_enough_get_a_stable_split():
    assert recipe((60, 400)).entry["recipe"] == {"split.stable": True}


@pytest.mark.parametrize(
    ("evidence", "says"), [((), "has 12 pictures"), ((Evidence("group", "x", "y"),), "has 12 groups")]
)
def test_a_small_class_is_split_otherwise_and_its_owner_is_told(evidence, says):
    found = recipe((12, 400), evidence=evidence)
    assert "recipe" not in found.entry
    assert (found.evidence[-1].key, found.evidence[-1].value) == ("split", "shuffled")
    assert says in found.evidence[-1].because


def test_many_small_risks_add_up():
    assert "recipe" in recipe((45,)).entry
    assert "recipe" not in recipe((45,) * 100).entry


def test_what_the_makers_divide_is_not_drawn():
    assert recipe((3, 4), {"val": "val", "test": "test"}).entry["recipe"] == {"split.stable": True}
    assert "recipe" not in recipe((3, 4), {"test": "test"}).entry


def test_the_shares_are_those_of_the_parameters():
    split = read_yaml(ROOT / "params.yaml")["split"]
    assert SHARES["test"] == split["test"]
    assert SHARES["val"] == pytest.approx((1 - split["test"]) * split["val"])
    assert sum(SHARES.values()) == pytest.approx(1)
    assert recipe_rules.RISK < 0.01


PHOTOS = {"channels": 3, "image_size": 224, "resize": "crop"}


def test_photos_get_a_pretrained_network_that_sees_parts_of_what_is_stored():
    found = recipe((60, 400), PHOTOS, (Evidence("image_size", "224", "the median is 425"),))
    assert found.entry["image_size"] == 256
    assert found.entry["recipe"] == {
        "model.name": recipe_rules.NETWORK,
        "model.weights": "DEFAULT",
        "model.input_size": 224,
        "augment": [{"flip": {}}],
        "split.stable": True,
    }
    told = {one.key: one for one in found.evidence}
    assert told["image_size"].value == "256"
    assert "the median is 425; 224 pixels are seen" in told["image_size"].because
    assert told["recipe"].value == recipe_rules.NETWORK
    assert "left and right" in told["augment"].because


@pytest.mark.parametrize("changed", [{"resize": "squash"}, {"image_size": 160}])
def test_all_of_a_square_or_small_picture_is_seen(changed):
    found = recipe((60, 400), PHOTOS | changed)
    assert found.entry["image_size"] == (PHOTOS | changed)["image_size"]
    assert "model.input_size" not in found.entry["recipe"]
    assert found.entry["recipe"]["model.weights"] == "DEFAULT"


@pytest.mark.parametrize("changed", [{"channels": 1}, {"image_size": 64}, {"image_size": [224, 100]}])
def test_grey_and_small_pictures_learn_from_nothing(changed):
    assert recipe((60, 400), PHOTOS | changed).entry["recipe"] == {"split.stable": True}


def test_the_recipe_is_valid(project):
    found = recipe((60, 400), PHOTOS)
    project.add(path="a.zip", **found.entry)
    settings, entry = params.load(images=300)
    assert settings.model.seen(entry.shape) == (224, 224, 3)
    assert (settings.train.freeze_epochs, settings.train.epochs) == (30, 38)
