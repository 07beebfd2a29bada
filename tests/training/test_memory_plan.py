"""The number of parts in which a batch is worked off, from a memory that is made up."""

import pytest
import torch

from darkroom.base.errors import UserError
from darkroom.config.params import load
from darkroom.training import memory_plan, step_memory
from darkroom.training.memory_plan import ROOM
from tests.ddp import CPU

pytestmark = pytest.mark.usefixtures("one_thread")
SHAPE = (8, 8, 1)
GPU = torch.device("cuda")
MB = 10**6


@pytest.fixture
def machine(monkeypatch):
    """A machine whose free bytes are given; a step is counted as 1 MB an image, and a CPU takes 1.5 times that."""
    seen = {"tried": []}

    def on_cpu(network, shape, count):
        seen["tried"].append(count)
        return int(1.5 * count * MB)

    def on_gpu(network, settings, shape, count, device):
        seen["tried"].append(count)
        return None if count > seen["most"] else count * MB

    monkeypatch.setattr(memory_plan, "free_memory", lambda device: seen["free"])
    monkeypatch.setattr(step_memory, "counted", lambda network, shape, count: count * MB)
    monkeypatch.setattr(step_memory, "on_cpu", on_cpu)
    monkeypatch.setattr(step_memory, "on_gpu", on_gpu)
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices: torch.no_grad())  # there is no GPU's generator
    monkeypatch.setattr(memory_plan, "state_bytes", lambda network, settings: 0)
    return seen


@pytest.fixture
def plan(project, machine):
    def made(free, device=CPU, images=0, earlier=None, **changes):
        machine["free"] = int(free)
        params, _ = load()
        asked = {"accumulate": "auto", "batch_size": 128, "portable": False} | changes
        params = params.model_copy(update={"train": params.train.model_copy(update=asked)})
        return memory_plan.plan(params, SHAPE, 3, device, images, earlier)

    return made


def test_where_memory_is_plenty_nothing_is_tried(plan, machine):
    found = plan(step_memory.most(128 * MB))
    assert (found.parts, found.fitting, found.known) == (1, 1, "counted")
    assert not machine["tried"]
    assert len(found.in_words()) == 1


@pytest.mark.parametrize(
    ("parts", "free"),
    [(1, 128 * 1.5), (2, 128 * 1.5 - 1), (2, 64 * 1.5), (4, 64 * 1.5 - 1)],
)
def test_a_cpu_takes_the_fewest_parts_that_fit_by_a_trial_of_few_images(plan, machine, parts, free, monkeypatch):
    monkeypatch.setattr(step_memory, "MOST", (2.0, 0.0))  # the made-up steps take nothing beside tensors
    found = plan(free * MB / ROOM + 1)
    assert found.parts == found.fitting == parts
    assert found.known.startswith("from a trial of ")
    assert found.step == 1.5 * 128 / parts * MB
    assert machine["tried"] == [16]


def test_a_trial_on_a_cpu_cannot_take_more_than_half_of_the_room(plan, machine, monkeypatch):
    monkeypatch.setattr(step_memory, "MOST", (2.0, 0.0))
    plan(17 * MB)
    assert machine["tried"] == [4]
    machine["tried"].clear()
    plan(7 * MB)
    assert machine["tried"] == []


@pytest.mark.parametrize(("most", "parts"), [(128, 1), (127, 2), (64, 2), (63, 4)])
def test_a_gpu_tries_ever_smaller_parts(plan, machine, most, parts):
    machine["most"] = most
    found = plan(150 * MB, GPU)
    assert found.parts == parts
    assert machine["tried"][-1] == 128 // parts


def test_a_step_that_a_gpu_takes_without_room_for_images_is_no_fit(plan, machine):
    machine["most"] = 128
    assert [plan(150 * MB, GPU, images=images, memory_share=0.5).parts for images in (0, 100 * MB)] == [1, 2]
    assert machine["tried"] == [128, 128, 64]


def test_a_checkpoint_is_put_together_in_the_memory_of_a_cpu(plan, machine, monkeypatch):
    monkeypatch.setattr(memory_plan, "state_bytes", lambda network, settings: 30 * MB)
    machine["most"] = 128
    assert [plan(300 * MB, device).room for device in (CPU, GPU)] == [240 * MB, 270 * MB]


def test_images_take_no_more_than_their_share(plan):
    assert plan(300 * MB, images=10**12, memory_share=0.5).room == 150 * MB
    assert plan(300 * MB, images=7, memory_share=0.5).room == 300 * MB - 7


def test_where_no_part_fits_the_smallest_is_taken_and_told(plan):
    found = plan(1)
    assert (found.parts, found.fitting) == (64, None)
    assert found.in_words()[-1] == (
        "warning: a step may not fit the memory: a smaller train.batch_size, or a smaller image_size in datasets.yaml"
    )


@pytest.mark.parametrize(
    "changes", [{"portable": True}, {"devices": 2}, {"num_nodes": 2}, {"device": torch.device("mps")}], ids=str
)
def test_what_must_not_depend_on_this_machine_is_one_part_with_a_warning(plan, machine, changes):
    device = changes.pop("device", CPU)
    found = plan(60 * MB * changes.get("devices", 1) + 40 * MB, device, **changes)
    assert (found.parts, found.chosen) == (1, False)
    assert not machine["tried"]
    assert "warning: a step may not fit the memory: train.accumulate=" in found.in_words()[-1]


def test_a_number_is_kept_and_what_would_fit_is_named(plan, machine):
    found = plan(150 * MB, accumulate=2)
    assert found.parts == 2
    assert not machine["tried"]
    assert found.fitting == 4
    assert found.remedy().startswith("train.accumulate=4, ")


def test_a_killed_training_keeps_its_parts_whatever_is_free(plan, machine):
    for free in (10**12, 100 * MB):
        found = plan(free, earlier=8)
        assert (found.parts, found.chosen) == (8, True)
    assert not machine["tried"]
    assert plan(10**12, earlier=8, accumulate=2).parts == 2


def test_the_choice_is_told_with_what_it_means(plan, monkeypatch):
    monkeypatch.setattr(step_memory, "MOST", (2.0, 0.0))
    assert plan(120 * MB).in_words()[:2] == [
        "memory: about 96.0 MB for one of 2 parts of a batch of 128 (from a trial of 16 images), 0.0 MB for the "
        "network with its optimiser and checkpoint, 0.0 MB for images; 0.1 GB are free for the step",
        "a batch of 128 is worked off in 2 parts, so that a step fits the memory: batch norms see the parts; "
        "train.accumulate says how many, and auto may choose others on another day",
    ]


def test_a_real_trial_leaves_generators_alone(project, monkeypatch):
    params, _ = load()
    asked = {"accumulate": "auto", "batch_size": 64, "portable": False}
    params = params.model_copy(update={"train": params.train.model_copy(update=asked)})
    monkeypatch.setattr(memory_plan, "free_memory", lambda device: 5 * MB)
    monkeypatch.setattr(step_memory, "MOST", (2.0, 0.0))
    random = torch.get_rng_state()
    found = memory_plan.plan(params, SHAPE, 3, CPU, 0)
    assert found.known.startswith("from a trial of ")
    assert torch.equal(torch.get_rng_state(), random)


def test_what_stays_through_a_training(project):
    params, _ = load()
    network = torch.nn.Linear(9, 1)  # 40 bytes
    wish = params.train.model_copy(update={"optimizer": "sgd", "momentum": 0.0, "ema": 0.0})
    assert memory_plan.state_bytes(network, wish) == 80
    assert memory_plan.state_bytes(network, wish.model_copy(update={"momentum": 0.9})) == 120
    assert memory_plan.state_bytes(network, wish.model_copy(update={"optimizer": "adam", "ema": 0.9})) == 200


def test_a_network_that_cannot_be_built_is_refused_as_before(plan, project):
    project.set(model__name="resnet_of_mine")
    with pytest.raises(UserError):
        plan(1)
