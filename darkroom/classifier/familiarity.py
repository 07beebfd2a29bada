"""Whether a picture looks like the training images: out-of-distribution detection in the layers of the network.

Lee et al. 2018 (arXiv:1807.03888). In each layer, the channels' means over the image, or over its tokens, form a
vector. The vectors of a class are modelled as a normal distribution; all classes share one covariance. The distance of
a picture is the Mahalanobis distance to the nearest class mean. Each layer's distance is scaled by validation images,
and the largest one counts. The features before the last layer do not suffice: a network learns to ignore there what
does not tell classes apart (docs/predict.md).
"""

from collections.abc import Collection, Iterator
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
WIDEST = 1024  # values kept of a layer; a wider layer's neighbouring channels are averaged, to bound the covariance


class LayerVectors:
    """Collects a vector (width, float64) of each image in each layer, while a network runs."""

    def __init__(self, channels_last: Collection[str] = ()) -> None:
        """`channels_last` names the layers whose outputs are N x places x C; the others' are N x C x places."""
        self._channels_last = channels_last
        self._parts: dict[str, list[Tensor]] = {}
        self._latest: dict[str, Tensor] = {}

    def add(self, name: str, output: Tensor) -> None:
        """Take a layer's output (N x C, or with dimensions of places beside) for one batch; the last layer ends it."""
        if output.ndim == 2:
            channels = output.float()
        elif name in self._channels_last:
            channels = output.float().flatten(1, -2).mean(1)
        else:
            channels = output.float().flatten(2).mean(2)
        self._latest[name] = functional.adaptive_avg_pool1d(channels, min(WIDEST, channels.shape[1])).cpu().double()
        # A layer that is used several times in one pass counts once, with its last output.
        if name == layer_outputs.LAST:
            for layer, values in self._latest.items():
                self._parts.setdefault(layer, []).append(values)

    def by_layer(self) -> dict[str, Tensor]:
        """All vectors (N x width) of each layer."""
        return {name: torch.cat(parts) for name, parts in self._parts.items()}


@dataclass(frozen=True)
class Layer:
    """One layer: whitening matrix (width x width), whitened class means (classes x width), limit of the distance.

    `channels_last` says that the layer's outputs are N x places x C.
    """

    means: Tensor
    whitening: Tensor
    limit: float
    channels_last: bool = False

    def ratios(self, vectors: Tensor) -> Tensor:
        """Distance of each vector (N x width) to the nearest class mean, in units of the limit."""
        # The matrix product takes MKL's square root, whose last bits depend on the processor.
        exact = "donot_use_mm_for_euclid_dist"
        return torch.cdist(vectors @ self.whitening, self.means, compute_mode=exact).amin(1) / self.limit


@dataclass(frozen=True)
class Familiarity:
    """What training images look like, to the layers of the network and as files."""

    layers: dict[str, Layer]
    aspect: tuple[float, float]  # width over height: the range of all files but the 1 % at its ends
    grey: bool  # whether most files were grey
    extent: float  # the longer side of the foreground, as a share of the image's side

    def ratios(self, vectors: dict[str, Tensor]) -> NDArray[np.float64]:
        """The distance of each picture over the limit, float64; above 1: farther than 99.5 % of validation images."""
        worst = torch.stack([layer.ratios(vectors[name]) for name, layer in self.layers.items()]).amax(0)
        result: NDArray[np.float64] = worst.numpy()
        return result

    @contextmanager
    def watching(self, network: nn.Module) -> Iterator[LayerVectors]:
        """Collect the vectors of all images that `network` classifies inside the `with` block."""
        vectors = LayerVectors([name for name, layer in self.layers.items() if layer.channels_last])
        with layer_outputs.watching(network, list(self.layers), vectors.add):
            yield vectors

    def save(self, path: Path) -> None:
        """Write one safetensors file; the same content gives the same bytes."""
        tensors = {
            f"{name}/{part}": getattr(layer, part)
            for name, layer in self.layers.items()
            for part in ("means", "whitening")
        }
        tensors |= {f"{name}/limit": torch.tensor(layer.limit) for name, layer in self.layers.items()}
        tensors |= {
            f"{name}/channels_last": torch.tensor(True) for name, layer in self.layers.items() if layer.channels_last
        }
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
                name: Layer(
                    tensors[f"{name}/means"],
                    tensors[f"{name}/whitening"],
                    float(tensors[f"{name}/limit"]),
                    f"{name}/channels_last" in tensors,
                )
                for name in names
            }
            low, high = tensors["aspect"].tolist()
            return cls(layers, (low, high), bool(tensors["grey"]), float(tensors["extent"]))
        except OSError:
            raise
        except Exception as error:  # safetensors raises its own errors; a file of another kind lacks names
            raise UserError(f"{path} is damaged ({error}): `dvc repro inside` writes it anew") from None
