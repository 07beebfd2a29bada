import numpy as np
import pytest

from darkroom.dataset import near_duplicates
from tests import make


def scenes(count=30, side=28, channels=1, seed=0):
    """Images of different soft blobs, unlike one another."""
    import cv2

    generator = np.random.default_rng(seed)
    rough = generator.integers(20, 235, (count, 6, 6, channels), dtype=np.uint8)
    return np.stack([cv2.resize(one, (side, side)).reshape(side, side, channels) for one in rough])


def found(asked, training):
    small = near_duplicates.small
    return near_duplicates.pairs(
        np.arange(len(asked)) + 100,
        small(asked),
        np.arange(len(training)) * 3,
        small(training),
        near_duplicates.scale(training),
    )


def one_pixel(image):
    changed = image.copy()
    changed[20, 11] ^= 128
    return changed


def shifted(image):
    moved = np.empty_like(image)
    moved[1:, 1:], moved[:1], moved[:, :1] = image[:-1, :-1], image[:1], image[:, :1]
    return moved


CHANGES = {
    "nothing": lambda image: image,
    "one pixel": one_pixel,
    "brighter": lambda image: image + 2,
    "shifted": shifted,
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [16, 28, 40, 64, 100])
@pytest.mark.parametrize("change", list(CHANGES))
def test_a_planted_near_copy_is_found_and_nothing_else(change, side, channels):
    if change == "one pixel" and side < 28:
        pytest.skip("the pixel lies outside")
    training = scenes(30, side, channels)
    asked = scenes(8, side, channels, seed=1)
    asked[5] = CHANGES[change](training[17])
    table = found(asked, training)
    assert table[["row", "train_row"]].to_numpy().tolist() == [[105, 51]]
    assert 0 <= table["distance"][0] <= near_duplicates.CLOSE


def test_the_nearest_pair_comes_first():
    training = scenes()
    table = found(np.stack([one_pixel(training[3]), training[9]]), training)
    assert table["train_row"].tolist() == [27, 9]
    assert table["distance"].is_monotonic_increasing


def test_blank_images_and_noise():
    blank = np.full((2, 8, 8, 1), 7, np.uint8)
    noise = np.stack([make.pixels(seed=seed) for seed in range(4)])
    assert found(blank[:1], np.concatenate([noise, blank[1:]]))["train_row"].tolist() == [12]
    assert found(noise[:2], noise[2:]).empty
    assert near_duplicates.distance(blank, np.full_like(blank, 9)).tolist() == [0, 0]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3)])
def test_images_of_any_size(size):
    images = np.stack([make.pixels(*size, seed=seed) for seed in range(3)])
    assert len(found(images, images)) >= 3


def test_no_images_make_no_pairs():
    images = scenes(2)
    for asked, training in ((images[:0], images), (images, images[:0])):
        table = near_duplicates.pairs(
            np.arange(len(asked)),
            near_duplicates.small(asked),
            np.arange(len(training)),
            near_duplicates.small(training),
        )
        assert table.empty
        assert list(table) == ["row", "train_row", "distance"]


def test_small_versions_keep_their_proportions():
    images = np.zeros((2, 64, 200, 3), np.uint8)
    assert near_duplicates.small(images).shape == (2, 10, 32, 3)
    assert len(near_duplicates.small(images[:0])) == 0


def test_near_copies_within_one_set_are_found_as_pairs_of_rows():
    images = scenes(40)
    images[31] = images[7] + 2
    images[12] = shifted(images[7])
    rows = np.concatenate([np.arange(5, 15), np.arange(25, 40)])
    assert near_duplicates.among(images, rows).tolist() == [[7, 12], [7, 31], [12, 31]]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_images_have_few_pairs(count):
    images = np.repeat(scenes(1), 3, axis=0) + np.arange(3, dtype=np.uint8)[:, None, None, None]
    assert len(near_duplicates.among(images, np.arange(count))) == count * (count - 1) // 2
