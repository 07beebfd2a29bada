import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2

from darkroom.augment import appearance, geometry
from darkroom.augment.randomness import rectangles, whole
from darkroom.base.errors import UserError
from darkroom.config.augmentations import Affine, Erase, ResizedCrop

GROUND = torch.tensor([7.0])


def draw(count, seed=0):
    return whole(torch.Generator().manual_seed(seed), torch.arange(count), torch.device("cpu"))


def batch(count, channels=1, height=8, width=10):
    image = torch.randint(0, 256, (1, channels, height, width), generator=torch.Generator().manual_seed(1))
    return image.float().repeat(count, 1, 1, 1).contiguous(memory_format=torch.channels_last)


class Given:
    """Draws what a test gives, one row for each number that is drawn for an image."""

    def __init__(self, *rows):
        self.rows = torch.tensor(rows)

    def uniform(self, each=1):
        assert len(self.rows) == each
        return self.rows


@pytest.mark.parametrize(("fill", "mode"), [("background", "constant"), ("edge", "replicate"), ("reflect", "reflect")])
@pytest.mark.parametrize("padding", [1, 2])
def test_a_crop_is_one_of_the_windows_and_all_of_them_come_up(fill, mode, padding):
    images = batch(600)
    changed = geometry.crop(images, draw(600), padding, fill, GROUND)
    value = {"value": 7.0} if mode == "constant" else {}
    padded = torch.nn.functional.pad(images[:1], (padding,) * 4, mode=mode, **value)[0, 0]
    windows = [padded[y : y + 8, x : x + 10] for y in range(2 * padding + 1) for x in range(2 * padding + 1)]
    found = {next(at for at, window in enumerate(windows) if torch.equal(image[0], window)) for image in changed}
    assert found == set(range(len(windows)))


@given(
    padding=st.integers(1, 40),
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    fill=st.sampled_from(["background", "edge"]),
    seed=st.integers(0, 99),
)
def test_padding_beyond_the_image_is_as_good_as_all_of_it(padding, height, width, fill, seed):
    images = batch(6, 3, height, width)
    ground = torch.tensor([1.0, 2.0, 3.0])
    changed = geometry.crop(images, draw(6, seed), padding, fill, ground)
    offsets = draw(6, seed).integers(2 * padding + 1, 2)
    if fill == "edge":
        padded = torch.nn.functional.pad(images, (padding,) * 4, mode="replicate")
    else:
        padded = ground.view(1, 3, 1, 1).repeat(6, 1, height + 2 * padding, width + 2 * padding)
        padded[:, :, padding : padding + height, padding : padding + width] = images
    for image, whole_one, y, x in zip(changed, padded, *offsets.tolist(), strict=True):
        assert torch.equal(image, whole_one[:, y : y + height, x : x + width])


def test_reflection_further_than_the_image_reaches_is_an_error():
    assert geometry.crop(batch(2), draw(2), 7, "reflect", GROUND).shape == (2, 1, 8, 10)
    with pytest.raises(UserError, match=r"padding of 8 pixels, but images of 8 x 10 .* mirrored by 7 at most: give"):
        geometry.crop(batch(2), draw(2), 8, "reflect", GROUND)


@pytest.mark.parametrize(("height", "width"), [(24, 24), (16, 31), (9, 1)])
def test_a_resized_crop_is_torchvision_s_of_the_same_rectangle(height, width):
    images, settings = batch(40, 3, height, width), ResizedCrop()
    changed = geometry.resized_crop(images, draw(40), settings)
    (top, rows), (left, columns) = rectangles(draw(40), (height, width), settings.scale, (1 / 1.333, 1 / 0.75))
    for at, ours in enumerate(changed):
        box = [int(part[at]) for part in (top, left, rows, columns)]
        theirs = v2.functional.resized_crop(images[at], *box, [height, width], antialias=True)
        assert torch.allclose(ours, theirs, atol=0.05)


def test_a_resized_crop_of_the_whole_image_leaves_it_and_one_of_a_pixel_is_even():
    images = batch(20, 3, 6, 11)
    everything = geometry.resized_crop(images, draw(20), ResizedCrop(scale=[1, 1]))
    assert torch.allclose(everything, images, atol=1e-2)
    pixel = geometry.resized_crop(images, draw(20), ResizedCrop(scale=[1e-4, 1e-4], ratio=[1, 1]))
    assert (pixel.amax((2, 3)) - pixel.amin((2, 3))).max() < 1e-2
    for one, image in zip(pixel[:, :, 0, 0], images, strict=True):
        assert (image.flatten(1) - one[:, None]).abs().amax(0).min() < 1e-2


def test_mirroring_twice_is_nothing():
    images = batch(2, 3)
    assert torch.equal(geometry.mirror(images, "horizontal")[..., 0], images[..., -1])
    assert torch.equal(geometry.mirror(images, "vertical")[..., 0, :], images[..., -1, :])
    for axis in ("horizontal", "vertical"):
        mirrored = geometry.mirror(images, axis)
        assert mirrored.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(geometry.mirror(mirrored, axis), images)


def test_an_affine_change_of_nothing_is_the_identity():
    assert torch.allclose(geometry.affine(batch(3, 3), draw(3), Affine(), torch.zeros(3)), batch(3, 3), atol=1e-2)


def disc():
    """A disc in an oblong image, 20 x 40."""
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(40.0), indexing="ij")
    return (((y - 9.5) ** 2 + (x - 19.5) ** 2) < 36).float().mul(255).view(1, 1, 20, 40)


def test_a_rotation_keeps_its_shape_in_an_oblong_image():
    # A disc stays a disc under a quarter turn if the aspect ratio is allowed for.
    turned = geometry.affine(disc(), Given([1.0], [0.5], [0.5], [0.5], [0.5]), Affine(degrees=90.0), torch.zeros(1))
    assert (turned - disc()).abs().mean() < 0.1


def test_a_quarter_turn_of_a_square_image_is_exact():
    image = batch(1, height=9, width=9)
    turned = geometry.affine(image, Given([1.0], [0.5], [0.5], [0.5], [0.5]), Affine(degrees=90.0), torch.zeros(1))
    assert min((turned - image.rot90(times, (2, 3))).abs().max() for times in (1, 3)) < 1e-2


def test_a_scale_is_a_factor_on_the_area_of_what_is_seen():
    for drawn, factor in ((1.0, 1.3), (0.0, 0.7)):
        scaled = geometry.affine(disc(), Given([0.5], [0.5], [drawn], [0.5], [0.5]), Affine(scale=0.3), torch.zeros(1))
        assert scaled.sum() / disc().sum() == pytest.approx(factor**2, rel=0.02)


def test_a_shear_slants_what_is_upright_and_leaves_rows_in_place():
    image = torch.zeros(1, 1, 41, 61)
    image[..., 30] = 255
    slanted = geometry.affine(image, Given([0.5], [1.0], [0.5], [0.5], [0.5]), Affine(shear=45.0), torch.zeros(1))
    place = slanted[0, 0].argmax(1).tolist()
    assert place in ([*range(10, 51)], [*range(50, 9, -1)])


def test_a_shift_is_a_share_of_each_side():
    image = torch.zeros(1, 1, 20, 40)
    image[..., 10, 20] = 255
    moved = geometry.affine(image, Given([0.5], [0.5], [0.5], [0.0], [1.0]), Affine(shift=0.25), torch.zeros(1))
    assert moved[0, 0].nonzero().tolist() == [[5, 30]]


def test_an_affine_change_fills_with_the_ground():
    images = torch.full((50, 1, 8, 8), 200.0)
    changed = geometry.affine(images, draw(50), Affine(shift=0.5), GROUND)
    assert changed.min() == pytest.approx(7, abs=0.01)
    assert changed.max() <= 200.01


@given(
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    scale=st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)),
    ratio=st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)),
    seed=st.integers(0, 9),
)
def test_what_is_erased_is_one_rectangle_inside_the_image(height, width, scale, ratio, seed):
    settings = Erase(scale=sorted(scale), ratio=sorted(ratio), fill="black")
    changed = appearance.erase(torch.full((8, 3, height, width), 9.0), draw(8, seed), settings, torch.zeros(3))
    for image in changed == 0:
        assert (image == image[0]).all()
        rows, columns = image[0].any(1), image[0].any(0)
        assert torch.equal(image[0], rows[:, None] & columns)
        assert (rows.int().diff() == 1).sum() <= 1 >= (columns.int().diff() == 1).sum()
        # Either side is rounded to whole pixels, and is one pixel at least.
        low, high = (share * height * width for share in settings.scale)
        assert (rows.sum() - 1) * (columns.sum() - 1) <= high
        assert (rows.sum() + 1) * (columns.sum() + 1) >= low


def test_area_ratio_and_place_of_what_is_erased_spread_over_their_ranges():
    count = 2000
    settings = Erase(scale=[0.05, 0.25], ratio=[0.25, 4.0], fill="black")
    erased = appearance.erase(torch.ones(count, 1, 100, 100), draw(count), settings, GROUND)[:, 0] == 0
    rows, columns = (erased.any(axis).sum(1).float() for axis in (2, 1))
    share = rows * columns / 1e4
    assert share.min() > 0.045
    assert share.max() < 0.26
    assert share.mean() == pytest.approx(0.15, abs=0.01)
    ratio = (rows / columns).log()
    assert ratio.mean() == pytest.approx(0, abs=0.1)
    assert ratio.abs().max() <= math.log(4) + 0.1
    assert ratio.std() == pytest.approx(2 * math.log(4) / math.sqrt(12), rel=0.1)
    # As often to the left as to the right, and into every corner.
    seen = erased.float().mean(0)
    assert (seen - seen.flip(0)).abs().max() < 0.06
    assert (seen - seen.flip(1)).abs().max() < 0.06
    small = appearance.erase(torch.ones(count, 1, 8, 8), draw(count), settings, GROUND)[:, 0] == 0
    assert small[:, [0, 0, -1, -1], [0, -1, 0, -1]].any(0).all()


def test_what_covers_an_erased_part():
    whole_image = {"scale": [1.0, 1.0], "ratio": [1.0, 1.0]}
    images, ground = batch(50, 3, 8, 8), torch.tensor([1.0, 2.0, 3.0])
    mean, black, noise = (
        appearance.erase(images, draw(50), Erase(fill=fill, **whole_image), ground)
        for fill in ("mean", "black", "noise")
    )
    assert torch.equal(mean, ground.view(1, 3, 1, 1).expand_as(images))
    assert black.abs().max() == 0
    assert noise.mean() == pytest.approx(127.5, abs=3)
    assert noise.std() == pytest.approx(255 / math.sqrt(12), abs=3)


def test_salt_and_pepper_is_half_black_half_white_on_all_channels_at_once():
    images = torch.full((400, 3, 30, 30), 100.0)
    changed = appearance.salt_and_pepper(images, draw(400), 0.4)
    assert torch.equal(changed, changed[:, :1].expand_as(changed))
    assert set(changed.unique().tolist()) == {0.0, 100.0, 255.0}
    share = (changed[:, 0] != 100).float().mean((1, 2))
    assert share.mean() == pytest.approx(0.2, abs=0.015)
    assert share.min() < 0.02
    assert 0.36 < share.max() < 0.46
    assert (changed == 0).float().mean() == pytest.approx((changed == 255).float().mean().item(), abs=0.01)


def test_salt_and_pepper_on_all_pixels():
    changed = appearance.salt_and_pepper(torch.full((1, 1, 50, 50), 100.0), Salted([1.0]), 1.0)
    assert sorted(changed.unique().tolist()) == [0, 255]


class Salted(Given):
    def field(self, channels, height, width):
        return torch.rand((1, channels, height, width), generator=torch.Generator().manual_seed(0))


def test_the_root_is_that_of_exact_divisions_and_roots():
    values = np.random.default_rng(0).random(100_000, dtype=np.float32) * 100
    one = np.float32(1)
    assert (geometry.square_root(torch.from_numpy(values)).numpy() == one / (one / np.sqrt(values))).all()
    assert geometry.square_root(torch.zeros(3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("sides", [(3, 4), (8, 4), (8, 10)])
def test_a_part_is_one_of_the_windows_and_all_of_them_come_up(sides):
    images = batch(400, channels=3)
    changed = geometry.part(images, draw(400), sides)
    assert changed.shape == (400, 3, *sides)
    assert changed.is_contiguous(memory_format=torch.channels_last)
    windows = images[:1].unfold(2, sides[0], 1).unfold(3, sides[1], 1)[0].permute(1, 2, 0, 3, 4).flatten(0, 1)
    drawn = {part.numpy().tobytes() for part in changed}
    assert drawn == {window.contiguous().numpy().tobytes() for window in windows}
