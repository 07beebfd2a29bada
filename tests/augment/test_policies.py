import pytest
import torch
from torchvision.transforms import InterpolationMode, v2

from darkroom.augment import pipeline, policies
from darkroom.augment.randomness import whole
from darkroom.config.augmentations import Augmentation

# The names that torchvision gives to what our options do, in their order.
MOVES = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
OPTIONS = (
    MOVES,
    *(("Brightness",), ("Color",), ("Contrast",), ("Sharpness",)),
    *(("Posterize",), ("Solarize",), ("AutoContrast",), ("Equalize",)),
)
TWINS = {
    "trivial": (policies.WIDE, None, v2.TrivialAugmentWide(interpolation=InterpolationMode.BILINEAR), range(31)),
    "rand 9": (policies.RAND_AUGMENT, 9, v2.RandAugment(interpolation=InterpolationMode.BILINEAR), [9]),
}
ON_BYTES = {
    "Posterize",
    "Solarize",
    "AutoContrast",
    "Equalize",
}  # torchvision does otherwise on fractions, or not at all


def draw(count, seed=0):
    return whole(torch.Generator().manual_seed(seed), torch.arange(count), torch.device("cpu"))


def picture(channels, height=16, width=18):
    """An image without values at which solarize may decide either way: its thresholds are multiples of 8.5."""
    image = torch.randint(52, 203, (1, channels, height, width), generator=torch.Generator().manual_seed(2))
    image += image % 17 == 0
    return image.float().contiguous(memory_format=torch.channels_last)


def theirs(names, twin, levels, image):
    """Everything that torchvision may make of an image by these operations at these strengths."""
    made = []
    for name in names:
        strengths, signed = twin._AUGMENTATION_SPACE[name]
        values = strengths(31, *image.shape[2:])
        for level in levels:
            # Rounded, for at strength 15 they move by 15.999999, which they cut down to 15 pixels.
            value = 0.0 if values is None else round(float(values[level]), 5)
            for sign in (1, -1) if signed else (1,):
                given = image.byte() if name in ON_BYTES else image / 255
                arguments = (given, name, sign * value, twin.interpolation, {torch.Tensor: None})
                changed = twin._apply_image_or_video_transform(*arguments).float()
                made.append(changed if name in ON_BYTES else changed * 255)
    return torch.cat(made)


@pytest.mark.parametrize(("kind", "channels"), [("trivial", 1), ("rand 9", 3)])
def test_each_operation_makes_what_torchvision_s_may_make_and_all_of_it(kind, channels):
    space, magnitude, twin, levels = TWINS[kind]
    image = picture(channels)
    options, weights = policies.options(space, magnitude, torch.zeros(channels))
    assert weights == [len(names) for names in OPTIONS] + [1]
    for option, names in zip(options, OPTIONS, strict=True):
        expected = theirs(names, twin, levels, image).flatten(1)
        expected = expected[(torch.cdist(expected, expected, p=float("inf")) < 0.2).int().argmax(1).unique()]
        count = min(9 * len(expected) + 30, 700)
        ours = option(image.repeat(count, 1, 1, 1), draw(count)).flatten(1)
        apart = torch.cdist(ours, expected, p=float("inf"))
        assert apart.min(1).values.max() < 1.001, names
        # All five moves at all strengths are too many to wait for each.
        assert len(apart.argmin(1).unique()) > (0.8 if names == MOVES else 0.99) * len(expected), names


def build(name, **settings):
    background = torch.full((3,), 40.0)
    return pipeline.build([Augmentation.model_validate({name: settings})], background, background)


def test_trivial_augment_is_one_of_14_operations_equally_likely():
    images = picture(3).repeat(2000, 1, 1, 1)
    changed = build("trivial_augment")(images, draw(2000))

    def part_like(image, within):
        return ((changed - image).abs().amax((1, 2, 3)) < within).float().mean()

    # At strength 0 nothing comes of the nine operations with two directions, nor of posterize at its first three, nor
    # of solarize above the brightest value.
    untouched = (1 + 9 / 31 + 3 / 31 + 7 / 31) / 14
    assert part_like(images[:1], 0.05) == pytest.approx(untouched, abs=0.025)
    for name in ("AutoContrast", "Equalize"):
        twin = theirs([name], v2.TrivialAugmentWide(), [0], images[:1])
        assert part_like(twin, 1.001) == pytest.approx(1 / 14, abs=0.025)


def test_what_comes_into_view_is_the_background():
    image = torch.full((1, 3, 24, 24), 200.0)
    moved = policies.moved(image.repeat(2, 1, 1, 1), torch.eye(5)[:, 2:4] * 0.25, policies.WIDE, torch.full((3,), 40.0))
    assert torch.allclose(moved[0, :, :, :8], torch.tensor(40.0), atol=0.1)
    assert torch.allclose(moved[0, :, :, 8:], torch.tensor(200.0), atol=0.1)
    assert torch.allclose(moved[1], moved[0].mT, atol=0.1)


@pytest.mark.parametrize("operations", [1, 2, 5])
def test_rand_augment_runs_so_many_operations(operations):
    # At magnitude 0 autocontrast and equalize alone change an image without white, up to the rounding of places.
    images = picture(3).repeat(1000, 1, 1, 1)
    changed = build("rand_augment", operations=operations, magnitude=0)(images, draw(1000))
    untouched = ((changed - images).abs().amax((1, 2, 3)) < 1).float().mean()
    assert untouched == pytest.approx((12 / 14) ** operations, abs=0.04)


def test_a_magnitude_is_a_strength_for_all_operations():
    images = picture(3).repeat(300, 1, 1, 1)
    distance = [
        (build("rand_augment", operations=1, magnitude=level)(images, draw(300)) - images).abs().mean().item()
        for level in (0, 9, 20, 30)
    ]
    assert distance == sorted(distance)
    assert distance[3] > 2 * distance[0]
