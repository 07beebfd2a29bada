import numpy as np
import pytest
import torch

from darkroom.config.model_facts import Pretrained
from darkroom.network import normalisation
from tests import make

IMAGENET = Pretrained(network="x", weights="DEFAULT", mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])


def test_a_network_from_nothing_takes_the_figures_of_its_own_images():
    assert normalisation.statistics(None, [0.4], [0.3]) == ([0.4], [0.3])


def test_a_pretrained_one_takes_those_of_its_weights():
    mean, std = normalisation.statistics(IMAGENET, [0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    assert (mean, std) == (IMAGENET.mean, IMAGENET.std)
    for grey, colours in zip(normalisation.statistics(IMAGENET, [0.1], [0.4]), (mean, std), strict=True):
        assert grey == [pytest.approx(np.mean(colours))]


def test_normalised_images_have_mean_0_and_deviation_1_and_channels_second():
    stored = np.stack([make.pixels(6, 5, 3, seed) for seed in range(4)])
    mean, std = (normalisation.to_bytes_scale(of((0, 1, 2)) / 255) for of in (stored.mean, stored.std))
    found = normalisation.normalise(torch.from_numpy(stored), mean, std)
    assert found.shape == (4, 3, 6, 5)
    assert found.is_contiguous(memory_format=torch.channels_last)
    deviations, means = torch.std_mean(found, (0, 2, 3), correction=0)
    assert means.tolist() == pytest.approx([0, 0, 0], abs=1e-5)
    assert deviations.tolist() == pytest.approx([1, 1, 1], rel=1e-5)
