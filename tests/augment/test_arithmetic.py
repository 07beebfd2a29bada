import pytest
import torch

from darkroom.augment import arithmetic


def test_the_root_is_that_of_the_library_to_its_last_bits():
    values = torch.rand(1000) * 100 + 1e-3
    torch.testing.assert_close(arithmetic.square_root(values), values.sqrt(), rtol=3e-7, atol=0)
    assert arithmetic.square_root(torch.zeros(1)) == 0


@pytest.mark.parametrize("side", [1, 4, 7])
def test_each_row_is_a_gaussian_about_its_own_place(side):
    deviation = torch.tensor([0.5, 3.0])
    found = arithmetic.gaussians(side, deviation)
    place = torch.arange(side, dtype=torch.float32)
    for matrix, width in zip(found, deviation, strict=True):
        expected = torch.exp(-((place[:, None] - place) ** 2) / (2 * width**2))
        torch.testing.assert_close(matrix, expected)
