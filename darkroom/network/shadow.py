"""A copy of a network without data, which gives the shapes of its outputs at no cost."""

import copy

from torch import nn


def shadow(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode on the meta device, where tensors have shapes alone; no data is copied."""
    # deepcopy takes the parameters from its memo instead of copying them.
    memo = {id(one): nn.Parameter(one.detach().to("meta"), one.requires_grad) for one in network.parameters()}
    return copy.deepcopy(network, memo).to("meta").eval()
