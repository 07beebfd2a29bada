import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms import v2

from darkroom.augment.randomness import Draw, rectangles, seed_of, whole

CPU = torch.device("cpu")
COUNT = 10

DRAWN = {
    "uniform": lambda draw: draw.uniform(3),
    "integers": lambda draw: draw.integers(7, 2),
    "beta": lambda draw: draw.beta(0.4).unsqueeze(0),
    "field": lambda draw: draw.field(2, 3, 5).unsqueeze(0),
    "rectangles": lambda draw: torch.cat(
        [torch.stack(pair) for pair in rectangles(draw, (9, 7), (0.1, 0.9), (0.3, 2))]
    ),
}
each_kind = pytest.mark.parametrize("kind", DRAWN.values(), ids=DRAWN)


def part(chosen, seed=0):
    return Draw(torch.Generator().manual_seed(seed), torch.arange(COUNT) * 10, torch.tensor(chosen), 1, CPU)


def all_of_them(seed=0):
    return part(range(COUNT), seed)


@each_kind
def test_each_process_gets_the_numbers_of_its_own_images_in_its_own_order(kind):
    together = kind(all_of_them())
    for chosen in ([0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [7, 2], [3]):
        assert torch.equal(kind(part(chosen)), together[:, chosen])


@each_kind
def test_the_generator_moves_on_alike_for_all_processes_one_without_images_included(kind):
    states = []
    for draw in (all_of_them(), part([1, 2]), Draw(part([0]).generator, torch.arange(COUNT), torch.arange(0), 1, CPU)):
        assert kind(draw).shape[1] == len(draw.chosen)
        states.append(draw.generator.get_state())
    assert all(torch.equal(states[0], other) for other in states[1:])


@each_kind
def test_a_state_gives_the_same_numbers_again_and_a_second_draw_gives_others(kind):
    draw = all_of_them(3)
    first, second = kind(draw), kind(draw)
    assert torch.equal(kind(all_of_them(3)), first)
    assert not torch.equal(first, second)
    assert not torch.equal(kind(all_of_them(4)), first)


@each_kind
def test_only_gives_the_numbers_of_a_part_of_our_images(kind):
    together = kind(all_of_them())
    ours = part([9, 8, 1, 5]).only(torch.tensor([3, 1]))
    assert ours.ours().tolist() == [50, 80]
    assert torch.equal(kind(ours), together[:, [5, 8]])
    nested = part([9, 8, 1, 5]).only(torch.tensor([3, 1])).only(torch.tensor([1]))
    assert torch.equal(kind(nested), together[:, [8]])


def test_ours_are_places_in_the_training_set():
    assert part([4, 0]).ours().tolist() == [40, 0]


def test_forms_and_ranges():
    draw = whole(torch.Generator().manual_seed(0), torch.arange(5000), CPU, epoch=4)
    assert draw.epoch == 4
    assert draw.ours().tolist() == list(range(5000))
    uniform, integers, field = draw.uniform(2), draw.integers(3, 2), draw.field(1, 2, 3)
    assert (uniform.shape, uniform.dtype) == ((2, 5000), torch.float32)
    assert (integers.shape, integers.dtype) == ((2, 5000), torch.int64)
    assert (field.shape, field.dtype) == ((5000, 1, 2, 3), torch.float32)
    for numbers in (uniform, field):
        assert numbers.min() >= 0
        assert numbers.max() < 1
        assert numbers.mean() == pytest.approx(0.5, abs=0.02)
    assert integers.unique().tolist() == [0, 1, 2]


@pytest.mark.parametrize("parameter", [0.2, 1.0, 8.0])
def test_beta_has_the_moments_of_its_distribution(parameter):
    numbers = whole(torch.Generator().manual_seed(0), torch.arange(5000), CPU).beta(parameter)
    assert (numbers.shape, numbers.dtype) == ((5000,), torch.float32)
    assert numbers.mean() == pytest.approx(0.5, abs=0.02)
    assert numbers.var() == pytest.approx(1 / (4 * (2 * parameter + 1)), rel=0.06)


@given(st.floats(1e-6, 1e6))
def test_beta_stays_between_zero_and_one(parameter):
    numbers = all_of_them().beta(parameter)
    assert ((numbers >= 0) & (numbers <= 1)).all()  # false for nan


def test_beta_is_strictly_between_where_mixing_is_usual():
    numbers = whole(torch.Generator().manual_seed(0), torch.arange(5000), CPU).beta(1.0)
    assert ((numbers > 0) & (numbers < 1)).all()


def test_a_seed_is_made_of_all_its_numbers_in_their_order():
    seeds = {seed_of(first, second) for first in range(30) for second in range(30)}
    assert len(seeds) == 900
    assert seed_of(1, 2) == seed_of(1, 2) != seed_of(2, 1)
    assert all(0 <= seed < 2**63 for seed in seeds)
    # Half the bits differ between neighbours.
    bits = [bin(seed_of(0, epoch) ^ seed_of(0, epoch + 1)).count("1") for epoch in range(200)]
    assert np.mean(bits) == pytest.approx(31.5, abs=1.5)


@pytest.mark.parametrize("kind", [lambda draw: draw.uniform(), DRAWN["integers"], DRAWN["beta"], Draw.ours])
def test_what_is_drawn_goes_to_a_gpu_without_waiting_for_it(monkeypatch, kind):
    done = []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda values: done.append("pinned") or values)
    monkeypatch.setattr(torch.Tensor, "to", lambda values, device, **options: done.append(options) or values)
    kind(Draw(torch.Generator(), torch.arange(COUNT), torch.arange(3), 1, torch.device("cuda")))
    assert done == ["pinned", {"non_blocking": True}]


@pytest.mark.parametrize("ratio", [(0.75, 1.333), (2.0, 3.0)])
def test_rectangles_are_spread_as_those_of_torchvision_s_resized_crop_where_all_of_them_fit(ratio):
    height, width, count, scale = 120, 150, 1500, (0.1, 0.25)
    source = whole(torch.Generator().manual_seed(0), torch.arange(count), CPU)
    # Theirs is width over height.
    (top, rows), (left, columns) = rectangles(source, (height, width), scale, (1 / ratio[1], 1 / ratio[0]))
    ours = torch.stack([top, left, rows, columns], dim=1)
    torch.manual_seed(0)
    crop, image = v2.RandomResizedCrop(8, scale=scale, ratio=ratio), torch.empty(3, height, width)
    drawn = [crop.make_params([image]) for _ in range(count)]
    theirs = torch.tensor([[one[key] for key in ("top", "left", "height", "width")] for one in drawn]).float()
    for quantile in (0.02, 0.25, 0.5, 0.75, 0.98):
        assert torch.allclose(ours.quantile(quantile, dim=0), theirs.quantile(quantile, dim=0), atol=5)


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 1), st.floats(0.1, 10), st.integers(0, 99))
def test_rectangles_lie_inside_their_images(height, width, share, ratio, seed):
    for side, (first, number) in zip(
        (height, width), rectangles(all_of_them(seed), (height, width), (share, share), (ratio, ratio)), strict=True
    ):
        assert (first >= 0).all()
        assert (number >= 1).all()
        assert (first + number <= side).all()
        assert torch.equal(first, first.round())
        assert torch.equal(number, number.round())
