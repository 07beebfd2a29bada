import numpy as np
import pytest
import torch

from darkroom.analysis import familiarity_fit
from darkroom.classifier.familiarity import Familiarity
from tests.classifier.test_familiarity import ratios
from tests.models import blobs, classifier


def test_dead_channels_and_classes_without_images_do_no_harm():
    ours = classifier(classes=5)
    with torch.no_grad():
        ours.network.get_submodule("features.norm1").weight[0] = 0
        ours.network.get_submodule("features.norm1").bias[0] = -1
    images, labels = blobs(100)
    layers = familiarity_fit.fit(ours, images, np.arange(60), labels[:60], np.arange(60, 100))
    judge = Familiarity(layers, (1.0, 1.0), True, 0.5)
    assert np.isfinite(ratios(ours, judge, images)).all()


def test_the_extent_is_the_longer_side_of_what_stands_out():
    images = np.zeros((3, 10, 10, 1), np.uint8)
    images[0, 2:9, 4] = 255  # seven high
    images[1, 5, 0:5] = 255  # five wide
    images[2, 3, 3] = 20  # nothing
    assert familiarity_fit.foreground_extent(images, np.arange(3), [0.0]) == pytest.approx(0.6)
    assert familiarity_fit.foreground_extent(images, np.array([0, 2]), [0.0]) == pytest.approx(0.7)
    assert familiarity_fit.foreground_extent(images, np.array([2]), [0.0]) == 1.0
