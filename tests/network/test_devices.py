import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from darkroom.base.errors import UserError
from darkroom.network import devices
from darkroom.training import processes
from tests.conftest import ROOT
from tests.ddp import CPU, settings


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    for name in ("LOCAL_RANK", "NODE_RANK"):
        monkeypatch.delenv(name, raising=False)
    claimed = []
    monkeypatch.setattr(devices, "_claimed", claimed)
    yield tmp_path
    for lock in claimed:
        lock.release()


@pytest.fixture
def gpus(monkeypatch):
    """Set how many GPUs PyTorch seems to see."""

    def see(count, apple=False):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)

    see(0)
    return see


def test_auto_takes_the_gpu_if_there_is_one(gpus):
    assert devices.choose_device("auto", portable=False) == CPU
    gpus(0, apple=True)
    assert devices.choose_device("auto", portable=False).type == "mps"
    gpus(2, apple=True)
    assert devices.choose_device("auto", portable=False) == torch.device("cuda")
    assert devices.choose_device("auto", portable=True) == CPU
    assert devices.choose_device("cpu", portable=False) == CPU
    assert devices.choose_device("cuda:1", portable=False) == torch.device("cuda:1")
    assert devices.choose_device("cuda", portable=True) == torch.device("cuda")


@pytest.mark.parametrize(("wish", "count"), [("cuda", 0), ("cuda:0", 0), ("cuda:2", 2), ("cuda:99", 8), ("mps", 1)])
def test_a_device_that_is_not_there_is_named(gpus, wish, count):
    gpus(count)
    with pytest.raises(UserError, match=f"train.device is {wish}, .* use auto"):
        devices.choose_device(wish, portable=False)


def test_runs_claim_different_gpus(root):
    assert [devices.claim_gpu(3) for _ in range(3)] == [0, 1, 2]
    devices._claimed[1].release()
    assert devices.claim_gpu(3) == 1


def test_a_process_that_gave_its_gpu_back_can_claim_it_again(root):
    assert [devices.claim_gpu(3), devices.claim_gpu(3)] == [0, 1]
    devices.release_gpus()
    assert devices.claim_gpu(3) == 0


def test_a_run_waits_until_a_gpu_is_free(monkeypatch, capsys):
    assert [devices.claim_gpu(2), devices.claim_gpu(2)] == [0, 1]
    waits = []

    def sleep(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            devices._claimed[1].release()

    monkeypatch.setattr(devices.time, "sleep", sleep)
    assert devices.claim_gpu(2) == 1
    assert waits == [1, 1, 1]
    assert capsys.readouterr().out.count("waiting") == 1


def test_a_claim_ends_with_its_process(root):
    """Another process holds the first GPU for as long as it lives."""
    code = (
        "import sys; from darkroom.network.devices import claim_gpu; print(claim_gpu(2), flush=True); sys.stdin.read()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ
    )
    try:
        assert other.stdout.readline() == b"0\n"
        assert devices.claim_gpu(2) == 1
    finally:
        other.communicate()
    assert devices.claim_gpu(2) == 0


def test_one_device_of_several_gpus_is_claimed(gpus):
    gpus(2)
    assert [devices.device_of_training(settings(device="auto")) for _ in range(2)] == [
        torch.device("cuda", at) for at in (0, 1)
    ]
    assert devices.device_of_training(settings(device="cuda:0")) == torch.device("cuda:0")
    assert devices.device_of_training(settings(device="cuda", devices=2)) == torch.device("cuda")
    gpus(1)
    assert devices.device_of_training(settings(device="cuda")) == torch.device("cuda")
    assert len(devices._claimed) == 2


def test_later_stages_work_where_the_training_did(gpus):
    def again(device, portable=False):
        return devices.device_after_training(settings(device=device, portable=portable))

    assert [again(device) for device in ("cpu", "cuda", "cuda:1", "mps")] == [CPU] * 4
    gpus(1)
    assert [again("cpu"), again("auto", portable=True)] == [CPU] * 2
    assert [again(device) for device in ("cuda", "cuda:1", "mps")] == [torch.device("cuda")] * 3
    gpus(2)
    assert [again("cuda"), again("cuda")] == [torch.device("cuda", at) for at in (0, 1)]
    assert [again("cuda:1"), again("cpu")] == [torch.device("cuda:1"), CPU]
    assert len(devices._claimed) == 2


def test_no_other_process_of_a_run_claims_a_gpu(gpus, monkeypatch):
    gpus(2)
    monkeypatch.setenv("NODE_RANK", "1")
    assert devices.device_of_training(settings(device="cuda", num_nodes=2)) == torch.device("cuda")
    assert not devices._claimed


@pytest.mark.parametrize(
    ("changes", "count", "words"),
    [
        ({"device": "cuda", "devices": 3}, 2, "train.devices is 3, but PyTorch sees 2 GPUs: use at most 2"),
        ({"device": "cuda:1", "devices": 2}, 2, "train.devices is 2, but cuda:1 is one device"),
        ({"device": "mps", "devices": 2}, 0, "train.devices is 2, but mps is one device"),
    ],
)
def test_more_devices_than_there_are_are_refused(gpus, changes, count, words):
    gpus(count, apple=True)
    with pytest.raises(UserError, match=words):
        devices.device_of_training(settings(**changes))


def test_any_number_of_processes_runs_on_the_cpu(gpus):
    assert devices.device_of_training(settings(device="cpu", devices=4)) == CPU


@pytest.mark.parametrize(
    ("ranks", "main"),
    [({}, True), ({"LOCAL_RANK": "0"}, True), ({"LOCAL_RANK": "1"}, False), ({"NODE_RANK": "1"}, False)],
    ids=str,
)
def test_the_main_process_is_known_by_its_rank(monkeypatch, ranks, main):
    for name, value in ranks.items():
        monkeypatch.setenv(name, value)
    assert devices.is_main() is main


@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_one_process_is_enough_for_one_device(precision):
    fabric = processes.fabric(settings(), CPU, precision)
    assert (fabric.world_size, fabric.global_rank, fabric.device) == (1, 0, CPU)
    assert fabric.is_global_zero


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    """A group of one process, in which sums are taken as in one of many."""
    store = torch.distributed.FileStore(str(tmp_path_factory.mktemp("group") / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("form", [(6, 5), (4, 5, 3, 2)])
@pytest.mark.parametrize(
    "options", [{}, {"momentum": None}, {"affine": False}, {"track_running_stats": False}], ids=str
)
def test_a_shared_norm_alone_is_the_batch_norm_it_was(group, form, options):
    torch.manual_seed(0)
    kind = nn.BatchNorm1d if len(form) == 2 else nn.BatchNorm2d
    plain, shared = (nn.Sequential(kind(5, **options)) for _ in range(2))
    processes.share_statistics(shared, CPU)
    assert type(shared[0]) is not kind
    assert list(shared.state_dict()) == list(plain.state_dict())
    for network in (plain, shared):
        for parameter in network.parameters():
            nn.init.uniform_(parameter, generator=torch.Generator().manual_seed(1))
    for training in (True, True, False):
        images = torch.randn(form) * 3 + 1
        results = []
        for network in (plain, shared):
            network.train(training)
            given = images.clone().requires_grad_()
            network.zero_grad()
            out = network(given)
            (out**3).sum().backward()
            results.append([out, given.grad, *(parameter.grad for parameter in network.parameters())])
        assert all(torch.allclose(one, other, rtol=1e-4, atol=1e-4) for one, other in zip(*results, strict=True))
        assert all(
            torch.allclose(value.float(), shared.state_dict()[name].float(), atol=1e-5)
            for name, value in plain.state_dict().items()
        )
