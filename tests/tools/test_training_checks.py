import dataclasses
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from darkroom.base.errors import UserError
from darkroom.tools import training_checks
from darkroom.tools.learning_rate_search import RangeTest
from darkroom.training.memory_plan import Plan
from tests.tools.small_training import (
    CLASSES,
    TRAIN,
    Of,
    batch,
    copied,
    net,
    parabola,
    pictures,
    ready,
    settings,
    unchanged,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@given(st.lists(st.integers(0, 3), min_size=2, max_size=40), st.integers(1, 20), st.integers(0, 5))
def test_the_batch_to_be_learned_by_heart_holds_no_picture_twice(kinds, count, seed):
    images = np.zeros((len(kinds), 2, 2, 1), np.uint8)
    images[:, 0, 0, 0] = kinds
    labels = np.arange(len(kinds)) % 2  # copies contradict one another
    rows = np.arange(len(kinds))
    found = training_checks.distinct(images, rows, labels, count, seed)
    assert 1 <= len(found) <= count
    assert len({kinds[position] for position in found}) == len(found)
    assert found == training_checks.distinct(images, rows, labels, count, seed)


def test_rare_classes_are_in_the_batch_to_be_learned_by_heart():
    images, _ = pictures(300)
    labels = (np.arange(300) < 10).astype(np.int64)
    found = training_checks.distinct(images, np.arange(300), labels, 32, 0)
    assert 5 <= labels[found].sum() <= 10


@pytest.mark.parametrize("layers", [[], [nn.BatchNorm2d(16)], [nn.Dropout(0.9)]])
def test_one_batch_can_be_learned_by_heart_and_the_network_stays_as_it_was(layers):
    network = net(*layers)
    before = copied(network)
    steps = []
    check = training_checks.one_batch(network, *batch(), lambda: steps.append(1))
    assert check.passed
    assert f"24 images of 3 classes all right after {len(steps)} steps" in check.text
    assert unchanged(network, before)


def test_one_step_is_no_steps():
    class Bias(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.tensor([0.0, 0.0005]))

        def forward(self, images):
            return self.bias.expand(len(images), 2)

    check = training_checks.one_batch(Bias(), torch.zeros(4, 1, 3, 3), torch.zeros(4, dtype=torch.int64))
    assert "4 images of 1 class all right after 1 step of Adam" in check.text


def test_shuffled_labels_can_be_learned_by_heart_too():
    images, labels = batch(24)
    mixed = labels[torch.randperm(24, generator=torch.Generator().manual_seed(1))]
    network = nn.Sequential(nn.Flatten(), nn.Linear(81, 64), nn.ReLU(), nn.Linear(64, CLASSES))
    assert training_checks.one_batch(network, images, mixed).passed


def test_a_network_without_features_cannot(monkeypatch):
    monkeypatch.setattr(training_checks, "STEPS", 20)
    check = training_checks.one_batch(net(Of(lambda x: 0 * x)), *batch(24))
    assert check.passed is False
    assert "at best 8 of 24 images" in check.text


@pytest.mark.parametrize("broken", [torch.Tensor.detach, lambda x: x * math.nan])
def test_a_network_that_cannot_be_trained_at_all_fails_at_once(broken):
    steps = []
    network = nn.Sequential(net(), Of(broken))
    assert training_checks.one_batch(network, *batch(), lambda: steps.append(1)).passed is False
    assert not steps


@pytest.mark.parametrize("epochs", [1, 9, 50])
def test_the_real_recipe_learns(project, epochs):
    steps = []
    recipe, data = ready(project, epochs=epochs)
    before = copied(recipe.network)
    check = training_checks.smoke_run(recipe, data, 5.0, 72, lambda: steps.append(1))
    assert check.passed, check.text
    assert len(steps) == 5 * min(12, epochs)
    assert f"for train.epochs {epochs}" in check.text
    assert unchanged(recipe.network, before)


def test_a_recipe_for_part_of_the_training_is_cut_to_the_smoke_run(project):
    chosen = {"epochs": 50, "freeze_epochs": 20, "patience": 1, "mixup": 0.2, "ema": 0.9, "schedule": "onecycle"}
    check = training_checks.smoke_run(*ready(project, changes=[{"shift": {"pixels": 1}}], **chosen), 5.0, 7200)
    assert "12 epochs on 72 of 7,200 images" in check.text


def test_a_head_that_is_trained_alone_all_through_is_so_in_the_smoke_run(project):
    recipe, data = ready(project, epochs=20, freeze_epochs=20, lr=0.5)
    check = training_checks.smoke_run(recipe, data, 5.0, 72)
    assert "12 epochs" in check.text
    assert check.passed


def test_batches_of_one_are_explained_where_batch_norm_cannot_have_them(project):
    head = nn.Sequential(nn.BatchNorm1d(48), nn.Linear(48, CLASSES))
    recipe, data = ready(project, batch_size=1)
    recipe = dataclasses.replace(recipe, network=net(head=head))
    with pytest.raises(UserError, match=r"raise train\.batch_size"):
        training_checks.smoke_run(recipe, data, 5.0, 72)


def test_a_rate_at_which_the_loss_rises_fails(project):
    check = training_checks.smoke_run(*ready(project, lr=300.0, warmup=0.0, schedule="constant"), 1.1, 72)
    assert check.passed is False
    assert "lower train.lr" in check.text


def test_a_single_epoch_is_set_against_the_loss_before_training(project):
    check = training_checks.smoke_run(*ready(project, epochs=1), 1e-4, 72)
    assert check.passed is False
    assert "the loss must fall" in check.text


def test_no_better_than_the_majority_class_fails(project):
    check = training_checks.smoke_run(*ready(project, turned=True, epochs=3), 5.0, 72)
    assert check.passed is False
    assert "it must beat the majority class" in check.text


@given(st.integers(1, 50_000), st.integers(1, 100), st.integers(1, 512))
def test_small_sets_get_more_epochs_but_never_more_than_the_training(count, epochs, size):
    wanted = TRAIN.model_copy(update={"epochs": epochs, "batch_size": size})
    found = training_checks.smoke_epochs(wanted, count)
    assert min(3, epochs) <= found <= epochs
    assert found * math.ceil(count / size) >= 60 or found == epochs


@given(st.integers(1, 50_000), st.integers(1, 20_000), st.integers(0, 3))
def test_large_sets_are_cut_to_a_share_of_both_splits(train, val, seed):
    rows = {"train": np.arange(train), "val": np.arange(train, train + val)}
    found = training_checks.smoke_rows(rows["train"], rows["val"], seed)
    assert len(found["train"]) == min(train, 10_000)
    assert min(val, 1_000) <= len(found["val"]) <= val
    for name in rows:
        assert (np.diff(found[name]) > 0).all()
        assert np.isin(found[name], rows[name]).all()
    if train <= 10_000:
        assert len(found["val"]) == val


@pytest.mark.parametrize(
    "test",
    [RangeTest([], []), RangeTest([1e-5], [2.0]), RangeTest([0.1, 0.2], [2.0, 9.0]), parabola(1e-1, deep=0.01)],
)
def test_nothing_is_suggested_where_no_rate_lowers_the_loss(test, project):
    assert test.suggestion is None
    check = training_checks.learning_rate(test, settings(project))
    assert check.passed is None
    assert "no rate lowered the loss" in check.text


@pytest.mark.parametrize(
    ("lr", "says"),
    [
        (0.005, "between them"),
        (0.05, "within a factor of 10"),
        (0.0002, "within a factor of 10"),
        (3.0, "times as high: training may diverge"),
        (1e-6, "times as low"),
    ],
)
def test_the_present_rate_is_set_against_the_suggestion_as_a_note(project, lr, says):
    check = training_checks.learning_rate(parabola(0.01), settings(project, lr=lr))
    assert check.passed is None
    assert says in check.text
    assert f"train.lr {lr:g} is " in check.text


@pytest.mark.parametrize(
    ("parts", "step", "passed", "says"),
    [
        (1, 50 * 10**6, True, "about 50.0 MB for a batch of 64 (counted), 2.0 MB for the network with its optimiser"),
        (2, 50 * 10**6, None, "; a batch of 64 is worked off in 2 parts, so that a step fits the memory"),
        (1, 95 * 10**6, False, "; a step may not fit the memory: train.accumulate=4, a smaller train.batch_size"),
    ],
)
def test_memory_is_a_note_in_parts_and_a_failure_where_a_step_does_not_fit(parts, step, passed, says):
    found = training_checks.memory(
        Plan(64, parts, 0, 1, 10**6, 10**6, step, 100 * 10**6, "counted", fitting=4, chosen=parts > 1)
    )
    assert found.passed is passed
    assert says in found.text
