import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from darkroom.augment.mixing import mix
from darkroom.augment.randomness import Draw, whole
from tests.ddp import CPU, settings

CLASSES = 4
OPTIONS = [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 1.0, "cutmix": 0.5}]


def draws(count, seed=0):
    return whole(torch.Generator().manual_seed(seed), torch.arange(count), CPU)


def batch(count=40, height=12, width=9, seed=0):
    """Images of floats that all differ, and labels; those of the two that are mixed differ."""
    images = torch.rand((count, 3, height, width), generator=torch.Generator().manual_seed(seed))
    return images, torch.arange(count) % CLASSES


def own(targets, labels):
    return targets.gather(1, labels[:, None]).flatten()


def test_without_either_nothing_changes():
    images, labels = batch()
    draw = draws(40)
    before = draw.generator.get_state()
    mixed, targets = mix(images, labels, draw, settings(), CLASSES)
    assert mixed is images
    assert targets is labels
    assert torch.equal(draw.generator.get_state(), before)


@given(
    st.sampled_from(["mixup", "cutmix", "both"]),
    st.sampled_from([1e-3, 0.2, 1.0, 50.0]),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 33),
    st.integers(0, 100),
)
def test_targets_are_shares_of_two_classes_and_an_image_keeps_half_of_itself(method, alpha, height, width, count, seed):
    images, labels = batch(count, height, width)
    options = {name: alpha for name in ("mixup", "cutmix") if method in (name, "both")}
    mixed, targets = mix(images, labels, draws(count, seed), settings(**options), CLASSES)
    assert mixed.shape == images.shape
    assert mixed.dtype == targets.dtype == torch.float32
    assert targets.shape == (count, CLASSES)
    assert torch.isfinite(mixed).all()
    assert torch.allclose(targets.sum(1), torch.ones(count))
    assert bool((targets >= 0).all())
    assert bool((own(targets, labels) >= 0.5 - 1e-6).all())
    assert bool((mixed >= 0).all() & (mixed <= 1).all())


def test_mixup_is_the_convex_combination_that_the_targets_tell():
    images, labels = batch()
    mixed, targets = mix(images, labels, draws(40), settings(mixup=1.0), CLASSES)
    share = own(targets, labels)[:, None, None, None]
    assert torch.allclose(mixed, share * images + (1 - share) * images.flip(0), atol=1e-6)
    other = targets.gather(1, labels.flip(0)[:, None]).flatten()
    assert torch.allclose(other, 1 - own(targets, labels))
    assert share.std() > 0.1  # drawn for each image


def test_shares_follow_the_beta_distribution():
    images, labels = batch(4000, 1, 1)
    for parameter in (0.2, 1.0, 5.0):
        _, targets = mix(images, labels, draws(4000), settings(mixup=parameter), CLASSES)
        drawn = np.random.default_rng(0).beta(parameter, parameter, 100_000)
        expected = np.maximum(drawn, 1 - drawn)
        assert float(own(targets, labels).mean()) == pytest.approx(expected.mean(), abs=0.01)
        assert float(own(targets, labels).std()) == pytest.approx(expected.std(), abs=0.01)


@pytest.mark.parametrize("size", [(12, 9), (8, 8), (5, 1), (1, 1), (28, 28)])
def test_cutmix_pastes_a_box_and_its_share_is_the_target(size):
    images, labels = batch(60, *size)
    mixed, targets = mix(images, labels, draws(60), settings(cutmix=1.0), CLASSES)
    kept, pasted = ((mixed == source).all(1) for source in (images, images.flip(0)))
    assert bool((kept | pasted).all())
    assert torch.allclose(own(targets, labels), kept.float().mean((1, 2)))
    for one in pasted:
        rows, columns = one.any(1).nonzero().flatten(), one.any(0).nonzero().flatten()
        assert int(one.sum()) == len(rows) * len(columns)
        if len(rows):
            assert len(rows) == rows[-1] + 1 - rows[0]
            assert len(columns) == columns[-1] + 1 - columns[0]
    if min(size) > 4:
        assert int(pasted.any(2).any(1).sum()) > 10


def test_boxes_come_everywhere():
    images, labels = batch(4000, 6, 7)
    mixed, _ = mix(images, labels, draws(4000), settings(cutmix=1.0), CLASSES)
    pasted = (mixed == images.flip(0)).all(1).float().mean(0)
    assert float(pasted.min()) > 0.01
    assert torch.allclose(pasted, pasted.flip(0, 1), atol=0.03)


def test_with_both_each_image_gets_one():
    images, labels = batch(400)
    mixed, targets = mix(images, labels, draws(400), settings(mixup=1.0, cutmix=1.0), CLASSES)
    kept, pasted = ((mixed == source).all(1) for source in (images, images.flip(0)))
    cut = (kept | pasted).flatten(1).all(1)
    assert 0.35 < float(cut.float().mean()) < 0.65
    share = own(targets, labels)
    assert torch.allclose(share[cut], kept.float().mean((1, 2))[cut])
    blend = share[:, None, None, None] * images + (1 - share[:, None, None, None]) * images.flip(0)
    assert torch.allclose(mixed[~cut], blend[~cut], atol=1e-6)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_one_seed_gives_one_result_and_the_images_given_are_left_alone(options):
    images, labels = batch()
    before = images.clone()
    first, second, third = (mix(images, labels, draws(40, seed), settings(**options), CLASSES) for seed in (1, 1, 2))
    assert torch.equal(images, before)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[0], third[0])


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_all_parts_of_a_batch_draw_equally_much(options):
    images, labels = batch()
    states = []
    for part in (torch.arange(40), torch.arange(7), torch.arange(7, 40), torch.arange(0)):
        generator = torch.Generator().manual_seed(3)
        mix(images[part], labels[part], Draw(generator, torch.arange(40), part, 1, CPU), settings(**options), CLASSES)
        states.append(generator.get_state())
    assert all(torch.equal(state, states[0]) for state in states)
