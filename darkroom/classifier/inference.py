"""The trained model in use on pictures: `Classifier.load("models").predict("my.jpg")`."""

import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray

from darkroom.base.errors import UserError
from darkroom.classifier.familiarity import FILE, Familiarity
from darkroom.classifier.opening import Opened, Picture, Reading, content
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.classifier.unlike import explain_unlikeness, is_coloured
from darkroom.pictures import cutout
from darkroom.pictures.decoding import BadImage, Target, decode

if TYPE_CHECKING:  # pandas, which it needs, takes as long to import as half of torch
    from darkroom.dataset.packed import Images

Invert = Literal["never", "always", "auto"]


@dataclass(frozen=True)
class Prediction:
    """The most probable classes of one picture, best first.

    `unlike` above 1 means that the picture lies farther from the training images than 99.5 % of the validation images;
    `reasons` then says why. `unlike` is None where familiarity.safetensors is missing. `inverted` means that the
    negative was classified.
    """

    classes: list[str]
    probabilities: list[float]
    unlike: float | None = None
    reasons: list[str] = field(default_factory=list)
    inverted: bool = False


@dataclass(frozen=True)
class Classifier(TrainedNetwork):
    """A trained network that reads pictures, and says whether they look like its training images."""

    familiarity: Familiarity | None = None

    @classmethod
    def load(cls, folder: str | Path = "models", device: str | torch.device = "cpu") -> Self:
        """Load model.json and model.safetensors, and familiarity.safetensors where it lies beside them.

        Raises UserError where the first two are missing or do not fit together.
        """
        file = Path(folder) / FILE
        judge = Familiarity.load(file) if file.is_file() else None
        return dataclasses.replace(super().load(folder, device), familiarity=judge)

    def predict(
        self, pictures: Picture | Sequence[Picture], top_k: int = 3, *, invert: Invert = "never", fit: bool = False
    ) -> list[Prediction]:
        """Classify pictures of any size: paths, the bytes of picture files, or uint8 arrays.

        An array is height x width (grey) or height x width x 3 (RGB). `invert` classifies the negative of every picture
        ("always"), or only where it looks much more like the training images ("auto"). `fit` cuts out a sign from its
        background (`darkroom.pictures.cutout`). Raises UserError for a picture that cannot be used.
        """
        if isinstance(pictures, str | Path | bytes | np.ndarray):
            pictures = [pictures]
        opened = [self.open(picture, invert=invert == "always", fit=fit) for picture in pictures]
        return self.classify(opened, top_k, choose_negatives=invert == "auto")

    def classify(
        self, pictures: Sequence[Opened], top_k: int = 3, *, choose_negatives: bool = False
    ) -> list[Prediction]:
        """Classify pictures that `open` has read, and say of each whether it looks like the training images.

        With `choose_negatives`, a negative that looks much more like them is classified instead. Raises UserError
        for this where familiarity.safetensors is missing.
        """
        if choose_negatives and self.familiarity is None:
            raise UserError(f"--invert auto needs {FILE} beside the model: `dvc repro inside` makes it")
        if not pictures:
            return []
        # 1. The probabilities, and how unlike the training images each picture is.
        stored = np.stack([picture.stored for picture in pictures])
        unlike: list[float | None] = [None] * len(pictures)
        why: list[list[str]] = [[] for _ in pictures]
        inverted = [picture.inverted for picture in pictures]
        if self.familiarity is None:
            probabilities = self.probabilities(stored)
        else:
            probabilities, ratios = self._classify_and_judge(self.familiarity, stored)
            # 2. For each unlike picture: would its negative be more like them, and why is it unlike?
            strange = np.flatnonzero(ratios > 1)
            if len(strange):
                odd = [pictures[at] for at in strange.tolist()]
                negatives = np.stack([cutout.negative(one.stored, one.covered) for one in odd])
                negative_probabilities, negative_ratios = self._classify_and_judge(self.familiarity, negatives)
                for number, at in enumerate(strange.tolist()):
                    picture = pictures[at]
                    nearer = bool(negative_ratios[number] < 0.5 * ratios[at])
                    if nearer and choose_negatives:
                        probabilities[at], ratios[at] = negative_probabilities[number], negative_ratios[number]
                        inverted[at] = not picture.inverted
                        picture = picture._replace(stored=negatives[number])
                    why[at] = explain_unlikeness(
                        self.familiarity,
                        picture.stored,
                        nearer_negative=nearer and not choose_negatives,
                        aspect=picture.aspect,
                        coloured=self.familiarity.grey and self._shows_colour(picture),
                    )
            unlike = ratios.tolist()
        # 3. The most probable classes.
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top_k]
        return [
            Prediction([self.classes[at] for at in best], [float(row[at]) for at in best], *judged)
            for row, best, judged in zip(probabilities, order, zip(unlike, why, inverted, strict=True), strict=True)
        ]

    def _classify_and_judge(
        self, judge: Familiarity, images: "Images"
    ) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Probabilities (N x classes), and the ratios of `Familiarity.ratios`, from one pass."""
        with judge.watching(self.network) as seen:
            probabilities = self.probabilities(images)
        return probabilities, judge.ratios(seen.by_layer())

    def read(self, picture: Picture) -> NDArray[np.uint8]:
        """One picture as the network wants it: uint8, height x width x channels."""
        return self.open(picture).stored

    def open(self, picture: Picture, *, invert: bool = False, fit: bool = False, name: str | None = None) -> Opened:
        """Read one picture; `invert` takes its negative, `fit` cuts out a sign from its background.

        Raises UserError for a picture that cannot be used; the error calls it by `name`, else by its path.
        """
        return self.reading.open(picture, invert=invert, fit=fit, name=name)

    @property
    def reading(self) -> Reading:
        """How it reads pictures."""
        light = not self.border or self.border[0] < 0.5
        extent = cutout.EXTENT if self.familiarity is None else self.familiarity.extent
        return Reading(Target(self.shape, self.resize), light, extent)

    def _shows_colour(self, picture: Opened) -> bool:
        """Whether the original is in colour. Where the network sees grey it is decoded again, small."""
        if picture.channels < 3:
            return False
        if self.shape[2] == 3:
            return is_coloured(picture.stored)
        with suppress(BadImage, UserError):  # the file may have gone meanwhile
            return is_coloured(decode(content(picture.source), Target((*self.shape[:2], 3), self.resize))[0])
        return False
