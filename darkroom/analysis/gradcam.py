"""Grad-CAM: heat maps of where in an image the network finds evidence for a class, from its last feature map.

Selvaraju et al. (2017), "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
arXiv:1610.02391. The tokens of a transformer are a map, too, once they are put back on the grid of their patches.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.image_sizes import middle
from darkroom.dataset.packed import Images, Labels
from darkroom.network import layer_outputs, normalisation
from darkroom.network.layer_outputs import Form

BATCH = 16  # images
# The last pool of alexnet and vgg enlarges even a 1x1 map to its fixed size. The outputs of linear layers inside a
# block, as queries and keys, are no map of what the block says.
NO_MAPS = (nn.AdaptiveAvgPool2d, nn.Linear)


def last_feature_map(network: nn.Module, shape: tuple[int, int, int]) -> str | None:
    """The name of the module that gives the last map of more than one place which the logits still depend on.

    A transformer that classifies by its class token reads no other token of its last block's output: for it this is the
    norm that the last attention reads. None for networks that have no map (mlp), or that mix places. `shape` is height,
    width, channels.
    """
    forms = layer_outputs.forms(network, shape)
    maps = [name for name, form in forms.items() if _is_map(form, network.get_submodule(name))]
    to_try = {name: forms[name] for name in maps if not forms[name].first}
    used = _used(network, shape, to_try) if to_try else set()
    for name, form in reversed(forms.items()):
        if len(form.size) == 2 and form.grid is None:
            return None  # places were mixed after the earlier maps, which no longer decide
        if name in maps and (form.first or name in used):
            return name
    return None


def _is_map(form: Form, module: nn.Module) -> bool:
    return form.spatial and form.whole and not isinstance(module, NO_MAPS)


def _used(network: nn.Module, shape: tuple[int, int, int], forms: dict[str, Form]) -> set[str]:
    """The modules whose maps the logits depend on: the gradient is not zero everywhere on the grid."""
    height, width, channels = shape
    outputs: dict[str, Tensor] = {}
    device = next(network.parameters()).device
    noise = torch.rand((1, channels, height, width), generator=torch.Generator().manual_seed(0)).to(device)
    with torch.enable_grad(), layer_outputs.watching(network.eval(), list(forms), outputs.__setitem__):
        logits = network(noise.requires_grad_())
    gradients = torch.autograd.grad(logits.sum(), list(outputs.values()), allow_unused=True)
    return {
        name
        for name, gradient in zip(outputs, gradients, strict=True)
        if gradient is not None and bool(forms[name].maps(gradient).any())
    }


def heat_maps(classifier: TrainedNetwork, layer: str, images: Images, labels: Labels) -> NDArray[np.float32]:
    """The evidence for one class at each pixel of each image: float32, N x height x width, scaled to a maximum of 1.

    There is none in what the network does not see.

    `images` are as stored (uint8, N x height x width x channels); `labels` says which class to ask about in each
    image. An image without evidence for its class gets zeros; one whose map is not finite gets NaN. `layer` is the name
    that `last_feature_map` gives.
    """
    form = layer_outputs.forms(classifier.network, classifier.shape)[layer]
    whole = np.zeros(images.shape[:3], np.float32)
    inside = whole[:, *middle(images.shape[1:], classifier.seen)]
    for start in range(0, len(images), BATCH):
        stored = torch.from_numpy(np.ascontiguousarray(images[start : start + BATCH])).to(classifier.mean.device)
        inputs = normalisation.normalise(stored, classifier.mean, classifier.std)
        maps = _evidence(classifier.network, layer, form, inputs, labels[start : start + BATCH])
        full = functional.interpolate(maps, inside.shape[1:], mode="bilinear", align_corners=False)
        inside[start : start + BATCH] = full[:, 0].cpu().numpy()
    strongest = whole.max(axis=(1, 2), keepdims=True)
    finite = np.isfinite(strongest)
    share: NDArray[np.float32] = np.divide(whole, strongest, out=np.zeros_like(whole), where=finite & (strongest > 0))
    share[~finite[:, 0, 0]] = np.nan
    return share


def _evidence(network: nn.Module, layer: str, form: Form, inputs: Tensor, labels: Labels) -> Tensor:
    """The maps of a batch (N x 1 x rows x columns): channels, each weighed by its mean gradient; what is positive."""
    outputs: dict[str, Tensor] = {}
    with torch.enable_grad(), layer_outputs.watching(network.eval(), [layer], outputs.__setitem__):
        logits = network(inputs.requires_grad_())
    asked = logits.gather(1, torch.from_numpy(labels).to(logits.device)[:, None])
    (gradient,) = torch.autograd.grad(asked.sum(), outputs[layer])
    weights = form.maps(gradient.float()).mean((2, 3), keepdim=True)
    return (weights * form.maps(outputs[layer].detach().float())).sum(1, keepdim=True).relu()
