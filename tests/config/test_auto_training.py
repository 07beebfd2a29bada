import pytest

from darkroom.base.errors import UserError
from darkroom.config import params

WEIGHTS = {"model.name": "resnet18", "model.weights": "DEFAULT"}


@pytest.mark.parametrize(
    ("images", "frozen", "epochs"), [(30, 30, 38), (326, 28, 36), (2_000, 5, 8), (5_000, 2, 5), (100_000, 1, 4)]
)
def test_from_weights_the_head_learns_first_and_then_all_layers(project, images, frozen, epochs):
    project.add(path="a.zip", channels=3, image_size=64, recipe=WEIGHTS)
    train = params.load(images=images)[0].train
    assert (train.freeze_epochs, train.epochs, train.batch_size) == (frozen, epochs, 32)
    assert (train.optimizer, train.lr, train.freeze_statistics) == ("adamw", 0.002, True)


@pytest.mark.parametrize(
    ("given", "frozen", "epochs"),
    [
        ({"train__epochs": 9}, 4, 9),
        ({"train__epochs": 1}, 0, 1),
        ({"train__freeze_epochs": 3}, 3, 11),
        ({"train__freeze_epochs": 20}, 20, 28),
        ({"train__freeze_epochs": 20, "train__epochs": 20}, 20, 20),
    ],
)
def test_what_is_given_stays(project, given, frozen, epochs):
    project.add(path="a.zip", channels=3, image_size=64, recipe=WEIGHTS)
    project.set(**given)
    train = params.load(images=300)[0].train
    assert (train.freeze_epochs, train.epochs) == (frozen, epochs)


def test_weights_in_the_parameters_count_as_those_in_a_recipe(project):
    project.add(path="a.zip", channels=3, image_size=64)
    project.set(model__name="resnet18", model__weights="DEFAULT")
    assert params.load(images=300)[0].train.freeze_statistics
    project.set(model__weights=None, train__optimizer="adamw")
    train = params.load(images=300)[0].train
    assert (train.freeze_epochs, train.freeze_statistics, train.weight_decay) == (0, False, 5e-4)


def test_sgd_has_its_own_rate(project):
    project.add(path="a.zip", channels=3, image_size=64, recipe=WEIGHTS | {"train.optimizer": "sgd"})
    train = params.load(images=300)[0].train
    assert (train.lr, train.weight_decay) == (pytest.approx(0.15 / 4), 5e-4)


def test_all_layers_from_the_first_epoch_on_learn_at_the_rate_that_follows_a_frozen_phase(project):
    project.add(path="a.zip", channels=3, image_size=64, recipe=WEIGHTS | {"train.freeze_epochs": 0})
    assert params.load(images=300)[0].train.lr == pytest.approx(0.0002)


def test_without_weights_there_are_at_least_as_many_epochs_as_frozen_ones(project):
    project.add(path="a.zip", recipe={"train.freeze_epochs": 15})
    assert params.load(images=30_000)[0].train.epochs == 15
    project.set(train__epochs=9)
    with pytest.raises(UserError, match=r"train\.freeze_epochs is 15, but must be at most train\.epochs, which is 9"):
        params.load()
