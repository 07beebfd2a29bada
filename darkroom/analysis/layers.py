"""Measurements of a network's layers: filters, kernels, activation maps, dead and idle channels, and features."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darkroom.base.errors import UserError
from darkroom.base.words import listed
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.dataset.neighbours import NEAREST, nearest
from darkroom.dataset.packed import Images, Labels, Rows, chunks
from darkroom.network import layer_outputs

LAYERS = 4  # layers whose activation maps are shown
NAMED = 40  # layers that a sentence names
IDLE = 0.01  # a channel is idle if it varies less than this share of what the channels of its layer do on average


def first_filters(classifier: TrainedNetwork) -> tuple[str, NDArray[np.float32]] | None:
    """Name and weights (N x height x width x channels) of the first layer.

    The weights of a fully connected layer are templates of the image's size. None where neither a convolution nor a
    fully connected layer sees the image itself.
    """
    height, width, channels = classifier.seen
    for name, module in classifier.network.named_modules():
        if isinstance(module, nn.Conv2d) and module.in_channels == channels:
            return name, _weights(module).permute(0, 2, 3, 1).numpy()
        if isinstance(module, nn.Linear) and module.in_features == height * width * channels:
            return name, _weights(module).reshape(-1, channels, height, width).permute(0, 2, 3, 1).numpy()
    return None


def convolution_kernels(network: nn.Module, layer: str | None) -> tuple[str, NDArray[np.float32]] | None:
    """Name and weights (outputs x inputs x height x width) of the convolution `layer`.

    Where `layer` is None: the middle one of the convolutions after the first whose kernels are larger than 1x1, and
    None if there is none. Raises UserError for a name that is no convolution of this network.
    """
    found = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    if layer is None:
        wide = [name for name, module in list(found.items())[1:] if max(module.kernel_size) > 1]
        if not wide:
            return None
        layer = wide[len(wide) // 2]
    if layer not in found:
        named = f"the convolutions are {listed(found, NAMED)}"
        known = named if found else "this network has no convolutions: use null"
        raise UserError(f"params.yaml: inside.layer is {layer!r}, which the network does not have: {known}")
    return layer, _weights(found[layer]).numpy()


def _weights(module: nn.Conv2d | nn.Linear) -> Tensor:
    return module.weight.detach().float().cpu()


def choose_map_layers(classifier: TrainedNetwork, wanted: list[str] | None) -> list[str]:
    """The names of the activations whose maps are shown: the wanted ones, else some spread over the depth.

    Raises UserError for a name that gives no maps.
    """
    found = layer_outputs.activations(classifier.network, classifier.shape)
    known = [name for name, form in found.items() if form.spatial and form.whole]
    for name in wanted or []:
        if name not in known:
            raise UserError(
                f"params.yaml: inside.maps names {name!r}, which is no activation with maps: "
                + (f"known are {listed(known, NAMED)}" if known else "this network has none, use null")
            )
    return wanted or layer_outputs.spread(known, LAYERS)


def strongest_maps(
    classifier: TrainedNetwork, images: Images, layers: list[str], at_most: int
) -> dict[str, NDArray[np.float32]]:
    """By layer: the maps of each image with the largest means, strongest first (N x maps x height x width).

    `images` are uint8, N x height x width x channels; no more than `at_most` maps of an image are kept.
    """
    forms = layer_outputs.forms(classifier.network, classifier.shape)
    outputs: dict[str, Tensor] = {}
    with layer_outputs.watching(classifier.network, layers, outputs.__setitem__):
        classifier.probabilities(images, batch_size=len(images))
    found = {}
    for name, output in outputs.items():
        maps = forms[name].maps(output.float().cpu())
        order = maps.mean((2, 3)).argsort(dim=1, descending=True, stable=True)[:, :at_most]
        found[name] = maps[torch.arange(len(maps))[:, None], order].numpy()
    return found


class Dead(NamedTuple):
    """The channels of one layer, and those of them that are dead, or idle (see `dead_channels`, `idle_channels`)."""

    channels: int
    dead: int


def dead_channels(classifier: TrainedNetwork, images: Images, rows: Rows) -> dict[str, Dead]:
    """By name of each activation that is flat below zero, as ReLU: its channels, and those that are dead.

    A channel is dead if its output is nowhere above zero, in none of the images at `rows`.
    """
    alive: dict[str, Tensor] = {}

    def see(name: str, units: Tensor) -> None:
        alive[name] = alive.get(name, torch.tensor(False)) | (units > 0).any(1).cpu()

    _see_units(classifier, images, rows, layer_outputs.flat_below_zero, see)
    return {name: Dead(len(flags), int((~flags).sum())) for name, flags in alive.items()}


def idle_channels(classifier: TrainedNetwork, images: Images, rows: Rows) -> dict[str, Dead]:
    """By name of each smooth activation, as GELU: its channels, and those that are idle.

    Such a channel rests nowhere at exactly zero, so that «dead» has no meaning for it. It is idle if it hardly varies
    over the images at `rows` and all their places: its standard deviation is at most `IDLE` of the mean of the layer's
    channels. That is the dormant neuron of Sokar et al. 2023 (arXiv:2302.12902) by its deviation instead of its mean
    size, because it may rest at any value.
    """
    moments: dict[str, Tensor] = {}  # by layer, three for each channel: number of values, their sum, and of squares

    def see(name: str, units: Tensor) -> None:
        values = units.double().cpu()
        counts = torch.full((len(values),), float(values.shape[1]), dtype=torch.float64)
        moments[name] = moments.get(name, 0) + torch.stack([counts, values.sum(1), values.square().sum(1)])

    _see_units(classifier, images, rows, layer_outputs.smooth, see)
    found = {}
    for name, (counts, sums, squares) in moments.items():
        # The rounding of the sums is no variation: it is far below a millionth of the channel's size.
        size = squares / counts
        variance = size - (sums / counts).square()
        deviation = variance.where(variance > 1e-12 * size, 0.0) ** 0.5
        found[name] = Dead(len(deviation), int((deviation <= IDLE * deviation.mean()).sum()))
    return found


def _see_units(
    classifier: TrainedNetwork,
    images: Images,
    rows: Rows,
    is_asked: Callable[[nn.Module], bool],
    see: Callable[[str, Tensor], None],
) -> None:
    """Call `see(name, channels x values)` for each batch and layer, of activations for which `is_asked` says yes."""
    found = layer_outputs.activations(classifier.network, classifier.shape)
    forms = {name: form for name, form in found.items() if is_asked(classifier.network.get_submodule(name))}
    if not forms:
        return

    def on_output(name: str, output: Tensor) -> None:
        if tuple(output.shape[1:]) == forms[name].size:  # not so for another use of the same layer
            see(name, forms[name].units(output))

    with layer_outputs.watching(classifier.network, list(forms), on_output):
        for _, part in chunks(images, rows):
            classifier.probabilities(part)


def neighbour_accuracy(
    reference: NDArray[np.float32], labels: Labels, queries: NDArray[np.float32], truth: Labels
) -> float:
    """Accuracy of a five-nearest-neighbour classifier on `queries` (N x width); `reference` is what it knows.

    `labels` are those of `reference` (M x width), `truth` those of `queries`. The distance is Euclidean. Where classes
    have equally many neighbours, the nearer ones decide.
    """
    parts = [(np.arange(len(reference)), reference)]
    found = nearest(queries, parts, min(NEAREST, len(reference)), "euclidean").rows
    votes = np.zeros((len(queries), int(labels.max()) + 1))
    for place, rows in enumerate(found.T):
        # A nearer neighbour weighs a little more: this only decides between equal numbers.
        votes[np.arange(len(queries)), labels[rows]] += 1 + 0.01 * (len(found.T) - place)
    return float((votes.argmax(axis=1) == truth).sum()) / max(1, len(truth))


def class_means(features: NDArray[np.float32], labels: Labels, classes: int) -> NDArray[np.float64]:
    """The mean feature vector of each class (classes x width); zeros for one without images."""
    sums = torch.zeros(classes, features.shape[1], dtype=torch.float64)
    sums.index_add_(0, torch.from_numpy(labels), torch.from_numpy(features).double())
    counts = torch.from_numpy(np.bincount(labels, minlength=classes)).double()
    result: NDArray[np.float64] = (sums / counts.clamp(min=1)[:, None]).numpy()
    return result


def project_to_plane(
    features: NDArray[np.float32], means: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places on a plane, float64: of the classes (K x 2) and of the images (N x 2).

    `features` is N x width, `means` (K x width) holds the class means. The distances between classes are as near to
    those between their means as a plane allows (metric multidimensional scaling). An image lies at the weighted mean
    of the classes' places. The weight of a class is exp(-4 d / s): d is the squared distance of the image to the class
    mean, s the median squared distance of all images to their second nearest class mean. So a clear case lies on its
    class, and a doubtful one between two classes.

    t-SNE would show more of the neighbourhoods, but it amplifies rounding: changes of one part in 10^12 of the features
    of `digits` moved images by up to a fifth of its map. Here they move no image visibly, so that the picture is the
    same on every machine.
    """
    centres = torch.from_numpy(means)
    places = _multidimensional_scaling(torch.cdist(centres, centres))
    vectors = torch.from_numpy(features).double()
    apart = torch.cdist(vectors, centres).square()
    second = apart.sort(1).values[:, min(1, len(centres) - 1)]
    weights = torch.softmax(-4 * apart / second.median().clamp(min=1e-12), 1)
    return places.numpy(), (weights @ places).numpy()


def _multidimensional_scaling(distances: Tensor, steps: int = 300) -> Tensor:
    """Points (K x 2) whose distances come nearest to `distances` (K x K), by least squares.

    SMACOF (de Leeuw 1977, "Applications of convex analysis to multidimensional scaling"), started from classical
    scaling (Torgerson 1952, doi:10.1007/BF02288916).
    """
    # 1. Classical scaling: the two leading eigenvectors of the doubly centred squares.
    count = len(distances)
    squares = distances.square()
    centred = squares - squares.mean(0) - squares.mean(1, keepdim=True) + squares.mean()
    values, vectors = torch.linalg.eigh(-centred / 2)
    places = vectors[:, -2:].flip(1) * values[-2:].flip(0).clamp(min=0).sqrt()
    places = nn.functional.pad(places, (0, 2 - places.shape[1]))
    # An eigenvector's sign is arbitrary: make its largest entry positive.
    largest = places.abs().argmax(0)
    places = places * places[largest, [0, 1]].sign()
    # 2. SMACOF: each step lowers the sum of the squared errors of the distances.
    for _ in range(steps):
        found = torch.cdist(places, places)
        ratios = torch.where(found > 1e-12, distances / found.clamp(min=1e-12), 0.0)
        places = (ratios.sum(1, keepdim=True) * places - ratios @ places) / count
    return places
