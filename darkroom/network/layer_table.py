"""The table of a network's layers: output shapes, parameters, multiply-adds."""

import re

import torch
import torchinfo
from torch import nn

from darkroom.network.shadow import shadow


def table(network: nn.Module, shape: tuple[int, int, int]) -> str:
    """The layers with output shapes, parameters and multiply-adds for one image (`shape`: height, width, channels).

    The table goes into modules as deep as some 60 lines allow. Only a copy without data runs, on the meta device.
    """
    height, width, channels = shape
    summary = torchinfo.summary(
        shadow(network),
        input_data=torch.empty(1, channels, height, width, device="meta"),
        depth=_depth(network, lines=60),
        device="meta",
        col_names=("output_size", "num_params", "mult_adds"),
        row_settings=("ascii_only", "var_names"),
        verbose=0,
    )
    # From Python 3.11 on torchinfo shows the unit M as Units.MEGABYTES.
    text = re.sub(r"Units\.([A-Z])[A-Z]*", r"\1", str(summary))
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _depth(network: nn.Module, lines: int) -> int:
    """How many levels of modules so many lines can list, two at least."""
    levels = [name.count(".") + 1 for name, _ in network.named_modules() if name]
    depths = [depth for depth in range(2, max(levels) + 1) if sum(level <= depth for level in levels) <= lines]
    return max(depths, default=2)
