"""What the training images look like to the layers of the network: the fit of `darkroom.classifier.familiarity`."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darkroom.classifier.familiarity import Layer, Vectors
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.dataset.packed import Images, Labels, Rows, chunks
from darkroom.network import layer_outputs

LAYERS = 4  # activations looked at, besides the features before the last layer
SHRINKAGE = 1e-3  # of the covariance towards a multiple of the identity, so that dead channels do not make it singular
QUANTILE = 0.995  # of the validation images: what lies beyond is unlike the training images


def names(network: nn.Module, shape: tuple[int, int, int]) -> list[str]:
    """The layers that are looked at: some activations from the first to the last, and what the last layer takes."""
    return [*layer_outputs.spread(list(layer_outputs.activations(network, shape)), LAYERS), layer_outputs.LAST]


def fit(classifier: TrainedNetwork, images: Images, train: Rows, labels: Labels, val: Rows) -> dict[str, Layer]:
    """Class means, whitening and limits of each layer from all training images (`labels` are theirs) and validation's.

    All training images, for the distance of unlike pictures grows with the number of images behind the covariance.
    """
    watched = names(classifier.network, classifier.shape)
    sums: dict[str, Tensor] = {}
    squares: dict[str, Tensor] = {}
    counts = torch.from_numpy(np.bincount(labels, minlength=len(classifier.classes))).double()
    numbers = torch.from_numpy(labels)
    at = 0
    for _, part in chunks(images, train):
        chosen = numbers[at : at + len(part)]
        at += len(part)
        for name, vectors in _gathered(classifier, part, watched).items():
            sums.setdefault(name, torch.zeros(len(counts), vectors.shape[1], dtype=torch.float64))
            sums[name].index_add_(0, chosen, vectors)
            squares[name] = squares.get(name, 0) + vectors.T @ vectors
    known = counts > 0
    layers = {name: Layer(*_whitened(sums[name][known], squares[name], counts[known, None]), 1.0) for name in watched}
    measured = [
        torch.stack([layers[name].ratios(vectors) for name, vectors in _gathered(classifier, part, watched).items()])
        for _, part in chunks(images, val)
    ]
    distances = torch.cat(measured, 1)
    limits = torch.tensor([_quantile(row) for row in distances], dtype=torch.float64)
    # Each limit alone lets through its share; together they would stop more, so all are raised alike.
    limits *= _quantile((distances / limits[:, None]).amax(0))
    return {
        name: Layer(layer.means, layer.whitening, float(limit))
        for (name, layer), limit in zip(layers.items(), limits, strict=True)
    }


def _gathered(classifier: TrainedNetwork, images: Images, watched: Sequence[str]) -> dict[str, Tensor]:
    vectors = Vectors()
    with layer_outputs.watching(classifier.network, watched, vectors.see):
        classifier.probabilities(images)
    found = vectors.get()
    return {name: found[name] for name in watched}


def _whitened(sums: Tensor, squares: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Whitened class means and the whitening matrix: a root of the inverse of the shrunken covariance."""
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


def extent(images: Images, rows: Rows, border: Sequence[float]) -> float:
    """The median, over images, of the longer side of what differs from the ground, as a share of the image's side.

    `images` are uint8, N x height x width x channels, of which those at `rows` count; `border` is the ground per
    channel, in [0, 1].
    """
    ground = np.round(255 * np.array(border)).astype(np.int16)
    found = []
    for _, part in chunks(images, rows):
        apart = (np.abs(part.astype(np.int16) - ground) > 48).any(axis=3)
        found.append(np.maximum(_span(apart.any(axis=2)), _span(apart.any(axis=1))))
    longer = np.concatenate(found)
    return float(np.median(longer[longer > 0])) if (longer > 0).any() else 1.0


def _span(flags: NDArray[np.bool_]) -> NDArray[np.float64]:
    """For each line of flags, the share of it from the first to the last that is set."""
    count = flags.shape[1]
    first, last = flags.argmax(axis=1), count - 1 - flags[:, ::-1].argmax(axis=1)
    return np.where(flags.any(axis=1), (last - first + 1) / count, 0.0)
