import copy

import numpy as np
import pytest
import torch

from darkroom.augment import pipeline, views
from darkroom.base import paths
from darkroom.config.augmentations import Augmentation
from darkroom.network import frozen_features
from darkroom.training import frozen_phase, loop, processes
from darkroom.training.recipe import Recipe
from tests.ddp import CPU, MEAN, STD, settings
from tests.training.test_loop import build, data

pytestmark = pytest.mark.usefixtures("one_thread")
FROZEN = {"epochs": 4, "freeze_epochs": 4, "batch_size": 16}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path


def recipe(*augment, part=None, views_too=True, **changes):
    chosen, items = settings(**FROZEN | changes), [Augmentation.model_validate(item) for item in augment]
    nothing = torch.zeros(1)
    change = pipeline.build(items, nothing, nothing, part)
    seen = views.of(items, True, part) if views_too else None
    return Recipe(processes.fabric(chosen, CPU, "32"), build(), MEAN, STD, chosen, change, seen)


def fit(made, **calls):
    """The result, and the number of images on which the body worked."""
    worked = []
    made.network.features.register_forward_hook(lambda module, inputs, output: worked.append(len(inputs[0])))
    return loop.fit(made, data(), data(20, seed=1), **calls), sum(worked)


def same(one, other):
    return all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_the_head_learns_as_if_the_body_worked_on_each_image_in_each_epoch():
    found, worked = fit(recipe())
    expected, each = fit(recipe(views_too=False))
    assert [figures["val_loss"] for figures in found.history] == pytest.approx(
        [figures["val_loss"] for figures in expected.history], rel=1e-4
    )
    assert (worked, each) == (64 + 32, 4 * (60 + 20))  # the last batches are filled up
    body = [name for name in found.weights if name.startswith("features.")]
    assert all(torch.equal(found.weights[name], build().state_dict()[name]) for name in body)


@pytest.mark.parametrize(("augment", "part", "most"), [([{"flip": {}}], None, 2), ([], (6, 6), 5)])
def test_the_body_sees_each_view_once(augment, part, most):
    _, worked = fit(recipe(*augment, part=part, epochs=20, freeze_epochs=20))
    assert worked <= most * (60 + 32) + 32


def test_the_bytes_are_the_same_with_kept_features_and_without(monkeypatch, root):
    flip = {"flip": {}}
    first, _ = fit(recipe(flip))
    kept, worked = fit(recipe(flip))
    assert worked == 0
    assert same(first, kept)
    monkeypatch.setattr(paths, "FEATURES_LIMIT", 0)
    for file in (root / ".features").rglob("*.features.npy"):
        file.unlink()
    again, worked = fit(recipe(flip))
    assert worked > 0
    assert same(first, again)


def test_a_training_that_was_cut_off_in_the_frozen_epochs_ends_with_the_same_bytes():
    changes = {"epochs": 6, "freeze_epochs": 4, "ema": 0.5, "optimizer": "adamw"}
    whole, _ = fit(recipe({"flip": {}}, **changes))
    for cut in (2, 4, 5):
        states = []
        fit(
            recipe({"flip": {}}, **changes),
            on_epoch=lambda figures, state, kept=states: kept.append(copy.deepcopy(state())),
        )
        resumed = loop.fit(recipe({"flip": {}}, **changes), data(), data(20, seed=1), resume=states[cut - 1])
        assert same(whole, resumed)


def test_the_body_learns_in_the_phase_that_follows():
    found, _ = fit(recipe(epochs=6, freeze_epochs=3, lr=0.1))
    assert not torch.equal(found.weights["features.0.weight"], build().state_dict()["features.0.weight"])
    assert found.best_epoch > 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mixup": 0.2}, "train.mixup blends images"),
        ({"cutmix": 0.2}, "train.cutmix blends images"),
        ({}, None),
    ],
)
def test_it_is_said_why_the_body_works_on_every_image(changes, reason):
    assert frozen_phase.why_not(recipe(**changes), 80) == reason


def test_countless_views_and_too_many_features_are_reasons():
    assert "mirrors" in str(frozen_phase.why_not(recipe({"rotate": {"degrees": 5}}), 80))
    assert "are more than 2.1 GB" in str(frozen_phase.why_not(recipe(), 10**9))
    assert frozen_phase.head_only(recipe({"rotate": {"degrees": 5}}), data(), data(20, seed=1), 4) is None


def test_features_stand_at_the_places_of_their_images():
    made = recipe({"flip": {}})
    head = frozen_phase.head_only(made, data(), data(20, seed=1), 4)
    assert head is not None
    head.start(1)
    [found] = head.train.read([torch.tensor([5, 3])])
    [stored] = data().read([torch.tensor([5, 3])])
    frozen = frozen_features.FrozenBody(made.network.features, MEAN, STD, None, 24)
    choices = [np.stack([frozen(made.views.of(stored, number))[at] for number in (0, 1)]) for at in (0, 1)]
    assert all(any(np.array_equal(found[at, 0, 0], one) for one in choices[at]) for at in (0, 1))
