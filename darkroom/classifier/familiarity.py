"""Whether a picture looks like those of the training, by what the layers of the network make of it.

Lee et al. 2018 (arXiv:1807.03888): in each layer, the mean of each channel over the image is a vector; training vectors
are taken for normal around the mean of their class, with one covariance for all classes, and the distance of a
picture is the Mahalanobis distance to the nearest class mean. A picture is as unlike as the layer that finds it
most unlike, each on the scale of validation images. Features before the last layer alone are not enough: a
network that has learned to ignore what does not tell classes apart hardly sees it there (docs/predict.md).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from darkroom.base.errors import UserError
from darkroom.base.files import replacing
from darkroom.network import layer_outputs

FILE = "familiarity.safetensors"  # beside the model
WIDEST = 1024  # values kept of a layer; neighbouring channels of a wider one are averaged, to bound the covariance


class Vectors:
    """The vectors (N x width, float64) of each layer, gathered while a network runs."""

    def __init__(self) -> None:
        self._parts: dict[str, list[Tensor]] = {}
        self._latest: dict[str, Tensor] = {}

    def see(self, name: str, output: Tensor) -> None:
        """Take the output of a layer (N x C, or N x C x height x width) for one batch, which ends at the last layer."""
        channels = output.float().flatten(2).mean(2) if output.ndim > 2 else output.float()
        self._latest[name] = functional.adaptive_avg_pool1d(channels, min(WIDEST, channels.shape[1])).cpu().double()
        if name == layer_outputs.LAST:
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
        with layer_outputs.watching(network, list(self.layers), vectors.see):
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
