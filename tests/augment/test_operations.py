import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional

from darkroom.augment import operations

COUNT = 12
SHAPES = [(3, 20, 33), (1, 17, 9), (3, 2, 5)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def batch(shape, whole=False):
    """Images of unlike range and mean; `whole` for values without fractions."""
    generator = torch.Generator().manual_seed(1)
    low, high = torch.rand((2, COUNT, shape[0], 1, 1), generator=generator).sort(0).values * 255
    images = low + torch.rand((COUNT, *shape), generator=generator).square() * (high - low)
    images = images.round() if whole else images
    return images.contiguous(memory_format=torch.channels_last)


def wide(values):
    return torch.as_tensor(values).view(-1, 1, 1, 1)


FACTORS = torch.linspace(0.0, 1.99, COUNT)
BY_FACTOR = {
    operations.brightness: functional.adjust_brightness,
    operations.saturation: functional.adjust_saturation,
    operations.contrast: functional.adjust_contrast,
    operations.sharpness: functional.adjust_sharpness,
}


@each_shape
@pytest.mark.parametrize(("ours", "theirs"), BY_FACTOR.items(), ids=lambda value: value.__name__)
def test_a_factor_does_what_torchvision_s_does_to_each_image(ours, theirs, shape):
    images = batch(shape)
    before = images.clone()
    for changed, image, factor in zip(ours(images, wide(FACTORS)), images, FACTORS.tolist(), strict=True):
        # Their weight of red is 0.2989, ours 0.299: 0.03 of 255 in a grey.
        assert torch.allclose(changed, theirs(image / 255, factor) * 255, atol=0.06)
    assert torch.equal(images, before)


@each_shape
@pytest.mark.parametrize(("ours", "theirs"), BY_FACTOR.items(), ids=lambda value: value.__name__)
def test_on_bytes_torchvision_differs_by_its_rounding_alone(ours, theirs, shape):
    # It cuts off fractions of the result; of a grey, or of a smoothed image, before it enlarges the distance from it.
    images = batch(shape, whole=True)
    for changed, image, factor in zip(ours(images, wide(FACTORS)), images, FACTORS.tolist(), strict=True):
        assert (changed - theirs(image.byte(), factor)).abs().max() < 2


def test_a_factor_of_one_leaves_images_as_they_are():
    for operation in BY_FACTOR:
        assert torch.allclose(operation(batch(SHAPES[0]), torch.ones(COUNT, 1, 1, 1)), batch(SHAPES[0]), atol=1e-3)


def test_grey_images_have_no_saturation():
    images = batch((1, 8, 8))
    assert torch.equal(operations.saturation(images, wide(FACTORS)), images)


@each_shape
def test_posterize_is_torchvision_s_to_the_bit(shape):
    images, bits = batch(shape, whole=True), torch.arange(COUNT) % 9
    for changed, image, kept in zip(operations.posterize(images, wide(bits)), images, bits.tolist(), strict=True):
        assert torch.equal(changed, functional.posterize(image.byte(), kept).float())


@each_shape
def test_solarize_is_torchvision_s_to_the_bit(shape):
    images, thresholds = batch(shape, whole=True), torch.linspace(0, 255, COUNT)
    changed = operations.solarize(images, wide(thresholds))
    for ours, image, threshold in zip(changed, images, thresholds.tolist(), strict=True):
        assert torch.equal(ours, functional.solarize(image.byte(), threshold).float())


@each_shape
def test_autocontrast_is_torchvision_s(shape):
    images = batch(shape)
    images[0] = 77.7  # one value: nothing to stretch
    for changed, image in zip(operations.autocontrast(images), images, strict=True):
        assert torch.allclose(changed, functional.autocontrast(image / 255) * 255, atol=0.01)
    bytes_of = batch(shape, whole=True)
    for changed, image in zip(operations.autocontrast(bytes_of), bytes_of, strict=True):
        assert (changed - functional.autocontrast(image.byte())).abs().max() < 1.001


@pytest.mark.parametrize("shape", [*SHAPES, (3, 60, 50)], ids=str)
def test_equalize_is_torchvision_s_and_pil_s_to_the_bit(shape):
    images = batch(shape, whole=True)
    images[0] = 77
    images[1] = (images[1] > images[1].mean()) * 200.0
    for changed, image in zip(operations.equalize(images), images, strict=True):
        assert torch.equal(changed, functional.equalize(image.byte()).float())
        for ours, channel in zip(changed, image, strict=True):
            theirs = np.asarray(ImageOps.equalize(Image.fromarray(channel.byte().numpy())))
            assert np.array_equal(ours.numpy(), theirs)


def test_values_between_whole_ones_are_rounded_where_a_bit_decides():
    # An interpolation that should move nothing leaves 127.999 of 128.
    images = batch((3, 60, 50), whole=True)
    nearly = (images - 0.001).clamp_min(0)
    assert torch.equal(operations.equalize(nearly), operations.equalize(images))
    one = wide(torch.ones(COUNT, dtype=torch.int64))
    assert torch.equal(operations.posterize(nearly, one), operations.posterize(images, one))
    threshold = images.amax((1, 2, 3), keepdim=True)
    assert torch.allclose(operations.solarize(nearly, threshold), operations.solarize(images, threshold), atol=0.01)


def test_no_images_are_no_error():
    none, factor = torch.zeros(0, 3, 5, 6), torch.zeros(0, 1, 1, 1)
    for operation in BY_FACTOR:
        assert operation(none, factor).shape == none.shape
    assert operations.posterize(none, factor.long()).shape == none.shape
    for changed in (operations.solarize(none, factor), operations.autocontrast(none), operations.equalize(none)):
        assert changed.shape == none.shape
