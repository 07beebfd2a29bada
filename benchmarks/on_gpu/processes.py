"""Tests of several processes on one card: two trainings at once, two ranks, batch norm over both."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.on_gpu import checks, trained
from benchmarks.on_gpu.part import LeftOut, Row, Setting
from darkroom.base import torch_setup

if TYPE_CHECKING:
    from torch import Tensor

CHANNELS, BATCH, SIDE = 6, 12, 5


def at_once(setting: Setting) -> Iterator[Row]:
    """Two equal trainings at the same time on one card; and that two devices are refused where there is one."""
    with _pool(setting) as pool:
        first, second = pool.map(_training, [setting] * 2)
    yield {"test": "two trainings at once on one card give the same bytes", "passed": first == second, "sha256": first}
    if setting.device == "cpu":
        return
    import torch

    from darkroom.base.errors import UserError
    from darkroom.network import devices

    cards = torch.cuda.device_count()
    try:
        devices.device_of_training(trained.SETTINGS.model_copy(update={"device": "cuda", "devices": cards + 1}))
        said = "nothing"
    except UserError as error:
        said = str(error)
    test = "more devices than there are cards (NCCL takes one process a card) are refused"
    yield {"test": test, "passed": "use at most" in said, "said": said}


def _pool(setting: Setting) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context(setting.start))


def _training(setting: Setting) -> str:
    import dataclasses

    torch_setup.torch_for(threads=1 if setting.small else 0, portable=False)
    device = "cuda:0" if setting.device == "cuda" else setting.device
    return trained.digest(checks.train(dataclasses.replace(setting, device=device), "32").weights)


def nccl(setting: Setting) -> Iterator[Row]:
    """That NCCL starts and adds, with one process."""
    if setting.device == "cpu":
        raise LeftOut("no CUDA: NCCL needs it")
    import torch

    torch.cuda.set_device(0)
    store = f"file://{Path.cwd() / 'nccl'}"
    torch.distributed.init_process_group("nccl", init_method=store, rank=0, world_size=1)
    values = torch.arange(5.0, device="cuda")
    torch.distributed.all_reduce(values)
    right = values.tolist() == [0, 1, 2, 3, 4]
    torch.distributed.destroy_process_group()
    version = torch.cuda.nccl.version()  # type: ignore[no-untyped-call]
    yield {"test": "NCCL starts and adds", "passed": right, "NCCL": list(version)}


def shared_norm(setting: Setting) -> Iterator[Row]:
    """That batch norms of two processes on one card (over Gloo) see the whole batch, as one process does."""
    with _pool(setting) as pool:
        file = str(Path.cwd() / "gloo")
        shares = list(pool.map(_norm, (0, 1), (2, 2), [setting.device] * 2, [file] * 2))
    # Not before: a process that has opened the GPU cannot fork others that use it.
    expected = _norm(0, 1, setting.device, "")
    apart = {
        "output": _apart(expected["output"], [*shares[0]["output"], *shares[1]["output"]]),
        "gradient of the input": _apart(expected["gradient"], [*shares[0]["gradient"], *shares[1]["gradient"]]),
        "running mean": _apart(expected["mean"], shares[1]["mean"]),
        "running variance": _apart(expected["variance"], shares[1]["variance"]),
    }
    yield {
        "test": "batch norm over two processes is that of the whole batch",
        "passed": all(value < 1e-4 for value in apart.values()) and expected["names"] == shares[0]["names"],
        "kind": shares[0]["kind"],
        "largest difference": max(apart.values()),
    }


def _apart(ours: list[float], theirs: list[float]) -> float:
    return max(abs(one - other) for one, other in zip(ours, theirs, strict=True))


def _norm(rank: int, world: int, device: str, file: str) -> dict[str, Any]:
    """What a batch norm makes of this process's share of a batch, as lists: tensors would travel through files."""
    import torch
    from torch import nn

    from darkroom.training import processes

    if world > 1:
        torch.distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=world)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, CHANNELS, SIDE, SIDE, generator=generator) + torch.arange(BATCH)[:, None, None, None]
    weights = torch.randn(BATCH, CHANNELS, SIDE, SIDE, generator=generator)
    network = nn.Sequential(nn.BatchNorm2d(CHANNELS)).to(device)
    if world > 1:
        processes.share_statistics(network, torch.device(device))
    ours = images.chunk(world)[rank].to(device).requires_grad_()
    output = network(ours)
    (output * weights.chunk(world)[rank].to(device)).sum().backward()
    assert ours.grad is not None
    statistics = network.state_dict()
    if world > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()

    def plain(values: "Tensor") -> list[float]:
        found: list[float] = values.detach().cpu().flatten().tolist()
        return found

    return {
        "output": plain(output),
        "gradient": plain(ours.grad),
        "mean": plain(statistics["0.running_mean"]),
        "variance": plain(statistics["0.running_var"]),
        "names": list(statistics),
        "kind": type(network[0]).__name__,
    }
