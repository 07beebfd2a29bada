"""Fit `darkroom.classifier.familiarity`: learn what the training images look like to the layers of the network."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darkroom.classifier.familiarity import Layer, LayerVectors
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.dataset.packed import Images, Labels, Rows, chunks
from darkroom.network import layer_outputs

LAYERS = 4  # activations that are watched, besides the input of the last layer
SHRINKAGE = 1e-3  # mean variances added to the covariance's diagonal, which dead channels would make singular
QUANTILE = 0.995  # of the validation images' distances: a picture beyond it is unlike the training images


def watched_layers(network: nn.Module, shape: tuple[int, int, int]) -> dict[str, bool]:
    """By name of each watched layer, whether its channels come last, as those of tokens.

    Activations spread over the depth, then the input of the last layer. `shape` is height, width, channels.
    """
    found = layer_outputs.activations(network, shape)
    whole = [name for name, form in found.items() if form.whole]  # what is of parts of images is no vector of each
    last = {name: not found[name].first for name in layer_outputs.spread(whole, LAYERS)}
    return last | {layer_outputs.LAST: False}


def fit(classifier: TrainedNetwork, images: Images, train: Rows, labels: Labels, val: Rows) -> dict[str, Layer]:
    """Fit class means and whitening of each layer to the images at `train`, and the limits to those at `val`.

    `labels` are those of the training images. All of them are used, because the distance of unlike pictures grows with
    the number of images behind the covariance.
    """
    # 1. Over all training images: in each layer the sum of the vectors of each class, and of the outer products.
    watched = watched_layers(classifier.network, classifier.shape)
    sums: dict[str, Tensor] = {}
    squares: dict[str, Tensor] = {}
    counts = torch.from_numpy(np.bincount(labels, minlength=len(classifier.classes))).double()
    numbers = torch.from_numpy(labels)
    at = 0
    for _, part in chunks(images, train):
        chosen = numbers[at : at + len(part)]
        at += len(part)
        for name, vectors in _vectors_of(classifier, part, watched).items():
            sums.setdefault(name, torch.zeros(len(counts), vectors.shape[1], dtype=torch.float64))
            sums[name].index_add_(0, chosen, vectors)
            squares[name] = squares.get(name, 0) + vectors.T @ vectors
    # 2. Class means and whitening, from the classes that have images; the limits are 1 for now.
    known = counts > 0
    layers = {
        name: Layer(*_whiten(sums[name][known], squares[name], counts[known, None]), 1.0, last)
        for name, last in watched.items()
    }
    # 3. The limit of each layer, from the distances of the validation images.
    measured = [
        torch.stack([layers[name].ratios(vectors) for name, vectors in _vectors_of(classifier, part, watched).items()])
        for _, part in chunks(images, val)
    ]
    distances = torch.cat(measured, 1)
    limits = torch.tensor([_quantile(row) for row in distances], dtype=torch.float64)
    # Each limit alone stops 0.5 % of the images, but all together stop more: one factor raises them all.
    limits *= _quantile((distances / limits[:, None]).amax(0))
    return {
        name: replace(layer, limit=float(limit)) for (name, layer), limit in zip(layers.items(), limits, strict=True)
    }


def _vectors_of(classifier: TrainedNetwork, images: Images, watched: Mapping[str, bool]) -> dict[str, Tensor]:
    """The vectors (N x width) of images in each watched layer."""
    vectors = LayerVectors([name for name, last in watched.items() if last])
    with layer_outputs.watching(classifier.network, list(watched), vectors.add):
        classifier.probabilities(images)
    found = vectors.by_layer()
    return {name: found[name] for name in watched}


def _whiten(sums: Tensor, squares: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Whitened class means, and the whitening matrix: a square root of the inverse of the shrunken covariance.

    `sums` (classes x width) are those of the vectors, `squares` (width x width) those of their outer products, and
    `counts` (classes x 1) the numbers of images.
    """
    means = sums / counts
    covariance = (squares - (means * counts).T @ means) / counts.sum()
    width = len(covariance)
    one = torch.eye(width, dtype=torch.float64)
    level = max(float(covariance.trace()) / width, 1e-12)
    root = torch.linalg.cholesky(covariance + SHRINKAGE * level * one)
    whitening = torch.linalg.solve_triangular(root, one, upper=False).T
    return means @ whitening, whitening


def _quantile(values: Tensor) -> float:
    return max(float(values.quantile(QUANTILE)), 1e-12)


def foreground_extent(images: Images, rows: Rows, border: Sequence[float]) -> float:
    """The longer side of an image's foreground as a share of the image's side, the median over the images at `rows`.

    `images` are uint8, N x height x width x channels; `border` is the background, one value a channel, 0 to 1. An
    image whose pixels are all background does not count.
    """
    ground = np.round(255 * np.array(border)).astype(np.int16)
    found = []
    for _, part in chunks(images, rows):
        apart = (np.abs(part.astype(np.int16) - ground) > 48).any(axis=3)  # foreground
        found.append(np.maximum(_extent_of(apart.any(axis=2)), _extent_of(apart.any(axis=1))))
    longer = np.concatenate(found)
    return float(np.median(longer[longer > 0])) if (longer > 0).any() else 1.0


def _extent_of(flags: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each row of flags: the share of the row that lies between the first and the last set flag."""
    count = flags.shape[1]
    first, last = flags.argmax(axis=1), count - 1 - flags[:, ::-1].argmax(axis=1)
    return np.where(flags.any(axis=1), (last - first + 1) / count, 0.0)
