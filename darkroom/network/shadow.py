"""A network without its numbers, from which shapes are read off at no cost."""

import copy

from torch import nn


def shadow(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode whose tensors have shapes alone; the parameters' data is never copied."""
    memo = {id(one): nn.Parameter(one.detach().to("meta"), one.requires_grad) for one in network.parameters()}
    return copy.deepcopy(network, memo).to("meta").eval()
