"""How weights are updated: optimisers, learning-rate schedules, penalties, and the average of weights."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from darkroom.config.params import Train

AVERAGE_EVERY = 5  # steps


def make_optimizer(network: nn.Module, settings: Train, *, scaled: bool = False) -> torch.optim.Optimizer:
    """The optimiser of the settings, over all parameters that are trained; weight decay applies to weights alone.

    `scaled` says that gradients are scaled, as 16-mixed does, and that steps with a non-finite gradient are skipped.
    """
    groups = decayed(network)
    common: dict[str, Any] = {"lr": settings.lr, "weight_decay": settings.weight_decay}
    # The fused step passes over memory once and takes a third of the time. Its square root is exact, while MKL chooses
    # one by the processor. Two cases cannot use it: Fabric does not clip scaled gradients with it, and fused SGD leaves
    # the momentum unset if the first step is skipped (torch 2.15).
    clips = settings.clip is not None and not settings.portable
    common["fused"] = None if clips or (scaled and settings.optimizer == "sgd") else True  # None: as PyTorch chooses
    if settings.optimizer == "sgd":
        nesterov = settings.nesterov and settings.momentum > 0
        return torch.optim.SGD(groups, momentum=settings.momentum, nesterov=nesterov, **common)
    return (torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW)(groups, **common)


def decayed(model: nn.Module) -> list[dict[str, Any]]:
    """Parameters to train, in two groups: weights with weight decay, and all others without.

    The others are biases, norms, and a transformer's class token, position embeddings and scales. Frozen parameters
    (without gradient) are in neither group.
    """
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[parameter.ndim > 1 and name.endswith("weight")].append(parameter)
    return [{"params": groups[True]}, {"params": groups[False], "weight_decay": 0.0}]


def factor(settings: Train, step: int, steps: int) -> float:
    """The factor on the learning rate at a step (from 0): a linear warmup, then the schedule.

    constant and plateau: 1. linear: down to 0. cosine: half a wave down to 0 (Loshchilov and Hutter 2017,
    arXiv:1608.03983, without restarts). multistep: times `gamma` at each milestone. onecycle, which has its own warmup:
    half waves, up from 1/25 and down to 1/250,000 (Smith and Topin 2018, arXiv:1708.07120, in the form of
    torch.optim.lr_scheduler.OneCycleLR).
    """
    rise = settings.warmup * steps
    if settings.schedule == "onecycle":
        low = 1 / 25 if step < rise else 4e-6
        return low + (1 - low) * _cycle(step, rise, steps)
    if step < rise:
        return (step + 1) / (rise + 1)
    after = min(1.0, (step - rise) / max(1.0, steps - rise))
    if settings.schedule == "linear":
        return 1 - after
    if settings.schedule == "cosine":
        return _wave(after)
    if settings.schedule == "multistep":
        return float(settings.gamma ** sum(step >= milestone * steps for milestone in settings.milestones))
    return 1.0


def set_rate(optimizer: torch.optim.Optimizer, settings: Train, rate: float, step: int, steps: int) -> None:
    """Set the learning rate; onecycle also sets the momentum, from 0.95 down to 0.85 at the peak and up again.

    A momentum of 0 stays 0.
    """
    for group in optimizer.param_groups:
        group["lr"] = rate
        if settings.schedule == "onecycle":
            momentum = 0.95 - 0.1 * _cycle(step, settings.warmup * steps, steps)
            if "momentum" in group:
                group["momentum"] = momentum if settings.momentum > 0 else 0.0
            else:
                group["betas"] = (momentum, group["betas"][1])


def absolute_sum(network: nn.Module) -> Tensor:
    """The sum of the absolute values of all trained weights, without biases and norms."""
    weights = decayed(network)[0]["params"]
    return torch.stack([weight.abs().sum() for weight in weights]).sum()


@torch.no_grad()
def limit_norms(network: nn.Module, longest: float) -> None:
    """Shorten each unit's vector of incoming weights to at most `longest` (Srivastava et al. 2014, JMLR 15, 5.1)."""
    for weight in decayed(network)[0]["params"]:
        weight.copy_(torch.renorm(weight, p=2, dim=0, maxnorm=longest))


def _cycle(step: int, rise: float, steps: int) -> float:
    """Half waves from 0 up to 1 at `rise`, and down to 0 at `steps`."""
    return 1 - _wave(step / rise) if step < rise else _wave((step - rise) / max(1.0, steps - rise))


def _wave(share: float) -> float:
    """Half a cosine wave, from 1 at 0 to 0 at 1."""
    return 0.5 * (1 + math.cos(math.pi * share))


class Average:
    """The exponential moving average of a network's weights and statistics (Polyak and Juditsky 1992).

    The first `update` copies the network.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self._network, self._decay = network, decay
        self.values: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the network by 1 - decay; values that are not floating-point are copied."""
        now = self._network.state_dict()
        if not self.values:
            self.values = {name: value.detach().clone() for name, value in now.items()}
            return
        floating = [name for name, value in now.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.values[name] for name in floating], [now[name] for name in floating], 1 - self._decay
        )
        for name in now.keys() - set(floating):
            self.values[name].copy_(now[name])

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the average and the network's own values; does nothing before the first `update`."""
        for name, value in self._network.state_dict().items() if self.values else ():
            own = value.clone()
            value.copy_(self.values[name])
            self.values[name].copy_(own)
