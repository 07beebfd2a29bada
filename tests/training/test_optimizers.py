import copy
import itertools
from collections import OrderedDict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

from darkroom.training.optimizers import Average, absolute_sum, factor, limit_norms, make_optimizer, set_rate
from tests.ddp import settings

SCHEDULES = ["constant", "linear", "cosine", "onecycle", "multistep", "plateau"]


def build():
    torch.manual_seed(0)
    features = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten())
    return nn.Sequential(OrderedDict(features=features, head=nn.Sequential(nn.Linear(16, 3))))


def course(chosen, steps):
    return [factor(chosen, step, steps) for step in range(steps)]


@given(st.sampled_from(SCHEDULES), st.floats(0, 0.99), st.integers(1, 300))
def test_the_rate_rises_to_its_peak_and_falls_to_the_documented_end(schedule, warmup, steps):
    values = course(settings(schedule=schedule, warmup=warmup), steps)
    rise = sum(step < warmup * steps for step in range(steps))
    assert all(0 < value <= 1 for value in values)
    assert all(before < after for before, after in itertools.pairwise(values[:rise]))
    assert all(before >= after for before, after in itertools.pairwise(values[rise:]))
    if rise:
        assert values[0] == pytest.approx(1 / 25 if schedule == "onecycle" else 1 / (warmup * steps + 1))
    if rise < steps and schedule != "multistep":
        assert values[rise] > 1 - 2 / max(1, steps - rise)
    end = {"linear": 0, "cosine": 0, "onecycle": 4e-6, "multistep": 0.01}.get(schedule, 1)
    assert factor(settings(schedule=schedule, warmup=warmup), steps, steps) == pytest.approx(end, abs=1e-12)


def torchs(scheduler, steps):
    """The optimiser's settings at each step, as a scheduler of torch makes them out of a rate of 1."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0, momentum=0.9)
    stepped, rows = scheduler(optimizer), []
    for _ in range(steps):
        rows.append(dict(optimizer.param_groups[0]))
        optimizer.step()
        stepped.step()
    return rows


@pytest.mark.parametrize("steps", [1, 10, 77])
def test_cosine_is_that_of_torch(steps):
    rows = torchs(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps), steps)
    assert course(settings(schedule="cosine", warmup=0.0), steps) == pytest.approx([row["lr"] for row in rows])


@pytest.mark.parametrize("milestones", [[0.5, 0.75], [0.2], [], [0.75, 0.5]])
def test_multistep_is_that_of_torch(milestones):
    chosen = settings(schedule="multistep", warmup=0.0, milestones=milestones, gamma=0.3)
    at = sorted(int(milestone * 40) for milestone in milestones)
    rows = torchs(lambda optimizer: lr_scheduler.MultiStepLR(optimizer, at, gamma=0.3), 40)
    assert course(chosen, 40) == pytest.approx([row["lr"] for row in rows])


def test_linear_is_that_of_torch():
    rows = torchs(lambda optimizer: lr_scheduler.LinearLR(optimizer, 1.0, 0.0, total_iters=40), 40)
    assert course(settings(schedule="linear", warmup=0.0), 40) == pytest.approx([row["lr"] for row in rows])


@pytest.mark.parametrize("steps", [20, 100])
def test_onecycle_is_that_of_torch_with_momentum(steps):
    # torch counts to the last step, this course to the end of it: one step more.
    share = (0.3 * steps + 1) / (steps + 1)
    rows = torchs(lambda made: lr_scheduler.OneCycleLR(made, 1.0, steps + 1, pct_start=share), steps)
    chosen = settings(schedule="onecycle", warmup=0.3)
    assert course(chosen, steps) == pytest.approx([row["lr"] for row in rows])
    for optimizer in ("sgd", "adam", "adamw"):
        made = make_optimizer(build(), settings(schedule="onecycle", warmup=0.3, optimizer=optimizer))
        for step, row in enumerate(rows):
            set_rate(made, chosen, 0.5, step, steps)
            for group in made.param_groups:
                momentum = group["momentum"] if optimizer == "sgd" else group["betas"][0]
                assert momentum == pytest.approx(row["momentum"], abs=1e-9)
                assert group["lr"] == 0.5
                assert optimizer == "sgd" or group["betas"][1] == 0.999


def test_onecycle_gives_no_momentum_where_none_is_wanted():
    chosen = settings(schedule="onecycle", momentum=0.0)
    made = make_optimizer(build(), chosen)
    set_rate(made, chosen, 0.1, 3, 10)
    assert [group["momentum"] for group in made.param_groups] == [0.0, 0.0]


def test_other_schedules_leave_the_momentum_alone():
    made = make_optimizer(build(), settings(momentum=0.7))
    set_rate(made, settings(momentum=0.7), 0.1, 3, 10)
    assert [group["momentum"] for group in made.param_groups] == [0.7, 0.7]


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", torch.optim.SGD), ("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)]
)
def test_weight_decay_is_for_weights_alone(name, kind):
    network = build()
    made = make_optimizer(network, settings(optimizer=name, weight_decay=0.3))
    assert type(made) is kind
    decay = {id(one): group["weight_decay"] for group in made.param_groups for one in group["params"]}
    named = {name: decay[id(parameter)] for name, parameter in network.named_parameters()}
    assert {name for name, value in named.items() if value == 0.3} == {"features.0.weight", "head.0.weight"}
    assert set(named.values()) == {0.0, 0.3}
    assert len(named) == 6


def test_frozen_parameters_are_left_out():
    network = build()
    network.features.requires_grad_(False)
    made = make_optimizer(network, settings())
    assert [[id(one) for one in group["params"]] for group in made.param_groups] == [
        [id(network.head[0].weight)],
        [id(network.head[0].bias)],
    ]


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.9, True), (0.9, False), (0.0, True)])
def test_nesterov_needs_a_momentum(momentum, nesterov):
    made = make_optimizer(build(), settings(momentum=momentum, nesterov=nesterov))
    assert made.param_groups[0]["nesterov"] == (nesterov and momentum > 0)


def test_the_absolute_sum_is_that_of_the_weights_and_its_gradient_their_sign():
    network = build()
    total = absolute_sum(network)
    weights = [network.features[0].weight, network.head[0].weight]
    assert total.item() == pytest.approx(sum(weight.abs().sum().item() for weight in weights), rel=1e-6)
    total.backward()
    assert all(torch.equal(weight.grad, weight.sign()) for weight in weights)
    assert network.head[0].bias.grad is None
    network.features.requires_grad_(False)
    assert absolute_sum(network).item() == pytest.approx(weights[1].abs().sum().item(), rel=1e-6)


def test_only_units_that_are_too_long_are_shortened():
    network = build()
    with torch.no_grad():
        network.features[0].weight[0].mul_(100)
        network.features[0].weight[1].mul_(0.01)
    before = copy.deepcopy(network)
    limit_norms(network, 0.7)
    for layer, old in ((network.features[0], before.features[0]), (network.head[0], before.head[0])):
        for unit, was in zip(layer.weight, old.weight, strict=True):
            longest = min(1.0, 0.7 / was.norm().item())
            assert torch.allclose(unit, was * longest, atol=1e-6)
        assert torch.equal(layer.bias, old.bias)
    assert torch.equal(network.features[0].weight[1], before.features[0].weight[1])
    assert torch.equal(network.features[1].weight, before.features[1].weight)


def moved(network, by):
    with torch.no_grad():
        for value in network.state_dict().values():
            value.add_(by)
    return {name: value.clone() for name, value in network.state_dict().items()}


def test_the_average_follows_its_recurrence():
    network = build()
    average = Average(network, 0.8)
    expected = None
    for by in (1, 2, -5):
        now = moved(network, by)
        average.update()
        expected = {
            name: 0.8 * expected[name] + 0.2 * value if expected and value.is_floating_point() else value
            for name, value in now.items()
        }
        assert all(torch.allclose(average.values[name], value, atol=1e-5) for name, value in expected.items())
        assert all(average.values[name].dtype == value.dtype for name, value in now.items())
        assert all(torch.equal(network.state_dict()[name], value) for name, value in now.items())
    assert int(average.values["features.1.num_batches_tracked"]) == -2  # counts are copied


def test_swapping_twice_changes_nothing():
    network = build()
    average = Average(network, 0.5)
    start = moved(network, 0)
    average.swap()  # nothing yet to swap with
    assert all(torch.equal(value, start[name]) for name, value in network.state_dict().items())
    average.update()
    own = moved(network, 4)
    average.swap()
    assert all(torch.equal(value, start[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(average.values[name], value) for name, value in own.items())
    average.swap()
    assert all(torch.equal(value, own[name]) for name, value in network.state_dict().items())
    assert all(torch.equal(average.values[name], value) for name, value in start.items())


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_one_pass_takes_the_same_step_and_16_mixed_can_still_clip(name):
    steps = {}
    for clip in (None, 1e9):
        network = build()
        optimizer = make_optimizer(network, settings(optimizer=name, clip=clip))
        network(torch.ones(3, 2, 4, 4)).square().sum().backward()
        optimizer.step()
        steps[clip] = torch.cat([value.detach().flatten() for value in network.parameters()])
        assert bool(optimizer.defaults["fused"]) is (clip is None)
    torch.testing.assert_close(steps[None], steps[1e9])


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_a_first_step_that_is_skipped_leaves_nothing_behind(name):
    """As 16-mixed skips it; torch 2.15's fused SGD would go on with the momentum that lay in memory."""
    ended = {}
    for skipped in (0, 1):
        network = build()
        optimizer = make_optimizer(network, settings(optimizer=name), scaled=True)
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20)
        for step in range(skipped + 3):
            loss = network(torch.ones(3, 2, 4, 4)).square().sum() * (torch.inf if step < skipped else 1)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            poison = [torch.full((size,), 1e6) for size in (72, 4, 48, 3)]  # memory that is given back
            del poison
        ended[skipped] = torch.cat([value.detach().flatten() for value in network.parameters()])
    torch.testing.assert_close(ended[0], ended[1])


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_portable_mode_takes_the_step_without_mkls_root(name):
    assert make_optimizer(build(), settings(optimizer=name, portable=True, clip=1.0)).defaults["fused"]
