"""Grad-CAM: heat maps of where in an image the network finds evidence for a class, from its last feature map.

Selvaraju et al. (2017), "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
arXiv:1610.02391, computed by captum.
"""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.image_sizes import middle
from darkroom.dataset.packed import Images, Labels
from darkroom.network import normalisation
from darkroom.network.layer_outputs import watching

BATCH = 16  # images


def last_feature_map(network: nn.Module, shape: tuple[int, int, int]) -> str | None:
    """The name of the module that gives the last feature map: N x channels x height x width, larger than 1x1.

    None for networks that have none (mlp), or that turn it into tokens (vit). `shape` is height, width, channels.
    """
    height, width, channels = shape
    found: list[str | None] = [None]

    def see(name: str, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
            found.append(name)
        elif isinstance(output, Tensor) and output.ndim == 3:
            found.append(None)  # tokens follow: earlier maps no longer decide

    # The last pool of alexnet and vgg enlarges even a 1x1 map to its fixed size: its output is not the network's map.
    modules = network.named_modules()
    names = [name for name, module in modules if name and not isinstance(module, nn.AdaptiveAvgPool2d)]
    # One black image goes through: a pass on the meta device, without data, would cost seconds of imports.
    black = torch.zeros(1, channels, height, width, device=next(network.parameters()).device)
    with torch.no_grad(), watching(network.eval(), names, see):
        network(black)
    return found[-1]


def heat_maps(classifier: TrainedNetwork, layer: str, images: Images, labels: Labels) -> NDArray[np.float32]:
    """The evidence for one class at each pixel of each image: float32, N x height x width, scaled to a maximum of 1.

    There is none in what the network does not see.

    `images` are as stored (uint8, N x height x width x channels); `labels` says which class to ask about in each
    image. An image without evidence for its class gets zeros. `layer` is the name that `last_feature_map` gives.
    """
    from captum.attr import LayerGradCam

    network = copy.deepcopy(classifier.network).eval()  # a copy, because captum adds hooks
    explain = LayerGradCam(network, network.get_submodule(layer))
    whole = np.zeros(images.shape[:3], np.float32)
    inside = whole[:, *middle(images.shape[1:], classifier.seen)]
    for start in range(0, len(images), BATCH):
        stored = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH])).to(classifier.mean.device)
        inputs = normalisation.normalise(stored, classifier.mean, classifier.std)
        target = torch.from_numpy(labels[start : start + BATCH]).to(inputs.device)
        maps = explain.attribute(inputs, target, relu_attributions=True)
        assert isinstance(maps, Tensor)
        full = functional.interpolate(maps.float(), inside.shape[1:], mode="bilinear", align_corners=False)
        inside[start : start + BATCH] = full.detach()[:, 0].cpu().numpy()
    strongest = whole.max(axis=(1, 2), keepdims=True)
    share: NDArray[np.float32] = np.divide(whole, strongest, out=np.zeros_like(whole), where=strongest > 0)
    return share
