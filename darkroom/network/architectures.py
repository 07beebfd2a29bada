"""The networks: features, then a head that classifies them. Any size of image, channels and classes."""

import math
from collections import OrderedDict
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from darkroom.config.params import Activation, Model
from darkroom.network import own_body

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class GlobalMax(nn.Module):
    """The largest value of each map: N x C x H x W to N x C x 1 x 1.

    On a GPU `amax`, where equal maxima share the gradient, for AdaptiveMaxPool2d has no deterministic backward pass
    there; on a CPU AdaptiveMaxPool2d, forward and backward several times as fast.
    """

    def forward(self, maps: Tensor) -> Tensor:
        return maps.amax((2, 3), keepdim=True) if maps.is_cuda else functional.adaptive_max_pool2d(maps, 1)


def build(settings: Model, shape: tuple[int, int, int], classes: int) -> nn.Sequential:
    """A network with random weights, from images (N x channels x height x width, normalised) to logits (N x classes).

    `shape` is height, width, channels. The network has two children: `features`, from images to vectors, and `head`,
    from those to logits. Nothing is loaded: pretrained weights come from `torchvision_bodies.load_pretrained`.

    Raises UserError for a name that torchvision does not know either, for a size that its network cannot take, and for
    a function of the user's own that does not build a network.
    """
    if settings.name == "cnn":
        features, width = _cnn(settings, shape)
        head = _head(settings, width, classes)
    elif settings.name == "mlp":
        features, width = _mlp(settings, shape)
        head = nn.Sequential(OrderedDict(classes=nn.Linear(width, classes)))
    elif settings.own:
        features, width = own_body.body(settings.name, shape)
        head = _head(settings, width, classes)
    else:
        from darkroom.network import torchvision_bodies  # torchvision takes seconds to load

        features, width = torchvision_bodies.body(settings.name, shape)
        head = _head(settings, width, classes)
    network = nn.Sequential(OrderedDict(features=features, head=head))
    # A body that gets pretrained weights needs no others.
    initialise(head if settings.weights else network, settings.init)
    return network


def _cnn(settings: Model, shape: tuple[int, int, int]) -> tuple[nn.Module, int]:
    """Each number in `settings.layers` is a convolution of that width, padded so that the image keeps its size.

    A P after it halves the image. A block runs convolution, max-pool, batch norm, activation, in this order: after
    the pool the last two have a quarter of the work, and the functions that can be learned are the same.
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
        features["pool"] = GlobalMax()
    elif settings.pooling == "mean":
        features["pool"] = nn.AdaptiveAvgPool2d(1)
    features["flatten"] = nn.Flatten()
    return nn.Sequential(features), channels * (height * width if settings.pooling == "flatten" else 1)


def _mlp(settings: Model, shape: tuple[int, int, int]) -> tuple[nn.Module, int]:
    """Fully connected layers on the values of the image, channel by channel, in each channel row by row.

    For each width in `settings.hidden`: linear layer, batch norm, activation, dropout. Without any, the network is
    logistic regression.
    """
    inputs = math.prod(shape)
    features: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for number, wide in enumerate(settings.hidden, 1):
        features[f"hidden{number}"] = nn.Linear(inputs, wide, bias=not settings.batch_norm)
        if settings.batch_norm:
            features[f"norm{number}"] = nn.BatchNorm1d(wide)
        features[f"act{number}"] = ACTIVATIONS[settings.hidden_activation]()
        if settings.dropout:
            features[f"dropout{number}"] = nn.Dropout(settings.dropout)
        inputs = wide
    return nn.Sequential(features), inputs


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


def initialise(part: nn.Module, scheme: Literal["default", "kaiming", "xavier"]) -> None:
    """Draw the weights of all convolutions and linear layers anew, and set their biases to zero; `default`: neither.

    kaiming: normal with the gain of ReLU, by outgoing connections for convolutions, as in ResNet, and incoming ones
    for linear layers (He et al. 2015, arXiv:1502.01852). xavier: uniform (Glorot and Bengio 2010,
    https://proceedings.mlr.press/v9/glorot10a.html).
    """
    if scheme == "default":
        return
    for module in part.modules():
        if not isinstance(module, nn.Conv2d | nn.Linear):
            continue
        if scheme == "kaiming":
            mode: Literal["fan_in", "fan_out"] = "fan_out" if isinstance(module, nn.Conv2d) else "fan_in"
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
        else:
            nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


def parameter_count(model: nn.Module) -> int:
    """Trainable numbers in the model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
