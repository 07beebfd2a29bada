"""The network: blocks of convolutions, then fully connected layers. Any size of image, channels and classes."""

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from darkroom.params import Activation, Model

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


def build(settings: Model, shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """A network from images (N x channels x height x width, normalised) to logits (N x classes).

    `shape` is height, width, channels. Each number in `settings.layers` is a convolution of that width, padded so
    that the image keeps its size; a P after it halves the image. A block runs convolution, max-pool, batch norm,
    activation, in this order: after the pool the last two have a quarter of the work, and the functions that can be
    learned are the same.
    """
    height, width, channels = shape
    features: OrderedDict[str, nn.Module] = OrderedDict()
    for number, layer in enumerate(settings.layers.split("-"), 1):
        wide = int(layer.removesuffix("P"))
        features[f"conv{number}"] = nn.Conv2d(
            channels, wide, settings.kernel, padding=settings.kernel // 2, bias=not settings.batch_norm
        )
        if layer.endswith("P"):
            features[f"pool{number}"] = nn.MaxPool2d(2)
            height, width = height // 2, width // 2
        if settings.batch_norm:
            features[f"norm{number}"] = nn.BatchNorm2d(wide)
        features[f"act{number}"] = ACTIVATIONS[settings.activation]()
        channels = wide
    if settings.pooling == "max":
        features["pool"] = nn.AdaptiveMaxPool2d(1)
    elif settings.pooling == "mean":
        features["pool"] = nn.AdaptiveAvgPool2d(1)
    features["flatten"] = nn.Flatten()
    inputs = channels * (height * width if settings.pooling == "flatten" else 1)
    return nn.Sequential(OrderedDict(features=nn.Sequential(features), head=_head(settings, inputs, classes)))


def _head(settings: Model, inputs: int, classes: int) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, wide in enumerate(settings.hidden, 1):
        if settings.dropout:
            layers[f"dropout{number}"] = nn.Dropout(settings.dropout)
        layers[f"hidden{number}"] = nn.Linear(inputs, wide)
        layers[f"act{number}"] = ACTIVATIONS[settings.hidden_activation]()
        inputs = wide
    if settings.dropout:
        layers["dropout"] = nn.Dropout(settings.dropout)
    layers["classes"] = nn.Linear(inputs, classes)
    return nn.Sequential(layers)


def decayed(model: nn.Module) -> list[dict[str, Any]]:
    """Parameters in two groups: weights, which weight decay shrinks, and biases and norms, which it leaves alone."""
    weights = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [{"params": weights}, {"params": others, "weight_decay": 0.0}]


def parameter_count(model: nn.Module) -> int:
    """Trainable numbers in the model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Images as stored (uint8, N x height x width x channels) to a model's input (float, channels second).

    The memory stays in place: N x H x W x C seen as N x C x H x W is PyTorch's channels_last.
    """
    return images.permute(0, 3, 1, 2).to(mean.dtype).sub(mean).div_(std)
