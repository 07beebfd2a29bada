"""The images that show what the augmentation does: those of the training, before and after."""

import numpy as np
import pytest

from darkroom.base import paths
from darkroom.config.model_facts import ModelFacts
from darkroom.dataset.packed import load_images, load_split
from darkroom.training import outputs
from tests import make, models

pytestmark = pytest.mark.usefixtures("one_thread", "project")


def written(changes, **model):
    images, labels = models.blobs(60)
    make.packed(images, labels.tolist(), ["train"] * 45 + ["val"] * 15, ["ant", "bee", "cow"])
    paths.AUGMENTED.parent.mkdir(exist_ok=True)
    content = models.facts(classes=["ant", "bee", "cow"], augment=changes, model=models.SETTINGS | model)
    facts = ModelFacts.model_validate(content)
    outputs.write_augmented(facts, load_images(), load_split("train"))
    return np.load(paths.AUGMENTED)


def test_they_are_training_images_and_what_became_of_them():
    before, after = written([{"flip": {"probability": 1.0}}])
    assert len(before) == outputs.SHOWN
    assert np.array_equal(after, before[:, :, ::-1])
    stored = {image.tobytes() for image in load_images()[:45]}
    assert {image.tobytes() for image in before} <= stored


def test_without_augmentation_they_stay_as_they_are():
    before, after = written([])
    assert np.array_equal(after, before)


def test_the_same_bytes_each_time():
    written([{"rotate": {"degrees": 20}}])
    first = paths.AUGMENTED.read_bytes()
    written([{"rotate": {"degrees": 20}}])
    assert paths.AUGMENTED.read_bytes() == first


def test_the_part_that_the_network_sees_is_shown_beside_the_middle():
    before, after = written([], input_size=[6, 5])
    assert before.shape == after.shape == (outputs.SHOWN, 6, 5, 1)
    middles = {image[1:7, 1:6].tobytes() for image in load_images()[:45]}
    assert {image.tobytes() for image in before} <= middles
    assert not np.array_equal(before, after)
