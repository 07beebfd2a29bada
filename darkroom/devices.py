"""Where training runs: the device, one GPU for each of several runs, and several processes that act as one."""

import os
import time
from typing import TYPE_CHECKING, Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn

from darkroom import paths
from darkroom.console import UserError
from darkroom.params import Train

if TYPE_CHECKING:
    from lightning_fabric import Fabric

_claimed: list[FileLock] = []  # held until the process ends


def choose_device(wish: str, *, portable: bool) -> torch.device:
    """The device that is asked for; `auto` is the GPU if there is one, and the CPU in portable mode.

    Raises UserError for a device that is not there.
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
    """The number of a GPU that no other run of this repository uses; waits until one is free.

    The lock lies at the root of the repository, for experiments from DVC's queue run in copies of it. It is held
    until the process ends.
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


def place(settings: Train) -> torch.device:
    """The device of this run; with one device wanted of several GPUs, one that no other run has claimed.

    Raises UserError for more devices than there are.
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


def place_again(training: dict[str, Any]) -> torch.device:
    """Where the stages after a training work: where it did, on a GPU of their own; elsewhere if that is not there.

    `training` is `train` of model.json.
    """
    try:
        device = choose_device(training["device"], portable=training["portable"])
    except UserError:
        device = choose_device("auto", portable=training["portable"])
    found = torch.cuda.device_count()
    return torch.device("cuda", claim_gpu(found)) if device == torch.device("cuda") and found > 1 else device


def fabric(settings: Train, device: torch.device, precision: str) -> "Fabric":
    """Lightning Fabric for this run, its other processes started; this one keeps its number of CPU threads."""
    from lightning_fabric import Fabric

    several = settings.devices * settings.num_nodes > 1
    found = Fabric(
        accelerator=device.type,
        devices=settings.devices if device.index is None else [device.index],
        num_nodes=settings.num_nodes,
        strategy="ddp" if several else "auto",
        precision="32-true" if precision == "32" else precision,  # type: ignore[arg-type]
    )
    threads = torch.get_num_threads()
    found.launch()  # which sets that number to a share of the cores
    torch.set_num_threads(threads)
    return found


def is_main() -> bool:
    """Whether this process is the one that writes and logs. Known before any other process is started."""
    return all(os.environ.get(name, "0") == "0" for name in ("LOCAL_RANK", "NODE_RANK"))


def share_statistics(network: nn.Module, device: torch.device) -> None:
    """Let batch norms, in place, see the whole batch, not only this process's part; names of parameters stay."""
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.__class__ = _SharedNorm  # type: ignore[assignment]


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes."""

    @staticmethod
    def forward(context: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        # Each process's value is in every process's sum.
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def _sum(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


class _SharedNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the batches of all processes; PyTorch's own (SyncBatchNorm) wants a GPU."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        values = input.float()
        axes = [axis for axis in range(values.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(values.ndim)]
        count = _sum(torch.tensor(float(values.numel() // values.shape[1])))
        mean = _sum(values.sum(axes)) / count
        centred = values - mean.view(shape)
        variance = _sum(centred.square().sum(axes)) / count
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked += 1
                momentum = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
                self.running_mean.lerp_(mean, momentum)
                self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), momentum)
        normalised = centred * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.to(input.dtype)
