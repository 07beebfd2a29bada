"""Builds networks: features, then a head that classifies them, for any image size, channels and number of classes."""

import math
from collections import OrderedDict
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from darkroom.config.image_sizes import middle
from darkroom.config.params import Activation, Model
from darkroom.network import own_body

ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class Middle:
    """A hook that gives a module the middle of images (N x C x H x W): so many rows and columns."""

    def __init__(self, sides: tuple[int, int]) -> None:
        self.sides = sides

    def __call__(self, module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        rows, columns = middle(inputs[0].shape[2:], self.sides)
        return (inputs[0][:, :, rows, columns],)


class GlobalMax(nn.Module):
    """The largest value of each map: N x C x H x W to N x C x 1 x 1.

    On a GPU AdaptiveMaxPool2d has no deterministic backward pass, so `amax` is used, which divides the gradient among
    equal maxima. On a CPU AdaptiveMaxPool2d is several times as fast.
    """

    def forward(self, maps: Tensor) -> Tensor:
        return maps.amax((2, 3), keepdim=True) if maps.is_cuda else functional.adaptive_max_pool2d(maps, 1)


def build(settings: Model, shape: tuple[int, int, int], classes: int, *, trial: bool = True) -> nn.Sequential:
    """A network with random weights, from images (N x channels x height x width, normalised) to logits (N x classes).

    `shape` is height, width, channels of a stored image. Where `settings.input_size` is less, the network takes the
    middle of what it is given; the parts that a training draws are of that size already. The network has two
    children: `features`, from images to vectors, and `head`, from those to logits. Pretrained weights are loaded
    later, by `pretrained.load`. Without `trial` the caller knows that a network of torchvision takes this shape: a
    trial loads torch's compiler, for seconds.

    Raises UserError for an unknown name, for an image size that a network of torchvision cannot take, and for a user's
    function that does not build a network.
    """
    stored, shape = shape, settings.seen(shape)
    if settings.name == "cnn":
        features, width = _cnn(settings, shape)
        head = _head(settings, width, classes)
    elif settings.name == "mlp":
        features, width = _mlp(settings, shape)
        head = nn.Sequential(OrderedDict(classes=nn.Linear(width, classes)))
    elif settings.own:
        features, width = own_body.body(settings.name, shape)
        head = _head(settings, width, classes)
    elif settings.timm:
        from darkroom.network import timm_bodies  # timm takes seconds to load

        features, width = timm_bodies.body(settings.name, shape)
        head = _head(settings, width, classes)
    else:
        from darkroom.network import torchvision_bodies  # torchvision takes seconds to load

        features, width = torchvision_bodies.body(settings.name, shape, trial=trial)
        head = _head(settings, width, classes)
    if shape != stored:
        # A hook, for a module in front would rename the weights; the body's, for it is also used without the head.
        features.register_forward_pre_hook(Middle(shape[:2]))
    network = nn.Sequential(OrderedDict(features=features, head=head))
    # A body that will get pretrained weights needs no initialisation.
    initialise(head if settings.weights else network, settings.init)
    return network


def _cnn(settings: Model, shape: tuple[int, int, int]) -> tuple[nn.Module, int]:
    """The layers of `settings.layers`, and the number of features that they give.

    Each number is a convolution with so many output channels, padded so that the image keeps its size; a P after it
    halves the image. The order in a block is convolution, max-pool, batch norm, activation: after the pool the last
    two have a quarter of the work, and the functions that can be learned are the same.
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
    """Fully connected layers on the values of the image, channel by channel, and the number of features that they give.

    For each width in `settings.hidden`: linear layer, batch norm, activation, dropout. Without hidden layers the
    network is logistic regression.
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
    """Draw the weights of all convolutions and linear layers, and set their biases to zero.

    default: leave both as PyTorch draws them. kaiming: normal with the gain of ReLU, by fan-out for convolutions, as in
    ResNet, and by fan-in for linear layers (He et al. 2015, arXiv:1502.01852). xavier: uniform (Glorot and Bengio 2010,
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


def feature_count(network: nn.Module) -> int:
    """The number of features that the body of a network makes of an image."""
    first = next(module for module in network.get_submodule("head").modules() if isinstance(module, nn.Linear))
    return first.in_features


def parameter_count(model: nn.Module) -> int:
    """The number of trainable values in the model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
