import pytest
import torch

from darkroom import augment
from darkroom.params import Affine, Augmentation

GROUND = torch.tensor([7.0])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def batch(count=64, channels=1, height=8, width=10):
    image = torch.randint(0, 256, (1, channels, height, width), generator=generator(1))
    return image.float().repeat(count, 1, 1, 1)


CHANGES = [{"shift": {"pixels": 2}}, {"flip": {}}, {"affine": {"degrees": 20, "scale": 0.2, "shift": 0.2}}]


def build(*items, ground=GROUND):
    return augment.build([Augmentation.model_validate(item) for item in items], ground)


@pytest.mark.parametrize("change", CHANGES)
def test_values_are_drawn_for_each_image(change):
    changed = build(change)(batch(), generator())
    assert any(not torch.equal(changed[0], other) for other in changed[1:])


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_and_memory_format_are_kept_and_the_input_is_not_touched(change, channels):
    images = batch(channels=channels).contiguous(memory_format=torch.channels_last)
    before = images.clone()
    changed = build(change, ground=torch.full((channels,), 7.0))(images, generator())
    assert changed.shape == images.shape
    assert changed.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)


@pytest.mark.parametrize("change", CHANGES)
def test_the_same_seed_gives_the_same_change(change):
    run = build(change)
    assert torch.equal(run(batch(), generator(3)), run(batch(), generator(3)))
    assert not torch.equal(run(batch(), generator(3)), run(batch(), generator(4)))


def test_shift_moves_by_whole_pixels_in_both_directions_and_fills_with_the_ground():
    images = batch(400)
    changed = augment.shift(images, 1, GROUND, generator())
    padded = torch.nn.functional.pad(images[0, 0], (1, 1, 1, 1), value=7.0)
    windows = [padded[y : y + 8, x : x + 10] for y in range(3) for x in range(3)]
    found = {next(at for at, window in enumerate(windows) if torch.equal(image[0], window)) for image in changed}
    assert found == set(range(9))


def test_flip_mirrors_with_its_probability():
    images = batch(400)
    assert torch.equal(augment.flip(images, 0.0, generator()), images)
    assert torch.equal(augment.flip(images, 1.0, generator()), images.flip(3))
    mirrored = (augment.flip(images, 0.25, generator()) != images).flatten(1).any(1).float().mean()
    assert 0.15 < mirrored < 0.35


def test_an_affine_change_of_nothing_is_the_identity():
    images = batch(3)
    assert torch.allclose(augment.affine(images, Affine(), GROUND, generator()), images, atol=1e-3)


def test_a_rotation_keeps_its_shape_in_an_oblong_image(monkeypatch):
    # A disc in a 20x40 image stays a disc under a quarter turn if the aspect ratio is allowed for.
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(40.0), indexing="ij")
    disc = (((y - 9.5) ** 2 + (x - 19.5) ** 2) < 36).float().mul(255).view(1, 1, 20, 40)
    monkeypatch.setattr(torch, "rand", lambda *a, **k: torch.tensor([[1.0], [0.5], [0.5], [0.5]]))
    turned = augment.affine(disc, Affine(degrees=90.0), torch.zeros(1), generator())
    assert (turned - disc).abs().mean() < 6


def test_an_affine_change_fills_with_the_ground():
    images = torch.full((50, 1, 8, 8), 200.0)
    changed = augment.affine(images, Affine(shift=0.5), GROUND, generator())
    assert changed.min() == pytest.approx(7, abs=0.01)
    assert changed.max() <= 200.01


def test_no_augmentation_changes_nothing():
    assert torch.equal(build()(batch(), generator()), batch())
