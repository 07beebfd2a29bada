from dataclasses import replace

import pytest

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
