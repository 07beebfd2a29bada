"""Whether a picture looks like those of the training, by what the layers of the network make of it.

Lee et al. 2018 (arXiv:1807.03888): in each layer, the mean of each channel over the image is a vector; training vectors
are taken for normal around the mean of their class, with one covariance for all classes, and the distance of a
picture is the Mahalanobis distance to the nearest class mean. A picture is as unlike as the layer that finds it
most unlike, each on the scale of validation images. Features before the last layer alone are not enough: a
network that has learned to ignore what does not tell classes apart hardly sees it there (docs/predict.md).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from darkroom import hooks
from darkroom.console import UserError
from darkroom.dataset import Images, Labels, Rows, chunks
from darkroom.files import replacing

if TYPE_CHECKING:
    from darkroom.inference import Classifier

FILE = "familiarity.safetensors"  # beside the model
LAYERS = 4  # activations looked at, besides the features before the last layer
WIDEST = 1024  # values kept of a layer; neighbouring channels of a wider one are averaged, to bound the covariance
SHRINKAGE = 1e-3  # of the covariance towards a multiple of the identity, so that dead channels do not make it singular
QUANTILE = 0.995  # of the validation images: what lies beyond is unlike the training images


class Vectors:
    """The vectors (N x width, float64) of each layer, gathered while a network runs."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Tensor]] = {}
        self._latest: dict[str, Tensor] = {}

    def see(self, name: str, output: Tensor) -> None:
        """Take the output of a layer (N x C, or N x C x height x width) for one batch, which ends at the last layer."""
        channels = output.float().flatten(2).mean(2) if output.ndim > 2 else output.float()
        self._latest[name] = functional.adaptive_avg_pool1d(channels, min(WIDEST, channels.shape[1])).cpu().double()
        if name == hooks.LAST:
            for layer, values in self._latest.items():
                self._parts.setdefault(layer, []).append(values)

    def get(self) -> dict[str, Tensor]:
        """What was gathered, by layer."""
        return {name: torch.cat(parts) for name, parts in self._parts.items()}


@dataclass(frozen=True)
class Layer:
    """One layer: class means (classes x width) after whitening (width x width), and the limit of the distance."""

    means: Tensor
    whitening: Tensor
    limit: float

    def ratios(self, vectors: Tensor) -> Tensor:
        """Distance of each vector (N x width) to the nearest class mean, in units of the limit."""
        # The other way takes MKL's square root, which is not the same on every processor.
        exact = "donot_use_mm_for_euclid_dist"
        return torch.cdist(vectors @ self.whitening, self.means, compute_mode=exact).amin(1) / self.limit


@dataclass(frozen=True)
class Familiarity:
    """What training pictures look like: to the layers of the network, and as files."""

    layers: dict[str, Layer]
    aspect: tuple[float, float]  # width over height of the files, lowest and highest but for 1 %
    grey: bool  # whether nearly all files were grey
    extent: float  # the longer side of what stands out from the ground, as a share of the image's side

    def ratios(self, vectors: dict[str, Tensor]) -> NDArray[np.float64]:
        """How unlike the training images each picture is; above 1 it is more so than 99.5 % of validation images."""
        worst = torch.stack([layer.ratios(vectors[name]) for name, layer in self.layers.items()]).amax(0)
        result: NDArray[np.float64] = worst.numpy()
        return result

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[Vectors]:
        """Gather the vectors of all images that `network` classifies in the block."""
        vectors = Vectors()
        with hooks.watching(network, list(self.layers), vectors.see):
            yield vectors

    def save(self, path: Path) -> None:
        """Write one safetensors file; the same content gives the same bytes."""
        tensors = {
            f"{name}/{part}": getattr(layer, part)
            for name, layer in self.layers.items()
            for part in ("means", "whitening")
        }
        tensors |= {f"{name}/limit": torch.tensor(layer.limit) for name, layer in self.layers.items()}
        tensors |= {"aspect": torch.tensor(self.aspect), "grey": torch.tensor(self.grey)}
        tensors["extent"] = torch.tensor(self.extent)
        with replacing(path) as partial:
            save_file({name: value.float().contiguous() for name, value in tensors.items()}, partial)

    @classmethod
    def load(cls, path: Path) -> "Familiarity":
        """Read what `save` wrote. Raises UserError for a damaged file."""
        try:
            tensors = {name: value.double() for name, value in load_file(path).items()}
            names = list(dict.fromkeys(name.rpartition("/")[0] for name in tensors if "/" in name))
            layers = {
                name: Layer(tensors[f"{name}/means"], tensors[f"{name}/whitening"], float(tensors[f"{name}/limit"]))
                for name in names
            }
            low, high = tensors["aspect"].tolist()
            return cls(layers, (low, high), bool(tensors["grey"]), float(tensors["extent"]))
        except OSError:
            raise
        except Exception as error:  # safetensors has its own, and a file of another kind lacks names
            raise UserError(f"{path} is damaged ({error}): `dvc repro inside` writes it anew") from None


def names(network: nn.Module, shape: tuple[int, int, int]) -> list[str]:
    """The layers that are looked at: some activations from the first to the last, and what the last layer takes."""
    return [*hooks.spread(list(hooks.activations(network, shape)), LAYERS), hooks.LAST]


def fit(classifier: "Classifier", images: Images, train: Rows, labels: Labels, val: Rows) -> dict[str, Layer]:
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


def _gathered(classifier: "Classifier", images: Images, watched: Sequence[str]) -> dict[str, Tensor]:
    vectors = Vectors()
    with hooks.watching(classifier.network, watched, vectors.see):
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
