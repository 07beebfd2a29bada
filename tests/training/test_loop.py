import copy
import functools
import itertools
import math
import os
import subprocess
import sys
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from darkroom.augment import pipeline
from darkroom.base.errors import UserError
from darkroom.config.params import Model
from darkroom.dataset import scores
from darkroom.network import architectures
from darkroom.network.normalisation import normalise
from darkroom.training import loop, processes, step
from darkroom.training.batches import Batches
from darkroom.training.checkpoint import Checkpoint
from darkroom.training.recipe import Recipe
from tests import ddp, models
from tests.conftest import ROOT
from tests.ddp import CPU, MEAN, STD, settings

pytestmark = pytest.mark.usefixtures("one_thread")

STEADY = {"schedule": "constant", "warmup": 0.0}


def unchanged(images, draw):
    return images


def noisy(images, draw):
    """A change that draws for each image and for each pixel."""
    _, channels, height, width = images.shape
    return images + 30 * draw.uniform()[0][:, None, None, None] + 10 * draw.field(channels, height, width)


def batches(images, labels):
    labels = np.asarray(labels, np.int64)
    return Batches(np.asarray(images, np.uint8), np.arange(len(labels)), labels, CPU, memory_share=1)


@functools.cache
def data(count=60, seed=0, bright=120, turned=False):
    """Two classes told apart by which half is bright; `turned`: with the labels exchanged."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = generator.integers(0, 90, (count, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4] += np.uint8(bright)
    return batches(images, 1 - labels if turned else labels)


def build(seed=1, norm=True, dropout=0.0, classes=2):
    torch.manual_seed(seed)
    features = [nn.Conv2d(1, 6, 3, padding=1, bias=not norm), nn.MaxPool2d(2), nn.BatchNorm2d(6), nn.ReLU()]
    if not norm:
        del features[2]
    features += [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Dropout(dropout)]
    head = nn.Sequential(nn.Linear(24, classes))
    network = nn.Sequential(OrderedDict(features=nn.Sequential(*features), head=head))
    return network.to(memory_format=torch.channels_last)


def fit(chosen, *, train=None, val=None, change=unchanged, network=None, fabric=None, **calls):
    network = network or build(chosen.seed)
    fabric = fabric or processes.fabric(chosen, CPU, "32")
    train, val = train or data(), val or data(20, seed=1)
    return loop.fit(Recipe(fabric, network, MEAN, STD, chosen, change), train, val, **calls), network


def recipe(network, change=unchanged, **options):
    chosen = settings(**options)
    return Recipe(processes.fabric(chosen, CPU, "32"), network, MEAN, STD, chosen, change)


def copied(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def without_seconds(history):
    return [{name: value for name, value in row.items() if "seconds" not in name} for row in history]


def judged(weights, val, **options):
    """Loss and accuracy of weights, by the definition of both."""
    network = build(**options).eval()
    network.load_state_dict(weights)
    (images,) = val.read([torch.arange(len(val))])
    with torch.no_grad():
        logits = network((images.permute(0, 3, 1, 2).float() - MEAN) / STD)
    return float(functional.cross_entropy(logits, val.labels)), float((logits.argmax(1) == val.labels).float().mean())


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "onecycle", "multistep", "plateau"])
def test_it_learns(optimizer, schedule):
    lr = 0.05 if optimizer == "sgd" else 0.02
    result, _ = fit(settings(optimizer=optimizer, schedule=schedule, lr=lr, epochs=8))
    assert result.history[-1]["val_accuracy"] == 1.0
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]
    assert not result.diverged


@pytest.mark.parametrize(
    "changes", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.4, "cutmix": 1.0, "label_smoothing": 0.1}], ids=str
)
def test_it_learns_from_mixed_images(changes):
    result, _ = fit(settings(epochs=8, **changes))
    assert result.history[-1]["val_accuracy"] == 1.0
    assert result.history[-1]["train_loss"] > fit(settings(epochs=8))[0].history[-1]["train_loss"]


@pytest.mark.parametrize(("count", "size", "accumulate"), [(60, 16, 1), (17, 16, 1), (33, 8, 3), (5, 4, 4), (1, 1, 1)])
def test_every_image_is_seen_once_in_an_epoch_in_batches_of_nearly_equal_size(count, size, accumulate):
    seen, steps, ends = [], [], []

    def watched(images, draw):
        assert len(images) == len(draw.ours())
        seen.append((draw.epoch, len(draw.positions), draw.ours()))
        return images

    fit(
        settings(epochs=2, batch_size=size, accumulate=accumulate),
        train=data(count),
        change=watched,
        on_step=lambda rate, step: steps.append(rate),
        on_epoch=lambda figures, state: ends.append(figures["epoch"]),
    )
    orders = [torch.cat([ours for at, _, ours in seen if at == epoch]) for epoch in (1, 2)]
    assert all(torch.equal(order.sort().values, torch.arange(count)) for order in orders)
    assert count < 5 or not torch.equal(*orders)
    whole = [length for _, length, _ in seen]
    assert max(whole) - min(whole) <= 1
    assert max(whole) <= size
    assert min(whole) > 1 or count == 1
    assert len(steps) == 2 * math.ceil(count / size)
    assert ends == [1, 2]


def test_two_runs_give_the_same_weights_and_another_seed_others():
    runs = [
        fit(settings(seed=seed, mixup=0.4), network=build(seed, dropout=0.3), change=noisy)[0].weights
        for seed in (1, 1, 2)
    ]
    assert same(runs[0], runs[1])
    assert not same(runs[0], runs[2])


def test_another_seed_gives_other_weights_from_the_same_start():
    first, second = (fit(settings(seed=seed), network=build(7))[0].weights for seed in (1, 2))
    assert not same(first, second)


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("monitor", ["val_accuracy", "val_loss"])
@pytest.mark.parametrize("hard", [False, True])
def test_the_weights_kept_are_those_of_the_best_epoch(monitor, ema, hard):
    # Hard: classes that hardly differ, so that figures go up and down.
    train, val = (data(60, bright=12), data(30, 1, bright=12)) if hard else (data(), data(20, 1))
    rate = 0.3 if hard else 0.05
    result, _ = fit(settings(epochs=8, monitor=monitor, ema=ema, lr=rate, **STEADY), train=train, val=val)
    figure = {
        "val_accuracy": lambda row: (row["val_accuracy"], -row["val_loss"]),
        "val_loss": lambda row: (-row["val_loss"], row["val_accuracy"]),
    }[monitor]
    best = max(result.history, key=figure)
    assert result.best_epoch == best["epoch"]
    assert judged(result.weights, val) == pytest.approx((best["val_loss"], best["val_accuracy"]), rel=1e-5)


def test_of_epochs_with_equal_accuracy_the_one_with_the_lower_loss_is_best():
    result, _ = fit(settings(epochs=10))
    perfect = [row for row in result.history if row["val_accuracy"] == 1.0]
    assert len(perfect) > 1
    assert result.best_epoch == min(perfect, key=lambda row: row["val_loss"])["epoch"] > perfect[0]["epoch"]


@functools.cache
def uneven(count, seed=0):
    """As `data`, but the classes hardly differ, and the second has every eighth image alone."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(count) % 8 == 0).astype(int)
    images = generator.integers(0, 90, (count, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4] += np.uint8(8)
    return batches(images, labels)


@pytest.mark.parametrize("monitor", scores.MONITORED)
@pytest.mark.parametrize("size", [7, 64])
def test_a_score_is_monitored_over_all_images_at_once(monitor, size):
    network, val = build(), uneven(48, 3)
    found = loop.validate(recipe(network, batch_size=size, monitor=monitor), network, val)
    assert list(found) == ["val_loss", "val_accuracy", monitor]
    probabilities = loop.logits(recipe(network), val).double().softmax(1).numpy()
    expected = scores.MONITORED[monitor].of(val.labels.numpy(), probabilities)
    assert found[monitor] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("monitor", scores.MONITORED)
def test_the_epoch_with_the_best_score_is_kept_though_another_has_the_best_accuracy(monitor):
    train, val, changes = uneven(96), uneven(48, 1), {"epochs": 6, "lr": 0.3, **STEADY}
    by_accuracy, by_score = (
        fit(settings(monitor=name, **changes), train=train, val=val)[0] for name in ("val_accuracy", monitor)
    )
    best = max(by_score.history, key=lambda row: (row[monitor], -row["val_loss"]))
    assert by_score.best_epoch == best["epoch"] != by_accuracy.best_epoch
    assert judged(by_score.weights, val) == pytest.approx((best["val_loss"], best["val_accuracy"]), rel=1e-5)
    # What is monitored changes neither a step nor the other figures.
    plain = [{name: value for name, value in row.items() if name != monitor} for row in by_score.history]
    assert without_seconds(plain) == without_seconds(by_accuracy.history)


def test_equal_scores_are_ranked_by_their_loss_and_one_that_is_no_number_is_the_worst():
    rows = [(0.4, 0.1), (math.nan, 0.0), (0.5, 0.9), (0.5, 0.8)]
    ranks = [
        loop._rank({"val_kappa": score, "val_loss": loss, "val_accuracy": 0.5}, settings(monitor="val_kappa"))
        for score, loss in rows
    ]
    assert sorted(range(4), key=ranks.__getitem__) == [1, 0, 2, 3]


def test_no_loss_is_worse_than_one_that_is_no_number():
    rows = [{"val_loss": loss, "val_accuracy": 0.5} for loss in (math.nan, math.inf, 0.1)]
    for monitor in ("val_loss", "val_accuracy"):
        ranks = [loop._rank(row, settings(monitor=monitor)) for row in rows]
        assert ranks[2] > ranks[0]
        assert ranks[2] > ranks[1]
        assert not ranks[0] > ranks[2]


@pytest.mark.parametrize("patience", [1, 3])
def test_early_stopping_waits_for_its_patience(patience):
    # The better the training, the higher the loss.
    result, _ = fit(settings(epochs=50, patience=patience, monitor="val_loss"), val=data(20, 1, turned=True))
    losses = [row["val_loss"] for row in result.history]
    assert result.stopped_early
    assert len(losses) == losses.index(min(losses)) + 1 + patience


def test_without_patience_all_epochs_are_run():
    result, _ = fit(settings(epochs=6, monitor="val_loss"), val=data(20, 1, turned=True))
    assert len(result.history) == 6
    assert not result.stopped_early


def frozen_run(**changes):
    """A training whose first two epochs are frozen, and its weights after each epoch."""
    network = build()
    states = [copied(network)]
    chosen = settings(freeze_epochs=2, **changes)
    result, _ = fit(chosen, network=network, on_epoch=lambda figures, state: states.append(copied(network)))
    return result, network, states


def test_frozen_features_keep_weights_and_statistics_while_the_head_learns():
    result, network, states = frozen_run(**STEADY)
    features, head = ([name for name in states[0] if name.startswith(part)] for part in ("features", "head"))
    assert len([name for name in features if "running" in name]) == 2
    for before, after in itertools.pairwise(states[:3]):
        assert all(torch.equal(before[name], after[name]) for name in features)
        assert not any(torch.equal(before[name], after[name]) for name in head)
    assert not any(torch.equal(states[2][name], states[3][name]) for name in states[0])
    assert [row["lr"] for row in result.history] == pytest.approx([0.05, 0.05, 0.005, 0.005])
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("freeze", [0, 2])
def test_statistics_are_kept_while_all_weights_learn(freeze):
    network = build()
    before = copied(network)
    fit(settings(freeze_epochs=freeze, freeze_statistics=True, **STEADY), network=network)
    after = network.state_dict()
    kept = {name for name in before if torch.equal(before[name], after[name])}
    assert kept == {name for name in before if "running" in name or "num_batches" in name}


def test_each_phase_has_its_own_course_of_the_learning_rate():
    chosen = settings(epochs=5, freeze_epochs=2, schedule="multistep", milestones=[0.5], warmup=0.0)
    result, _ = fit(chosen)
    assert [row["lr"] for row in result.history] == pytest.approx([0.05, 0.005, 0.005, 0.0005, 0.0005])


def test_patience_is_for_the_phase_in_which_everything_is_trained():
    chosen = settings(epochs=50, freeze_epochs=4, patience=2, monitor="val_loss", unfreeze_lr_factor=1.0, **STEADY)
    result, _ = fit(chosen, val=data(20, 1, turned=True))
    assert result.best_epoch == 1
    assert result.stopped_early
    assert len(result.history) == 4 + 2


@pytest.mark.parametrize("freeze", [0, 3])
def test_a_plateau_lowers_the_learning_rate(freeze):
    chosen = settings(
        epochs=9,
        schedule="plateau",
        gamma=0.5,
        plateau_epochs=2,
        monitor="val_loss",
        freeze_epochs=freeze,
        unfreeze_lr_factor=1.0,
        warmup=0.0,
    )
    result, _ = fit(chosen, val=data(20, 1, turned=True))
    assert result.best_epoch == 1
    expected = [1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    if freeze:  # what was a plateau for the head is none for the whole network
        expected = [1, 1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    assert [row["lr"] / 0.05 for row in result.history] == pytest.approx(expected)


def test_averaged_weights_are_judged_and_kept_but_do_not_change_the_training():
    chosen = settings(epochs=6, batch_size=10, ema=0.8)  # 36 steps
    network, average, steps, ends = build(), {}, [], []  # of each end: the loss, and the weights it is of

    def on_step(rate, step):
        steps.append(rate)
        if len(steps) >= 18 and len(steps) % 5 == 0:
            for name, value in network.state_dict().items():
                if name in average and value.is_floating_point():
                    average[name] = 0.8 * average[name] + 0.2 * value
                else:
                    average[name] = value.clone()

    def on_epoch(figures, state):
        kept = state()["average"]
        assert kept.keys() == average.keys()
        assert all(torch.allclose(kept[name], average[name], atol=1e-6) for name in average)
        weights = average.copy() or copied(network)
        ends.append((judged(weights, data(20, 1))[0], weights))

    averaged, _ = fit(chosen, network=network, on_step=on_step, on_epoch=on_epoch)
    plain, other = fit(settings(epochs=6, batch_size=10))
    assert same(network.state_dict(), other.state_dict())
    assert [row["val_loss"] for row in averaged.history] == pytest.approx([loss for loss, _ in ends], rel=1e-4)
    losses = [[row["val_loss"] for row in result.history] for result in (averaged, plain)]
    assert losses[0][:3] == losses[1][:3]
    assert losses[0][3:] != losses[1][3:]
    assert averaged.best_epoch > 3
    best = ends[averaged.best_epoch - 1][1]
    assert all(torch.allclose(averaged.weights[name], best[name], atol=1e-6) for name in best)


def rare():
    """150 images of one class and 12 of another, hard to tell apart."""
    generator = np.random.default_rng(3)
    labels = np.repeat([0, 1], [150, 12])
    images = generator.normal(100 + 10 * labels[:, None, None, None], 40, (162, 8, 8, 1)).clip(0, 255)
    return batches(images, labels)


@pytest.mark.parametrize("change", ["class_weights", "balanced"])
def test_a_rare_class_is_recalled_better(change):
    train, drawn = rare(), []

    def watched(images, draw):
        drawn.append(train.labels[draw.ours()])
        return images

    def recall(chosen):
        _, network = fit(chosen, train=train, change=watched)
        (images,) = train.read([torch.arange(len(train))])
        with torch.no_grad():
            found = network.eval()((images.permute(0, 3, 1, 2).float() - MEAN) / STD).argmax(1)
        return float((found[train.labels == 1] == 1).float().mean())

    before = recall(settings(epochs=3, **STEADY))
    drawn.clear()
    after = recall(settings(epochs=3, **STEADY, **{change: True}))
    assert after > before + 0.2
    share = float(torch.cat(drawn).float().mean())
    assert share == pytest.approx(0.5 if change == "balanced" else 12 / 162, abs=0.08)


def test_class_weights_are_inverse_to_the_shares_and_one_in_the_mean():
    labels = torch.tensor([0] * 30 + [1] * 10 + [3] * 2)
    weights = step.class_weights(labels, 5)
    assert weights[[2, 4]].tolist() == [0, 0]
    assert float(weights[labels].mean()) == pytest.approx(1)
    assert (weights[[0, 1, 3]] * torch.tensor([30, 10, 2])).tolist() == pytest.approx([14, 14, 14])


def weights_of(network):
    return [parameter.detach() for parameter in network.parameters() if parameter.ndim > 1]


def test_the_l1_penalty_shrinks_weights():
    sums = [
        sum(
            float(weight.abs().sum())
            for weight in weights_of(fit(settings(l1=l1, epochs=8, momentum=0.0, **STEADY))[1])
        )
        for l1 in (0.0, 0.01, 0.1)
    ]
    assert sums[2] < sums[1] < sums[0]
    assert sums[2] < 0.5 * sums[0]


@pytest.mark.parametrize("accumulate", [1, 4])
def test_the_l1_penalty_counts_once_for_each_step(accumulate):
    """With no learning from images, each step moves each weight by rate times penalty."""
    chosen = settings(l1=0.01, epochs=1, lr=0.1, momentum=0.0, accumulate=accumulate, **STEADY)
    network = build(norm=False)
    with torch.no_grad():
        network.head[0].weight.zero_()  # so that no gradient of the images goes back to the features
    before = network.features[0].weight.detach().clone()
    first = []
    fit(
        chosen,
        network=network,
        on_step=lambda rate, step: first or first.append(network.features[0].weight.detach().clone()),
    )
    assert torch.allclose(first[0], before - 0.1 * 0.01 * before.sign(), atol=1e-7)


def test_no_unit_has_a_weight_vector_longer_than_max_norm():
    lengths = []
    network = build()
    fit(
        settings(max_norm=0.3, lr=0.2, epochs=3),
        network=network,
        on_step=lambda rate, step: lengths.extend(weight.flatten(1).norm(dim=1) for weight in weights_of(network)),
    )
    assert float(torch.cat(lengths).max()) <= 0.3 + 1e-6
    assert any(float(weight.flatten(1).norm(dim=1).max()) > 0.3 for weight in weights_of(fit(settings(lr=0.2))[1]))


def test_a_clipped_gradient_moves_the_weights_by_no_more():
    network, path = build(), []
    path.append(nn.utils.parameters_to_vector(network.parameters()).detach().clone())
    fit(
        settings(clip=0.01, lr=1.0, momentum=0.0, epochs=1, **STEADY),
        network=network,
        on_step=lambda rate, step: path.append(nn.utils.parameters_to_vector(network.parameters()).detach().clone()),
    )
    moved = [float((after - before).norm()) for before, after in itertools.pairwise(path)]
    assert moved == pytest.approx([0.01] * 4, rel=1e-3)


@pytest.mark.parametrize("change", [unchanged, noisy])
@pytest.mark.parametrize("parts", [2, 4, 16])
def test_a_batch_in_parts_gives_the_same_weights(change, parts):
    extra = {"l1": 0.001, "clip": 1.0, "class_weights": True, "label_smoothing": 0.1, "epochs": 3}
    one, other = (
        fit(settings(accumulate=accumulate, **extra), network=build(norm=False), change=change, train=data(61))[0]
        for accumulate in (1, parts)
    )
    assert all(torch.allclose(one.weights[name], other.weights[name], atol=1e-5) for name in one.weights)
    assert other.history[-1]["train_loss"] == pytest.approx(one.history[-1]["train_loss"], rel=1e-4)


def test_all_processes_work_off_a_batch_in_equally_many_parts():
    for count in range(1, 20):
        for world in range(1, 5):
            for accumulate in range(1, 6):
                own = [step.own_parts(count, world, rank, accumulate) for rank in range(world)]
                assert len({len(parts) for parts in own}) == 1
                assert 1 <= len(own[0]) <= accumulate
                assert torch.cat([part for parts in own for part in parts]).tolist() == list(range(count))
                assert count < world or all(len(part) for parts in own for part in parts)


def test_label_smoothing_is_no_part_of_the_validation_loss():
    smooth, network = fit(settings(label_smoothing=0.3))
    assert smooth.history[-1]["train_loss"] > fit(settings())[0].history[-1]["train_loss"] + 0.1
    loss, accuracy = judged(network.state_dict(), data(20, 1))
    assert (smooth.history[-1]["val_loss"], smooth.history[-1]["val_accuracy"]) == pytest.approx((loss, accuracy))


@pytest.mark.parametrize("clip", [None, 1.0])
def test_training_ends_when_the_loss_is_no_number(clip):
    def broken(images, draw):
        return images * (math.nan if draw.epoch == 3 else 1)

    result, _ = fit(settings(epochs=30, clip=clip), change=broken)
    assert len(result.history) == 3
    assert result.diverged
    assert not math.isfinite(result.history[-1]["train_loss"])
    assert result.best_epoch < 3


def test_a_learning_rate_far_too_high_is_told():
    result, _ = fit(settings(lr=1000.0, weight_decay=1.0, warmup=0.0, epochs=30))
    assert result.diverged
    assert len(result.history) < 30


def test_a_memory_too_small_for_a_step_is_told():
    def large(images, draw):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    with pytest.raises(UserError, match=r"set train\.accumulate=2 \(parts of 8 images"):
        fit(settings(), change=large)


@pytest.mark.parametrize("size", [1, 7, 64])
def test_validation_does_not_depend_on_the_batch_size(size):
    network = build()
    found = loop.validate(recipe(network, batch_size=size), network, data(30, 5))
    assert list(found) == ["val_loss", "val_accuracy"]
    assert tuple(found.values()) == pytest.approx(judged(network.state_dict(), data(30, 5)), rel=1e-5)
    assert not network.training


@pytest.mark.parametrize("size", [1, 7, 64])
def test_logits_are_those_of_all_images_from_memory_or_disk(size):
    network = build(dropout=0.5).train()
    held = data(30, 5)
    assert held.resident
    images = held._whole.numpy()
    streamed = Batches(images, np.arange(30), held.labels.numpy(), CPU, memory_share=0)
    assert not streamed.resident
    with torch.no_grad():
        expected = network.eval()(normalise(torch.from_numpy(images), MEAN, STD))
    for source in (held, streamed):
        found = loop.logits(recipe(network.train(), batch_size=size), source)
        assert found.shape == (30, 2)
        torch.testing.assert_close(found, expected)


@pytest.fixture
def compiled(monkeypatch):
    """torch.compile without a C++ compiler; the networks that it was given."""
    import lightning_fabric  # noqa: F401 - which wraps torch.compile when it is imported

    found, real = [], torch.compile

    def trace(network, **options):
        found.append(network)
        return real(network, **options | {"backend": "eager"})

    monkeypatch.setattr(torch, "compile", trace)
    yield found
    torch.compiler.reset()


def test_a_compiled_network_is_trained_like_any_other(compiled):
    changes = {"freeze_epochs": 1, "epochs": 3, "ema": 0.9, "accumulate": 2, "batch_size": 8}
    plain, network = fit(settings(**changes))
    assert not compiled
    result, other = fit(settings(compile=True, **changes))
    assert compiled
    assert result.weights.keys() == plain.weights.keys() == network.state_dict().keys()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(other.state_dict()[name], value)
    for row, expected in zip(result.history, without_seconds(plain.history), strict=True):
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("compile", [False, True])
def test_batch_norm_on_one_image_is_told(compiled, compile):
    network = build()
    network.head = nn.Sequential(nn.BatchNorm1d(24), nn.Linear(24, 2))
    with pytest.raises(UserError, match=r"batch norm cannot work on one image .* raise train\.batch_size"):
        fit(settings(batch_size=1, compile=compile), network=network)


def test_half_precision_learns():
    chosen = settings(epochs=6)
    result, network = fit(chosen, fabric=processes.fabric(chosen, CPU, "bf16-mixed"))
    assert result.history[-1]["val_accuracy"] == 1.0
    assert {value.dtype for value in network.parameters()} == {torch.float32}


@pytest.mark.parametrize("clip", [None, 1.0])
def test_the_scale_of_the_loss_is_resumed_in_half_precision(clip):
    """float16 needs one, that grows while training goes well."""
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.precision import MixedPrecision

    def fabric():
        scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=3)
        return Fabric(accelerator="cpu", plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)])

    def train(**options):
        used = fabric()
        result, network = fit(settings(epochs=3, clip=clip), fabric=used, **options)
        return used.strategy.precision.state_dict(), without_seconds(result.history), copied(network)

    states = []
    scale, rows, weights = train(on_epoch=lambda figures, state: states.append(copy.deepcopy(state())))
    assert scale["scale"] == 4.0 * 2**4
    again = train(network=build(5), resume=states[0])
    assert again[:2] == (scale, rows)
    assert same(again[2], weights)


def test_half_precision_that_skips_its_first_step_still_learns():
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.precision import MixedPrecision

    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    fabric = Fabric(accelerator="cpu", plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)])
    result, _ = fit(settings(epochs=12), fabric=fabric)
    assert scaler.get_scale() < 2.0**40
    assert result.history[-1]["val_accuracy"] == 1.0


RESUMED = {
    "sgd, average": {"ema": 0.9, "epochs": 6, "batch_size": 8},
    "adamw, onecycle": {"optimizer": "adamw", "schedule": "onecycle", "lr": 0.01},
    "sgd, onecycle, clip": {"schedule": "onecycle", "clip": 0.5},
    "plateau": {"schedule": "plateau", "plateau_epochs": 1, "gamma": 0.5, "monitor": "val_loss"},
    "frozen, adam, average": {"freeze_epochs": 2, "optimizer": "adam", "ema": 0.9, "epochs": 5, "batch_size": 6},
    "frozen, plateau, patience": {
        "freeze_epochs": 3,
        "schedule": "plateau",
        "plateau_epochs": 1,
        "patience": 2,
        "epochs": 9,
        "monitor": "val_loss",
    },
    "patience": {"patience": 2, "epochs": 12, "monitor": "val_loss"},
    "area, plateau, patience": {
        "schedule": "plateau",
        "plateau_epochs": 1,
        "patience": 3,
        "epochs": 9,
        "monitor": "val_auc",
    },
    "mixed": {"mixup": 0.4, "cutmix": 1.0, "accumulate": 2},
    "balanced": {"balanced": True, "max_norm": 1.0, "l1": 0.001},
    "diverging": {"lr": 1000.0, "weight_decay": 1.0, "warmup": 0.0, "epochs": 12},
}


@pytest.mark.parametrize("changes", RESUMED.values(), ids=RESUMED)
def test_a_training_that_is_resumed_after_any_epoch_ends_as_if_nothing_had_happened(changes, tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    chosen = settings(**changes)
    val = data(20, 1, turned=chosen.monitor == "val_loss")  # the loss rises: plateaus, and a stop
    checkpoint, states = Checkpoint("mine"), []

    def keep(figures, state):
        checkpoint.save(state())
        states.append(checkpoint.load())

    def train(**options):
        torch.manual_seed(123)  # a seed that decides nothing
        return fit(chosen, change=noisy, val=val, **options)

    whole, network = train(network=build(1, dropout=0.2))
    watched, _ = train(network=build(1, dropout=0.2), on_epoch=keep)
    assert repr(without_seconds(watched.history)) == repr(without_seconds(whole.history))  # nan is not equal to itself
    assert len(states) == len(whole.history)
    for state in states:
        epochs = []
        resumed, other = train(
            network=build(99, dropout=0.2),
            resume=state,
            on_epoch=lambda figures, state, epochs=epochs: epochs.append(figures["epoch"]),
        )
        assert epochs == list(range(int(state["epoch"]) + 1, len(whole.history) + 1))
        assert repr(without_seconds(resumed.history)) == repr(without_seconds(whole.history))
        assert (resumed.best_epoch, resumed.stopped_early) == (whole.best_epoch, whole.stopped_early)
        assert same(resumed.weights, whole.weights)
        if not whole.diverged:
            assert same(other.state_dict(), network.state_dict())


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes found, each for itself, training as one."""
    folder = tmp_path_factory.mktemp("ddp")
    command = [sys.executable, "-m", "tests.ddp", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)
    assert answer.returncode == 0, answer.stderr[-3000:]
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)]


def test_each_of_two_processes_keeps_the_threads_that_it_was_given(two):
    assert [found["threads"] for found in two] == [ddp.THREADS] * 2


@pytest.mark.parametrize("case", ddp.CASES)
def test_two_processes_train_as_one(two, case):
    first, second = (found[case] for found in two)
    assert same(first["network"], second["network"])
    assert same(first["weights"], second["weights"])
    assert without_seconds(first["history"]) == without_seconds(second["history"])
    for epoch in (1, 2):
        seen = [[at for when, ours in found["seen"] if when == epoch for at in ours] for found in (first, second)]
        count = (ddp.BASE | ddp.CASES[case])["images"]
        assert len(seen[0]) + len(seen[1]) == count
        assert case == "balanced" or sorted(seen[0] + seen[1]) == list(range(count))
    if case == "parts, batch norm":
        return  # its statistics are those of a part, and one process cuts others
    one = ddp.train(case, 1)
    for name, value in one["network"].items():
        assert torch.allclose(first["network"][name], value, atol=1e-4), name
    for row, expected in zip(first["history"], without_seconds(one["history"]), strict=True):
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-3, abs=1e-5)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_random_parts_are_trained_on_and_the_middle_is_judged_resumed_or_not(accumulate):
    """Evaluation does not draw; a resumed training draws what an uninterrupted one does."""
    chosen = settings(epochs=3, batch_size=20, accumulate=accumulate, **STEADY)
    model = Model.model_validate(models.SETTINGS | {"input_size": [6, 5]})
    zero, seen = torch.zeros(1), []
    cut = pipeline.build([], zero, zero, (6, 5))

    def change(images, draw):
        seen.append(cut(images, draw))
        return seen[-1]

    def train(network=None, **calls):
        torch.manual_seed(1)
        network = architectures.build(model, (8, 8, 1), 2)
        return fit(chosen, network=network, change=change, **calls)

    states = []
    whole, network = train(on_epoch=lambda figures, state: states.append(copy.deepcopy(state())))
    assert {images.shape[1:] for images in seen} == {(1, 6, 5)}
    assert seen[0].shape[0] == 20 // accumulate + (20 % accumulate > 0)
    again, _ = train()
    resumed, _ = train(resume=states[0])
    assert same(whole.weights, again.weights)
    assert same(whole.weights, resumed.weights)
    assert repr(without_seconds(whole.history)) == repr(without_seconds(resumed.history))
    # The last epoch's loss is that of the middle of each validation image.
    val = data(20, seed=1)
    (images,) = val.read([torch.arange(len(val))])
    logits = network.eval()((images[:, 1:7, 1:6].permute(0, 3, 1, 2).float() - MEAN) / STD)
    loss = functional.cross_entropy(logits, val.labels).detach()
    assert whole.history[-1]["val_loss"] == pytest.approx(float(loss), rel=1e-5)
