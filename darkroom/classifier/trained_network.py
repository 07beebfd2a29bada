"""The trained network, which classifies images of the packed data set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from darkroom.base.errors import UserError
from darkroom.classifier.model_folder import model_files
from darkroom.config.catalogue import Resize
from darkroom.config.model_facts import ModelFacts
from darkroom.network import architectures
from darkroom.network.normalisation import normalise, to_bytes_scale

if TYPE_CHECKING:  # pandas, which it needs, takes as long to import as half of torch
    from darkroom.dataset.packed import Images
    from darkroom.network.frozen_features import FrozenBody


@dataclass(frozen=True)
class TrainedNetwork:
    """A network with all that it needs to classify stored images.

    `shape` is height, width, channels; `resize` says how a picture is brought to it. `mean` and `std` (channels x 1 x
    1) are on the scale of the bytes, 0 to 255. The softmax is taken of logits over `temperature`. `border` is the
    background of the training images, one value a channel, 0 to 1. The network sees the middle of an image, `part`
    (height, width); None: all of it.
    """

    network: nn.Module
    classes: list[str]
    shape: tuple[int, int, int]
    mean: Tensor
    std: Tensor
    temperature: float = 1.0
    border: Sequence[float] = ()
    resize: Resize = "squash"
    part: tuple[int, int] | None = None
    frozen: "FrozenBody | None" = None  # the body with what it made of pictures before, in `features` and `logits`

    @classmethod
    def load(cls, folder: str | Path = "models", device: str | torch.device = "cpu") -> Self:
        """Load model.json and model.safetensors. Raises UserError where they are missing or do not fit together."""
        facts_file, weights_file = model_files(folder)
        facts = ModelFacts.read(facts_file)
        network = architectures.build(facts.model, facts.shape, len(facts.classes), trial=False)
        try:
            network.load_state_dict(load_file(weights_file))
        except Exception as error:  # safetensors and torch each raise their own kinds
            reason = str(error).splitlines()[0]
            if facts.model.own:
                raise UserError(
                    f"{weights_file} does not fit the network that {facts.model.name} builds now ({reason}): bring "
                    "back the code that it was trained with (git checkout own), or `dvc repro train`"
                ) from None
            raise UserError(f"{weights_file} is damaged or of another model ({reason}): `dvc repro train`") from None
        mean, std = (to_bytes_scale(values).to(device) for values in (facts.mean, facts.std))
        network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        return cls(
            network, facts.classes, facts.shape, mean, std, facts.temperature, facts.border, facts.resize, facts.part
        )

    def with_kept_features(self, facts: ModelFacts) -> Self:
        """The same network; where the training left its body as it was, its features are computed once and kept."""
        if facts.pretrained is None or facts.train.freeze_epochs < facts.train.epochs:
            return self
        from darkroom.network.frozen_features import FrozenBody

        body, width = self.network.get_submodule("features"), architectures.feature_count(self.network)
        return replace(self, frozen=FrozenBody(body, self.mean, self.std, self.part, width))

    @property
    def seen(self) -> tuple[int, int, int]:
        """Height, width and channels of what the network sees of a stored image."""
        return self.shape if self.part is None else (*self.part, self.shape[2])

    def probabilities(self, images: "Images", batch_size: int = 512) -> NDArray[np.float32]:
        """Calibrated probabilities (N x classes, float32) of stored images (uint8, N x height x width x channels)."""
        stored = torch.from_numpy(np.ascontiguousarray(images))
        logits = predict(self.network, stored, self.mean, self.std, batch_size)
        result: NDArray[np.float32] = (logits.float() / self.temperature).softmax(1).cpu().numpy()
        return result

    @torch.inference_mode()
    def logits(self, stored: Tensor) -> Tensor:
        """The logits of one batch of stored images (uint8, N x height x width x channels, on the network's device)."""
        if self.frozen is None:
            found: Tensor = self.network(normalise(stored, self.mean, self.std))
        else:
            found = self.network.get_submodule("head")(torch.from_numpy(self.frozen(stored)).to(stored.device))
        return found

    def features(self, images: "Images", batch_size: int = 512) -> NDArray[np.float32]:
        """Inputs of the last layer (N x width, float32) for stored images (uint8, N x height x width x channels)."""
        features, head = self.network.get_submodule("features"), self.network.get_submodule("head")
        before_last = nn.Sequential(*list(head.children())[:-1])
        stored = torch.from_numpy(np.ascontiguousarray(images))
        if self.frozen is None:
            made = predict(nn.Sequential(features, *before_last), stored, self.mean, self.std, batch_size)
        else:
            with torch.inference_mode():
                made = before_last(torch.from_numpy(self.frozen(stored)).to(self.mean.device))
            self.frozen.keep()
        result: NDArray[np.float32] = made.float().cpu().numpy()
        return result


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor, mean: Tensor, std: Tensor, batch_size: int) -> Tensor:
    """Outputs of `network`, in evaluation mode, for stored images (uint8, N x height x width x channels)."""
    network.eval()
    parts = torch.split(images, batch_size)
    return torch.cat([network(normalise(part.to(mean.device), mean, std)) for part in parts])
