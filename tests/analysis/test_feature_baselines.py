import numpy as np
import pytest

from darkroom.analysis import feature_baselines

METHODS = list(feature_baselines.METHODS)


def sets(noise=0.5, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    centres = generator.normal(size=(classes, 12)) * 2
    labels = {split: np.arange(count) % classes for split, count in (("train", 60), ("val", 30), ("test", 30))}
    known = {
        split: (centres[own] + noise * generator.normal(size=(len(own), 12))).astype(np.float32)
        for split, own in labels.items()
    }
    return known, labels


@pytest.mark.parametrize("name", METHODS)
def test_classes_that_lie_apart_are_told_apart(name):
    known, labels = sets()
    found, _ = feature_baselines.predict(name, 0, known, labels)
    assert all(np.mean(found[split] == labels[split]) > 0.95 for split in ("val", "test"))
    assert set(found) == {"val", "test"}


@pytest.mark.parametrize("name", METHODS)
def test_the_setting_is_chosen_on_val_alone(name):
    known, labels = sets(noise=3)
    found, setting = feature_baselines.predict(name, 0, known, labels)
    reached = []
    for model in feature_baselines.METHODS[name](0, 60):
        model.fit(known["train"], labels["train"])
        reached.append(np.mean(model.predict(known["val"]) == labels["val"]))
    assert np.mean(found["val"] == labels["val"]) == max(reached) > min(reached)
    turned = labels | {"test": 2 - labels["test"]}
    again, same = feature_baselines.predict(name, 0, known, turned)
    assert setting == same
    assert np.array_equal(again["test"], found["test"])


@pytest.mark.parametrize("name", METHODS)
def test_a_class_that_training_lacks_and_an_empty_val_are_no_hindrance(name):
    known, labels = sets()
    labels["val"][:2] = 7
    feature_baselines.predict(name, 0, known, labels)
    found, _ = feature_baselines.predict(
        name, 0, known | {"val": known["val"][:0]}, labels | {"val": labels["val"][:0]}
    )
    assert len(found["val"]) == 0
    assert len(found["test"]) == 30
