"""Where in an image the network found its evidence for a class: Grad-CAM on the last spatial feature map.

Selvaraju et al. (2017), "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
arXiv:1610.02391, by way of captum.
"""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.dataset.packed import Images, Labels
from darkroom.network import normalisation
from darkroom.network.layer_outputs import watching

BATCH = 16


def last_map(network: nn.Module, shape: tuple[int, int, int]) -> str | None:
    """The name of the module that gives the last feature map: N x channels x height x width, more than one place.

    None for networks that have none (mlp), or that turn it into tokens (vit). `shape` is height, width, channels.
    """
    height, width, channels = shape
    found: list[str | None] = [None]

    def see(name: str, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
            found.append(name)
        elif isinstance(output, Tensor) and output.ndim == 3:
            found.append(None)

    # The last pool of alexnet and vgg brings any map to one size, a single place of small images too.
    modules = network.named_modules()
    names = [name for name, module in modules if name and not isinstance(module, nn.AdaptiveAvgPool2d)]
    # On a black image: a pass without data, on the meta device, would cost seconds of imports.
    black = torch.zeros(1, channels, height, width, device=next(network.parameters()).device)
    with torch.no_grad(), watching(network.eval(), names, see):
        network(black)
    return found[-1]


def evidence(classifier: TrainedNetwork, layer: str, images: Images, labels: Labels) -> NDArray[np.float32]:
    """How much each place of each image speaks for a class: N x height x width, 0 to 1, the strongest place being 1.

    `images` are as stored (uint8, N x height x width x channels), `labels` the class asked about in each. All 0 where
    nothing speaks for it. `layer` is the name that `last_map` gives.
    """
    from captum.attr import LayerGradCam

    network = copy.deepcopy(classifier.network).eval()  # captum hangs hooks on it
    explain = LayerGradCam(network, network.get_submodule(layer))
    found = []
    for start in range(0, len(images), BATCH):
        stored = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH])).to(classifier.mean.device)
        inputs = normalisation.normalise(stored, classifier.mean, classifier.std)
        target = torch.from_numpy(labels[start : start + BATCH]).to(inputs.device)
        maps = explain.attribute(inputs, target, relu_attributions=True)
        assert isinstance(maps, Tensor)
        full = functional.interpolate(maps.float(), images.shape[1:3], mode="bilinear", align_corners=False)
        found.append(full.detach()[:, 0].cpu().numpy())
    whole = np.concatenate(found) if found else np.zeros(images.shape[:3], np.float32)
    strongest = whole.max(axis=(1, 2), keepdims=True)
    share: NDArray[np.float32] = np.divide(whole, strongest, out=np.zeros_like(whole), where=strongest > 0)
    return share
