import colorsys

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from darkroom.augment import appearance, geometry
from darkroom.augment.randomness import whole
from darkroom.config.augmentations import Color


def draw(count, seed=0):
    return whole(torch.Generator().manual_seed(seed), torch.arange(count), torch.device("cpu"))


def batch(count, channels=3, height=12, width=17):
    images = torch.rand((count, channels, height, width), generator=torch.Generator().manual_seed(1)) * 255
    return images.contiguous(memory_format=torch.channels_last)


def drawn(monkeypatch, value):
    """A draw whose numbers in [0, 1) are all this one."""
    state = draw(1)
    monkeypatch.setattr(type(state), "uniform", lambda self, each=1: torch.full((each, 1), value))
    return state


@pytest.mark.parametrize("distortion", [0.3, 0.65])
def test_corners_move_inwards_by_up_to_their_share(distortion):
    # White on black: what is still white lies within the bounds that the distortion leaves, and all of it is seen.
    images = torch.full((200, 1, 40, 60), 255.0)
    seen = geometry.perspective(images, draw(200), distortion, torch.zeros(1))[:, 0] > 127
    inner = (int(40 * distortion / 2) + 1, int(60 * distortion / 2) + 1)
    assert seen[:, inner[0] : -inner[0], inner[1] : -inner[1]].all()
    assert seen.float().mean() < 1 - distortion / 2
    assert seen.any(0)[1:-1, 1:-1].all()
    # A quadrangle without a dent: no row is left and entered again.
    assert (seen.int().diff(dim=2) == 1).sum(2).max() <= 1
    assert (seen.int().diff(dim=1) == 1).sum(1).max() <= 1


def test_all_corners_moved_alike_make_the_image_smaller(monkeypatch):
    image = torch.zeros(1, 1, 40, 40)
    image[..., 10:30, 10:30] = 255
    moved = geometry.perspective(image, drawn(monkeypatch, 1.0), 0.5, torch.zeros(1))
    expected = torch.zeros(1, 1, 40, 40)
    expected[..., 15:25, 15:25] = 255
    assert torch.allclose(moved, expected, atol=0.5)


@pytest.mark.parametrize("distortion", [0.3, 0.65, 0.9])
def test_perspective_is_opencv_s_map_read_by_scipy(distortion):
    height, width = 12, 17
    images, corners = batch(20, 2, height, width), np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float32)
    moved = corners * (1 - distortion * draw(20).uniform(8).t().reshape(20, 4, 2).numpy())
    changed = geometry.perspective(images, draw(20), distortion, torch.tensor([7.0, 200.0]))
    y, x = np.meshgrid((2 * np.arange(height) + 1) / height - 1, (2 * np.arange(width) + 1) / width - 1, indexing="ij")
    for image, quadrangle, ours in zip(images.numpy(), moved, changed, strict=True):
        across, along, below = np.tensordot(cv2.getPerspectiveTransform(quadrangle, corners), [x, y, 1 + 0 * x], 1)
        places = [((along / below + 1) * height - 1) / 2, ((across / below + 1) * width - 1) / 2]
        for channel, ground, found in zip(image, (7, 200), ours, strict=True):
            expected = ndimage.map_coordinates(channel, places, order=1, mode="grid-constant", cval=ground)
            np.testing.assert_allclose(found, expected, atol=0.02)


def test_corners_left_in_place_leave_the_image(monkeypatch):
    images = batch(1)
    assert torch.allclose(geometry.perspective(images, drawn(monkeypatch, 0.0), 0.5, torch.zeros(3)), images, atol=0.05)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 99))
def test_tiny_images_keep_to_their_range(height, width, seed):
    images, ground = batch(4, 3, height, width), torch.full((3,), 9.0)
    for changed in (
        geometry.perspective(images, draw(4, seed), 0.65, ground),
        geometry.elastic(images, draw(4, seed), 5.0, 4.0, ground),
        appearance.blur(images, draw(4, seed), 0.1, 8.0),
    ):
        assert changed.shape == images.shape
        assert ((changed >= 0) & (changed <= 255)).all()  # false for nan


def displacement(strength, smoothness, seed=0, count=16, height=24, width=40):
    """How far each pixel is moved along x and y, read off images of the coordinates; nan near the border."""
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    places = torch.stack([x, y]).repeat(count, 1, 1, 1)
    moved = geometry.elastic(places, draw(count, seed), strength, smoothness, torch.zeros(2)) - places
    edge = int(strength) + 1
    return moved[:, :, edge:-edge, edge:-edge]


@pytest.mark.parametrize("strength", [1.0, 3.0])
def test_the_longest_displacement_is_the_strength(strength):
    length = displacement(strength, 3.0).square().sum(1).sqrt().amax((1, 2))
    assert length.max() <= strength + 1e-3
    assert length.max() > 0.95 * strength  # in some image it does not lie in the border that is left out
    assert length.min() > 0.5 * strength


def test_displacements_are_smooth_over_the_smoothness():
    def correlation(smoothness, apart):
        x = displacement(1.0, smoothness, count=64)[:, 0]
        return ((x[..., apart:] * x[..., :-apart]).mean() / x.square().mean()).item()

    # Noise under a Gaussian of deviation s has the correlation exp(-d^2 / 4 s^2).
    assert correlation(2.0, 2) == pytest.approx(0.78, abs=0.08)
    assert correlation(2.0, 8) == pytest.approx(0.02, abs=0.12)
    assert correlation(4.0, 4) == pytest.approx(0.78, abs=0.1)


def test_little_strength_changes_little():
    assert torch.allclose(geometry.elastic(batch(3), draw(3), 1e-6, 4.0, torch.zeros(3)), batch(3), atol=0.05)


@pytest.mark.parametrize("deviation", [0.7, 1.5, 3.0])
def test_blur_spreads_a_point_into_a_gaussian_of_its_deviation(deviation):
    image = torch.zeros(1, 1, 41, 51)
    image[..., 20, 25] = 255
    blurred = appearance.blur(image, draw(1), deviation, deviation)[0, 0]
    assert blurred.sum() == pytest.approx(255, rel=1e-4)
    distance = torch.arange(51.0) - 25
    assert ((blurred.sum(0) * distance**2).sum() / 255).sqrt() == pytest.approx(deviation, rel=0.01)
    assert torch.allclose(blurred, blurred.flip(0, 1), atol=1e-4)


def test_blur_is_scipy_s_away_from_the_border_with_a_deviation_for_each_image():
    images = batch(4, 3, 40, 40)
    deviations = (0.5 + draw(4).uniform()[0] * 1.0).tolist()
    blurred = appearance.blur(images, draw(4), 0.5, 1.5)
    for image, deviation, ours in zip(images, deviations, blurred, strict=True):
        expected = ndimage.gaussian_filter(image.numpy(), deviation, axes=(1, 2), truncate=7)
        np.testing.assert_allclose(ours[:, 8:-8, 8:-8], expected[:, 8:-8, 8:-8], atol=0.01)


def test_blur_leaves_even_images_even_up_to_the_border():
    even = torch.full((3, 3, 9, 14), 80.0)
    assert torch.allclose(appearance.blur(even, draw(3), 2.0, 9.0), even, atol=1e-3)
    assert torch.allclose(appearance.blur(batch(3), draw(3), 1e-3, 0.05), batch(3), atol=1e-3)


def grey(images):
    return 0.299 * images[:, 0] + 0.587 * images[:, 1] + 0.114 * images[:, 2]


def test_brightness_is_a_factor_on_all_values(monkeypatch):
    images = batch(1) / 2
    brighter = appearance.color(images, drawn(monkeypatch, 1.0), Color(brightness=0.5))
    assert torch.allclose(brighter, images * 1.5, atol=1e-3)
    darker = appearance.color(images, drawn(monkeypatch, 0.0), Color(brightness=0.5))
    assert torch.allclose(darker, images * 0.5, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_is_a_factor_on_the_distance_from_the_mean_grey(monkeypatch, channels):
    images = batch(1, channels) / 4 + 90
    mean = (grey(images) if channels == 3 else images).mean()
    for value, factor in ((0.0, 0.6), (1.0, 1.4)):
        changed = appearance.color(images, drawn(monkeypatch, value), Color(contrast=0.4))
        assert torch.allclose(changed - mean, (images - mean) * factor, atol=0.01)


def test_saturation_is_a_factor_on_the_distance_from_grey(monkeypatch):
    images = batch(1) / 4 + 90
    for value, factor in ((0.0, 0.2), (1.0, 1.8)):
        changed = appearance.color(images, drawn(monkeypatch, value), Color(saturation=0.8))
        assert torch.allclose(changed - grey(images), (images - grey(images)) * factor, atol=0.01)


def test_hue_turns_the_colour_circle(monkeypatch):
    def pixel(*values):
        return torch.tensor(values).view(1, 3, 1, 1)

    red, green, third = pixel(200.0, 0.0, 0.0), pixel(0.0, 200.0, 0.0), Color(hue=1 / 3)
    assert torch.allclose(appearance.color(red, drawn(monkeypatch, 1.0), third), green, atol=0.1)
    assert torch.allclose(appearance.color(green, drawn(monkeypatch, 0.0), third), red, atol=0.1)
    assert torch.allclose(
        appearance.color(pixel(90.0, 90.0, 90.0), drawn(monkeypatch, 0.9), third), pixel(90.0, 90.0, 90.0)
    )
    there = appearance.color(batch(1), drawn(monkeypatch, 1.0), Color(hue=0.2))
    back = appearance.color(there, drawn(monkeypatch, 0.0), Color(hue=0.2))
    assert torch.allclose(back, batch(1), atol=0.1)
    assert not torch.allclose(there, batch(1), atol=5)


@pytest.mark.parametrize("turn", [0.0, 0.1, 1 / 6, 0.25, -1 / 3, 0.5, -0.5])
def test_hue_is_that_of_python_s_colorsys(monkeypatch, turn):
    pixels = np.random.default_rng(0).integers(0, 256, (400, 3)).astype(np.float32)
    # Two channels may be equal, as the largest or the smallest; grey and black have no hue.
    pixels[:50, 1], pixels[50:100, 2], pixels[100:150, 2] = pixels[:50, 0], pixels[50:100, 0], pixels[100:150, 1]
    pixels[150:160], pixels[160:170], pixels[170:180] = 0, 255, pixels[170:180, :1]
    expected = []
    for red, green, blue in pixels.tolist():
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        expected.append(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value))
    images = torch.from_numpy(pixels.T.reshape(1, 3, 20, 20).copy())
    turned = appearance.color(images, drawn(monkeypatch, 0.5 + turn), Color(hue=0.5))
    np.testing.assert_allclose(turned[0].reshape(3, -1).T, expected, atol=1e-3)


def test_no_colour_settings_change_nothing():
    assert torch.equal(appearance.color(batch(3), draw(3), Color()), batch(3))


def test_grey_images_have_neither_saturation_nor_hue():
    images = batch(3, channels=1)
    assert torch.equal(appearance.color(images, draw(3), Color(saturation=0.9, hue=0.5)), images)
    changed = appearance.color(images, draw(3), Color(brightness=0.5, contrast=0.5))
    assert not torch.allclose(changed, images, atol=5)


def test_colours_stay_within_their_range():
    images = batch(50, 3, 8, 8).round()
    changed = appearance.color(images, draw(50), Color(brightness=0.9, contrast=0.9, saturation=0.9, hue=0.5))
    assert ((changed >= 0) & (changed <= 255)).all()
