import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from darkroom.tools import learning_rate_search
from darkroom.tools.learning_rate_search import RangeTest
from tests.tools.small_training import Of, copied, parabola, range_test, ready, unchanged

pytestmark = pytest.mark.usefixtures("one_thread")


RECIPES = {
    "sgd": {},
    "adamw": {"optimizer": "adamw", "weight_decay": 0.01},
    "parts": {"accumulate": 3, "clip": 1.0, "max_norm": 2.0, "l1": 1e-5},
    "mixed": {"mixup": 0.2, "cutmix": 1.0, "label_smoothing": 0.1, "balanced": True},
    "weighted": {"class_weights": True, "optimizer": "adam"},
    "frozen": {"freeze_epochs": 1},
}


@given(st.floats(1e-3, 1e-1))
def test_rates_from_a_tenth_of_the_lowest_to_the_lowest_are_suggested(lowest):
    low, high = parabola(lowest).suggestion
    assert high == pytest.approx(lowest, rel=0.2)
    assert low == pytest.approx(high / 10, rel=0.1)


def test_noise_does_not_move_the_suggestion_far():
    test = parabola(0.01)
    noise = np.random.default_rng(0).normal(0, 0.1, 100)
    low, high = RangeTest(test.rates, (np.array(test.losses) + noise).tolist()).suggestion
    assert 0.003 < high < 0.03
    assert low < high


@pytest.mark.parametrize("name", RECIPES)
def test_the_range_test_runs_with_every_recipe_and_finds_rates_that_learn(project, name):
    recipe, data = ready(project, changes=[{"shift": {"pixels": 1}}], **RECIPES[name])
    before = copied(recipe.network)
    steps = []
    test = range_test(recipe, data, lambda: steps.append(1))
    assert len(steps) <= len(test.rates) == len(test.losses) <= learning_rate_search.STEPS
    assert np.isfinite(test.losses).all()
    assert np.allclose(np.diff(np.log(test.rates)), np.log(test.rates[1] / test.rates[0]))
    assert test.suggestion
    assert unchanged(recipe.network, before)


def test_two_range_tests_are_alike_and_another_seed_gives_another(project):
    tests = [range_test(*ready(project, mixup=0.2, seed=seed)) for seed in (1, 1, 2)]
    assert tests[0] == tests[1]
    assert tests[0].losses != tests[2].losses


def test_the_range_test_ends_where_the_loss_has_grown_fourfold(project):
    test = range_test(*ready(project))
    smoothed = test.smoothed
    assert len(test.rates) < learning_rate_search.STEPS
    assert smoothed[-1] > learning_rate_search.DIVERGED * smoothed.min()


def test_the_range_test_ends_where_the_loss_is_no_number(project):
    recipe, data = ready(project)
    with torch.no_grad():
        recipe.network.head.weight.fill_(math.nan)
    assert range_test(recipe, data).rates == []


def test_the_range_test_ends_where_a_clipped_gradient_is_no_number(project):
    recipe, data = ready(project, clip=1.0)
    recipe.network.features.append(Of(lambda values: values + values.mul(0).sqrt()))  # infinite slope
    assert len(range_test(recipe, data).rates) == 1


@pytest.mark.parametrize("lr", [1e-9, 900.0])
def test_the_range_holds_the_present_rate(project, lr):
    test = range_test(*ready(project, lr=lr))
    growth = test.rates[1] / test.rates[0]
    assert test.rates[0] < lr < test.rates[0] * growth ** (learning_rate_search.STEPS - 1)
