"""Where a network looks: Grad-CAM (Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74)."""

from typing import Any

import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn


def gradcam(network: nn.Sequential, inputs: Tensor, classes: Tensor) -> Tensor | None:
    """How much each place of an image speaks for a class: N x H x W, from 0 to 1, the strongest place of each being 1.

    `inputs` are normalised images (N x C x H x W), `classes` the number of the class for each (N, int64). The maps
    are those of the last layer that has any, enlarged to the image. None where no layer has, as in an MLP, and where
    the maps become a sequence, as in a vision transformer.
    """
    network.eval()
    layer = last_map(network, inputs[:1])
    if layer is None:
        return None
    with torch.enable_grad():
        maps = LayerGradCam(network, layer).attribute(inputs, target=classes, relu_attributions=True)
    enlarged = LayerAttribution.interpolate(maps.detach(), tuple(inputs.shape[2:]), "bilinear")[:, 0]
    result: Tensor = enlarged / enlarged.amax((1, 2), keepdim=True).clamp_min(torch.finfo(enlarged.dtype).tiny)
    return result


@torch.no_grad()
def last_map(network: nn.Module, image: Tensor) -> nn.Module | None:
    """The layer that is last to give maps (N x C x H x W) of more than one place, if no sequence comes after it."""
    last: list[nn.Module] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        if not isinstance(output, Tensor):
            return
        if output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
            last[:] = [module]
        elif output.ndim == 3 and output.shape[1] > 1:
            last.clear()

    hooks = [module.register_forward_hook(note) for module in network.modules()]
    try:
        network(image)
    finally:
        for hook in hooks:
            hook.remove()
    return last[0] if last else None
