"""Chooses the device of a run; runs at the same time get a GPU each."""

import os
import time

import torch
from filelock import FileLock, Timeout

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.params import Train

_claimed: list[FileLock] = []  # held until the process ends


def choose_device(wish: str, *, portable: bool) -> torch.device:
    """The device that `wish` names; `auto` is the GPU if there is one, but the CPU in portable mode.

    Raises UserError for a device that this machine lacks.
    """
    if wish == "auto" and portable:
        return torch.device("cpu")
    if wish == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(wish)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"train.device is {wish}, but PyTorch sees {torch.cuda.device_count()} CUDA devices: use auto")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UserError("train.device is mps, but PyTorch sees no Apple GPU: use auto or cpu")
    return device


def claim_gpu(count: int) -> int:
    """Claim a GPU that no other run of this repository uses, of `count`; return its number. Waits until one is free.

    The lock lies at the root of the repository, because DVC's queue runs experiments in copies. The process holds it
    until it ends.
    """
    folder = paths.root() / ".checkpoints"
    folder.mkdir(exist_ok=True)
    told = False
    while True:
        for number in range(count):
            lock = FileLock(folder / f"gpu-{number}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            _claimed.append(lock)
            return number
        if not told:
            print(f"all {count} GPUs are taken by other runs of this repository: waiting for one", flush=True)
            told = True
        time.sleep(1)


def release_gpus() -> None:
    """End this process's claims: a process that trains several times claims a GPU for one training at a time."""
    while _claimed:
        _claimed.pop().release()


def device_of_training(settings: Train) -> torch.device:
    """The device of a training. If it wants one of several GPUs, it gets one that no other run has claimed.

    Raises UserError for more devices than this machine has.
    """
    device = choose_device(settings.device, portable=settings.portable)
    if device.type == "cuda" and device.index is None:
        found = torch.cuda.device_count()
        if settings.devices > found:
            raise UserError(f"train.devices is {settings.devices}, but PyTorch sees {found} GPUs: use at most {found}")
        if settings.devices == 1 and found > 1 and is_main():
            return torch.device("cuda", claim_gpu(found))
    elif device.type != "cpu" and settings.devices > 1:
        raise UserError(f"train.devices is {settings.devices}, but {device} is one device: use 1, or device auto")
    return device


def device_after_training(training: Train) -> torch.device:
    """The device of a stage that uses a trained model: the training's kind of device if it is there, else `auto`.

    `training` is `train` of model.json. Of several GPUs, the stage claims one of its own.
    """
    try:
        device = choose_device(training.device, portable=training.portable)
    except UserError:
        device = choose_device("auto", portable=training.portable)
    found = torch.cuda.device_count()
    return torch.device("cuda", claim_gpu(found)) if device == torch.device("cuda") and found > 1 else device


def is_main() -> bool:
    """Whether this process is the one that writes and logs; known before the other processes start."""
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))
