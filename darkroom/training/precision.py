"""Chooses the arithmetic that trains fastest here, float32 or half precision, by timing a few steps of each."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import nn
from torch.nn import functional

from darkroom.base import paths, processor
from darkroom.base.errors import UserError
from darkroom.base.files import fingerprint, read_json, write_json
from darkroom.config.params import Train
from darkroom.training.explanations import explained

STEPS = 4  # timed steps of each kind, after one that is not; the fastest counts
GAIN = 1.15  # half precision must be so many times as fast: a closer race could end differently next time


def choose(settings: Train, device: torch.device, build: Callable[[], nn.Module], shape: tuple[int, int, int]) -> str:
    """`train.precision`, with auto replaced: 32, bf16-mixed or 16-mixed.

    If the processor has instructions for half precision, a network from `build` takes a few steps on as many images of
    this `shape` (height, width, channels) as a process works on at a time. Half precision is chosen if it is at least
    1.15 times as fast and gives a finite loss. `.checkpoints/precision.json` at the root of the repository keeps the
    choice, so that the same training makes the same one next time. Portable mode, and training over several nodes
    (which could choose differently), stay with float32.

    Raises UserError if the memory is too small for a step, and for 16-mixed on a CPU.
    """
    if settings.precision == "16-mixed" and device.type == "cpu":
        # Fabric would train in bfloat16 under that name.
        raise UserError("train.precision is 16-mixed, which a CPU does not have: use bf16-mixed, 32 or auto")
    if settings.precision != "auto":
        return settings.precision
    half = _half(device)
    if settings.portable or settings.num_nodes > 1 or half is None:
        return "32"
    # Two images at least: batch norm refuses a single one, though one per process is enough for several processes.
    count = max(2, settings.batch_size // (settings.parts * settings.devices))
    network = build()
    key = fingerprint([str(network), shape, count, torch.get_num_threads(), _place(device)], [])
    file = paths.root() / ".checkpoints" / "precision.json"
    file.parent.mkdir(exist_ok=True)
    with FileLock(file.with_suffix(".lock")):
        known = _known(file)
        if known.get(key) not in ("32", half):
            known[key] = _fastest(network, half, shape, count, device)
            write_json(file, known)
            if device.type == "cuda":
                del network
                torch.cuda.empty_cache()  # else the training would find less free memory for its images
    return str(known[key])


def _known(file: Path) -> dict[str, Any]:
    """The choices of earlier runs; none if the file is missing or damaged."""
    try:
        found = read_json(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _half(device: torch.device) -> str | None:
    """The half precision that the device has instructions for; None if it has none."""
    if device.type == "cuda":
        with torch.cuda.device(device):  # the question is about the current device
            return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    if device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        return "bf16-mixed"
    return None


def _place(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor.name()
    return f"{name}, torch {torch.__version__}"


@explained()
def _fastest(network: nn.Module, half: str, shape: tuple[int, int, int], count: int, device: torch.device) -> str:
    """The faster of 32 and `half`, timed on `count` random images."""
    height, width, channels = shape
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    images = torch.rand((count, height, width, channels), device=device).permute(0, 3, 1, 2)
    kind = torch.bfloat16 if half == "bf16-mixed" else torch.float16
    seconds = {"32": float("inf"), half: float("inf")}
    for step in range(STEPS + 1):
        for name in seconds:  # in turn, so that a busy moment meets both
            started = time.perf_counter()
            with torch.autocast(device.type, kind, enabled=name != "32"):
                logits = network(images).float()
            loss = functional.cross_entropy(logits, torch.zeros(count, dtype=torch.long, device=device))
            loss.backward()  # type: ignore[no-untyped-call]
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if not torch.isfinite(loss):
                return "32"
            if step:
                seconds[name] = min(seconds[name], time.perf_counter() - started)
    return half if seconds["32"] > GAIN * seconds[half] else "32"
