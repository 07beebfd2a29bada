import math

import numpy as np
import pytest
import torch

from darkroom import augment, engine, models
from darkroom.console import UserError
from darkroom.params import Model, Train

MODEL = Model.model_validate(
    {
        "layers": "8P-8",
        "kernel": 3,
        "batch_norm": True,
        "activation": "relu",
        "pooling": "max",
        "hidden": [],
        "hidden_activation": "relu",
        "dropout": 0.0,
    }
)
TRAIN = {
    "seed": 1,
    "epochs": 4,
    "batch_size": 16,
    "optimizer": "sgd",
    "lr": 0.05,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "warmup": 0.2,
    "label_smoothing": 0.0,
    "patience": None,
    "device": "cpu",
    "threads": 1,
    "portable": False,
}


def settings(**changes):
    return Train.model_validate(TRAIN | changes)


def data(count=60, seed=0):
    """Two classes told apart by which half is bright."""
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    images = generator.integers(0, 90, (count, 8, 8, 1), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, 4 * label : 4 * label + 4] += 120
    return engine.Data.on(torch.device("cpu"), images, labels)


def fit(chosen, train=None, val=None, epochs=None):
    torch.manual_seed(chosen.seed)
    model = models.build(MODEL, (8, 8, 1), 2).to(memory_format=torch.channels_last)
    mean, std = torch.full((1, 1, 1), 100.0), torch.full((1, 1, 1), 60.0)
    seen = [] if epochs is None else epochs
    steps = []
    result = engine.fit(
        model,
        train or data(),
        val or data(20, seed=1),
        mean,
        std,
        chosen,
        augment.build([], mean.flatten()),
        on_step=lambda: steps.append(1),
        on_epoch=seen.append,
    )
    return result, model, steps, (mean, std)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_it_learns(optimizer, schedule):
    lr = 0.05 if optimizer == "sgd" else 0.01
    result, *_ = fit(settings(optimizer=optimizer, schedule=schedule, lr=lr, epochs=8))
    assert result.history[-1]["val_accuracy"] == 1.0
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]


def test_every_image_is_seen_once_in_an_epoch_and_the_last_batch_may_be_short():
    _, _, steps, _ = fit(settings(epochs=3))
    assert len(steps) == 3 * math.ceil(60 / 16)


def test_two_runs_give_the_same_weights_and_another_seed_others():
    first, second, third = (fit(settings(seed=seed))[0].weights for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], third[name]) for name in first)


def test_the_weights_kept_are_those_of_the_best_epoch():
    val = data(20, seed=1)
    result, model, _, (mean, std) = fit(settings(epochs=5), val=val)
    best = max(result.history, key=lambda row: (row["val_accuracy"], -row["val_loss"]))
    assert result.best_epoch == best["epoch"]
    model.load_state_dict(result.weights)
    loss, accuracy = engine.validate(model, val, mean, std, 16)
    assert (loss, accuracy) == (pytest.approx(best["val_loss"]), best["val_accuracy"])


def test_early_stopping_waits_for_its_patience():
    # Labels of the validation images are turned round: the better the training, the higher its loss.
    turned = data(20, seed=1)
    turned = engine.Data(turned.images, 1 - turned.labels)
    result, *_ = fit(settings(epochs=50, patience=3), val=turned)
    assert result.stopped_early
    losses = [row["val_loss"] for row in result.history]
    lowest = losses.index(min(losses))
    assert len(losses) == lowest + 1 + 3


def test_training_ends_when_the_loss_is_no_number():
    result, *_ = fit(settings(lr=1000.0, optimizer="sgd", warmup=0.0, epochs=30, weight_decay=1.0))
    assert len(result.history) < 30
    assert not math.isfinite(result.history[-1]["train_loss"])


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
def test_the_learning_rate_rises_and_then_follows_its_schedule(schedule):
    factor = engine.schedule(settings(schedule=schedule, warmup=0.2), 100)
    values = [factor(step) for step in range(101)]
    assert values[:20] == sorted(values[:20])
    assert 0 < values[0] < 0.1
    assert max(values) == 1.0
    assert values[100] == pytest.approx(0 if schedule == "cosine" else 1)


def test_label_smoothing_and_validation_loss_are_kept_apart():
    plain, smooth = fit(settings())[0], fit(settings(label_smoothing=0.3))[0]
    assert smooth.history[-1]["train_loss"] > plain.history[-1]["train_loss"] + 0.1


def test_a_device_that_is_not_there_is_named():
    assert engine.choose_device("cpu", portable=False).type == "cpu"
    assert engine.choose_device("auto", portable=True).type == "cpu"
    with pytest.raises(UserError, match="cuda:99"):
        engine.choose_device("cuda:99", portable=False)


def test_predict_does_not_depend_on_the_batch_size():
    _, model, _, (mean, std) = fit(settings())
    images = data(37).images
    one, all_at_once = (engine.predict(model, images, mean, std, size) for size in (1, 64))
    assert torch.allclose(one, all_at_once, atol=1e-5)
