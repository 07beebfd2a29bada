"""Several processes that train as one: Lightning Fabric, and batch norms over all of them."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from darkroom.base.errors import UserError
from darkroom.config.params import Train

if TYPE_CHECKING:
    from lightning_fabric import Fabric
    from lightning_fabric.strategies.ddp import DDPStrategy


def fabric(settings: Train, device: torch.device, precision: str) -> "Fabric":
    """Lightning Fabric for this run; starts the other processes and keeps this one's number of CPU threads.

    Raises UserError if the other processes do not come, or have other settings.
    """
    from lightning_fabric import Fabric

    strategy: DDPStrategy | str = "auto"
    if settings.devices * settings.num_nodes > 1:
        from darkroom.training.strategy import Watched

        strategy = Watched()
    threads = torch.get_num_threads()
    try:
        found = Fabric(
            accelerator=device.type,
            devices=settings.devices if device.index is None else [device.index],
            num_nodes=settings.num_nodes,
            strategy=strategy,
            precision="32-true" if precision == "32" else precision,  # type: ignore[arg-type]
        )
        found.launch()  # it sets the number of threads, which is set back below
    except ValueError as error:  # torchrun or Slurm has started another number of processes
        reason = str(error).partition("\n")[0]
        raise UserError(f"what started this process does not fit train.devices, train.num_nodes: {reason}") from None
    torch.set_num_threads(threads)
    return found


def share_statistics(network: nn.Module, device: torch.device) -> None:
    """Make batch norms, in place, compute statistics of the whole batch, not of this process's part."""
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
        # A process's value enters the sums of all processes, so its gradient is the sum of all their gradients.
        total = gradients[0].clone()
        torch.distributed.all_reduce(total)
        return total


def _sum(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


class _SharedNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the batches of all processes; PyTorch's SyncBatchNorm needs a GPU."""

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
