import contextlib
import json

import pytest
import torch
from torch import nn

from darkroom.base.errors import UserError
from darkroom.training import precision
from tests.ddp import CPU, settings

SHAPE = (8, 8, 1)
fastest, half = precision._fastest, precision._half  # which most tests replace


def build():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


@pytest.fixture(autouse=True)
def tried(tmp_path, monkeypatch):
    """Half precision is there, and the faster one; the numbers of images for which that was tried."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(precision, "_half", lambda device: "bf16-mixed")
    found = []

    def claimed(network, half, shape, count, device):
        found.append(count)
        return half

    monkeypatch.setattr(precision, "_fastest", claimed)
    return found


def choose(build=build, shape=SHAPE, device=CPU, **changes):
    return precision.choose(settings(**{"precision": "auto"} | changes), device, build, shape)


@pytest.mark.parametrize(
    ("wish", "device"), [("32", "cpu"), ("bf16-mixed", "cpu"), ("bf16-mixed", "cuda"), ("16-mixed", "cuda")]
)
def test_what_is_asked_for_is_taken_untried(tried, tmp_path, wish, device):
    assert choose(precision=wish, device=torch.device(device)) == wish
    assert not tried
    assert not list(tmp_path.iterdir())


def test_float16_is_refused_on_a_cpu():
    """Where Fabric would train in bfloat16, and the record say float16."""
    with pytest.raises(UserError, match=r"train\.precision is 16-mixed, .* use bf16-mixed, 32 or auto"):
        choose(precision="16-mixed")


@pytest.mark.parametrize(
    ("changes", "count"),
    [({}, 16), ({"accumulate": 3}, 5), ({"accumulate": 2, "devices": 2}, 4), ({"batch_size": 1}, 2)],
    ids=str,
)
def test_the_trial_takes_as_many_images_as_a_process_works_off_at_a_time(tried, changes, count):
    choose(**changes)
    assert tried == [count]


@pytest.mark.parametrize("changes", [{"portable": True}, {"num_nodes": 2}], ids=str)
def test_portable_mode_and_several_nodes_stay_with_float32(tried, changes):
    assert choose(**changes) == "32"
    assert not tried


def test_without_instructions_for_half_precision_none_is_tried(tried, monkeypatch):
    monkeypatch.setattr(precision, "_half", lambda device: None)
    assert choose() == "32"
    assert not tried


def test_the_choice_is_kept_and_another_question_asked_anew(tried, monkeypatch):
    assert [choose(), choose(lr=0.3, seed=9)] == ["bf16-mixed"] * 2
    assert tried == [16]
    choose(batch_size=17)
    choose(shape=(9, 9, 1))
    choose(build=lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 4)))
    monkeypatch.setattr(precision, "_place", lambda device: "another machine")
    choose()
    assert tried == [16, 17, 16, 16, 16]
    monkeypatch.setattr(precision, "_fastest", None)
    assert choose() == choose(batch_size=16) == "bf16-mixed"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "7", '"text"', b"\xff\xfe", "{question: 1}"])
def test_a_damaged_record_is_made_anew(tried, tmp_path, content):
    choose()
    file = tmp_path / ".checkpoints" / "precision.json"
    before = file.read_text()
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert choose() == "bf16-mixed"
    assert tried == [16, 16]
    assert file.read_text() == before


@pytest.mark.parametrize("value", [None, 32, "fast", "16-mixed", []])
def test_an_answer_that_cannot_be_is_asked_anew(tried, tmp_path, value):
    choose()
    file = tmp_path / ".checkpoints" / "precision.json"
    file.write_text(json.dumps(dict.fromkeys(json.loads(file.read_text()), value)))
    assert choose() == "bf16-mixed"
    assert tried == [16, 16]


def test_the_gpu_that_was_claimed_is_asked_for_its_instructions(monkeypatch):
    current = [0]

    @contextlib.contextmanager
    def made_current(device):
        current.append(device.index)
        yield
        current.pop()

    monkeypatch.setattr(torch.cuda, "device", made_current)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **options: current[-1] == 1)
    assert [half(torch.device("cuda", number)) for number in (0, 1)] == ["16-mixed", "bf16-mixed"]


def test_the_memory_of_a_trial_is_given_back(monkeypatch):
    monkeypatch.setattr(precision, "_place", lambda device: "a machine with a GPU")
    given_back = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: given_back.append(1))
    assert [choose(device=torch.device("cuda")) for _ in range(2)] == ["bf16-mixed"] * 2
    assert given_back == [1]


class Explodes(nn.Module):
    """Its answers are no numbers, in half precision or always."""

    def __init__(self, when):
        super().__init__()
        self.linear, self.when = nn.Linear(64, 3), when

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        return logits * float("inf") if logits.dtype in self.when else logits


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless it is set."""
    now = [0.0]
    monkeypatch.setattr(precision.time, "perf_counter", lambda: now[0])
    return now


class Slow(nn.Module):
    """Takes one second in half precision, `factor` in float32."""

    def __init__(self, clock, factor):
        super().__init__()
        self.linear, self.clock, self.factor = nn.Linear(64, 3), clock, factor

    def forward(self, images):
        logits = self.linear(images.flatten(1))
        self.clock[0] += 1.0 if logits.dtype == torch.bfloat16 else self.factor
        return logits


@pytest.mark.parametrize("when", [[torch.bfloat16], [torch.float32, torch.bfloat16]])
def test_a_loss_that_is_no_number_decides_for_float32(when):
    assert fastest(Explodes(when), "bf16-mixed", SHAPE, 4, CPU) == "32"


@pytest.mark.parametrize(("factor", "chosen"), [(0.5, "32"), (1.1, "32"), (1.2, "bf16-mixed"), (3.0, "bf16-mixed")])
def test_half_precision_must_be_clearly_faster(clock, factor, chosen):
    assert fastest(Slow(clock, factor), "bf16-mixed", SHAPE, 4, CPU) == chosen


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_trial_on_this_machine_gives_an_answer(monkeypatch, batch_size):
    monkeypatch.setattr(precision, "_fastest", fastest)

    def build():
        return nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64), nn.Linear(64, 3))

    assert choose(build, batch_size=batch_size) in ("32", "bf16-mixed")


def test_a_memory_too_small_for_the_trial_is_told():
    class Large(nn.Module):
        def forward(self, images):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")

    with pytest.raises(UserError, match=r"lower train\.batch_size, raise train\.accumulate"):
        fastest(Large(), "bf16-mixed", SHAPE, 4, CPU)
