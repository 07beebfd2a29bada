"""The trained model in use: `Classifier.load("models").predict("my.jpg")`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from darkroom import models, paths
from darkroom.console import UserError
from darkroom.dataset import Images, load_classes, load_images
from darkroom.files import read_json
from darkroom.images import BadImage, decode
from darkroom.params import Model

Picture = str | Path | bytes | NDArray[np.uint8]


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one picture, best first."""

    classes: list[str]
    probabilities: list[float]


@dataclass(frozen=True)
class Classifier:
    """A network with what it needs to read pictures: size, channels, mean, deviation, class names.

    Its logits are divided by `temperature` before the softmax (darkroom.calibration).
    """

    network: nn.Module
    classes: list[str]
    shape: tuple[int, int, int]
    mean: Tensor
    std: Tensor
    temperature: float = 1.0

    @classmethod
    def load(cls, folder: str | Path = "models", device: str | torch.device = "cpu") -> "Classifier":
        """Load model.json and model.safetensors. Raises UserError where they are missing or do not fit together."""
        folder = Path(folder)
        facts_file, weights_file = folder / "model.json", folder / "model.safetensors"
        missing = [str(file) for file in (facts_file, weights_file) if not file.is_file()]
        if missing:
            raise UserError(
                f"there is no {' and no '.join(missing)}: `dvc repro train` makes it, `dvc pull` fetches it"
            )
        facts = read_json(facts_file)
        shape = (facts["height"], facts["width"], facts["channels"])
        network = models.build(Model.model_validate(facts["model"]), shape, len(facts["classes"]))
        try:
            network.load_state_dict(load_file(weights_file))
        except Exception as error:  # safetensors and torch each have their own
            reason = str(error).splitlines()[0]
            raise UserError(f"{weights_file} is damaged or of another model ({reason}): `dvc repro train`") from None
        mean, std = (to_bytes_scale(facts[name]).to(device) for name in ("mean", "std"))
        network = network.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        # Models from before the calibration have none.
        return cls(network, facts["classes"], shape, mean, std, facts.get("temperature", 1.0))

    def probabilities(self, images: Images, batch_size: int = 512) -> NDArray[np.float32]:
        """Calibrated probabilities (N x classes) of images as the data set stores them.

        `images` are uint8, N x height x width x channels.
        """
        stored = torch.from_numpy(np.ascontiguousarray(images))
        logits = predict(self.network, stored, self.mean, self.std, batch_size)
        result: NDArray[np.float32] = (logits.float() / self.temperature).softmax(1).cpu().numpy()
        return result

    def features(self, images: Images, batch_size: int = 512) -> NDArray[np.float32]:
        """What the last layer sees of images as the data set stores them: vectors, N x its inputs."""
        features, head = self.network.get_submodule("features"), self.network.get_submodule("head")
        before_last = nn.Sequential(features, *list(head.children())[:-1])
        stored = torch.from_numpy(np.ascontiguousarray(images))
        result: NDArray[np.float32] = (
            predict(before_last, stored, self.mean, self.std, batch_size).float().cpu().numpy()
        )
        return result

    def packed_images(self) -> Images | None:
        """All images of the data set on disk, memory-mapped; None where there is none, or one of another model."""
        if not (paths.IMAGES.is_file() and paths.SPLIT.is_file()) or load_classes() != self.classes:
            return None
        images = load_images()
        return images if images.shape[1:] == self.shape else None

    def predict(self, pictures: Picture | Sequence[Picture], top_k: int = 3) -> list[Prediction]:
        """Classify pictures of any size: paths, the bytes of picture files, or uint8 arrays.

        An array is height x width (grey) or height x width x 3 (RGB). Raises UserError for one that cannot be read.
        """
        if isinstance(pictures, str | Path | bytes | np.ndarray):
            pictures = [pictures]
        if not pictures:
            return []
        probabilities = self.probabilities(np.stack([self.read(picture) for picture in pictures]))
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
        return [
            Prediction([self.classes[at] for at in best], [float(row[at]) for at in best])
            for row, best in zip(probabilities, order, strict=True)
        ]

    def read(self, picture: Picture) -> NDArray[np.uint8]:
        """One picture as the network wants it: uint8, height x width x channels."""
        if isinstance(picture, np.ndarray):
            return self._from_array(picture)
        data, name = (picture, "the picture") if isinstance(picture, bytes) else (_bytes(Path(picture)), str(picture))
        try:
            return decode(data, self.shape)[0]
        except BadImage as error:
            raise UserError(f"{name} cannot be used: {error}") from None

    def _from_array(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        import cv2

        if array.dtype != np.uint8 or array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3)):
            raise UserError(
                f"an array of {array.dtype} and shape {array.shape} is no picture: wanted is uint8, "
                "height x width or height x width x 1 or 3"
            )
        grey = array.ndim == 2 or array.shape[2] == 1
        png = cv2.imencode(".png", array if grey else cv2.cvtColor(array, cv2.COLOR_RGB2BGR))[1]
        return decode(png.tobytes(), self.shape)[0]


@torch.inference_mode()
def predict(network: nn.Module, images: Tensor, mean: Tensor, std: Tensor, batch_size: int) -> Tensor:
    """What `network`, in evaluation mode, makes of stored images (uint8, N x height x width x channels)."""
    network.eval()
    parts = torch.split(images, batch_size)
    return torch.cat([network(models.normalise(part.to(mean.device), mean, std)) for part in parts])


def to_bytes_scale(values: Sequence[float]) -> Tensor:
    """Statistics of values in [0, 1], per channel, as a channels x 1 x 1 tensor on the scale of the stored bytes."""
    return torch.tensor(values, dtype=torch.float32).mul(255).view(-1, 1, 1)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: name the pictures in it, as in {path}/*") from None
    except FileNotFoundError:
        raise UserError(f"there is no picture {path}") from None
