"""The JSON files that travel between stages: what stands in each, written and read here alone (tables: stage_tables).

Keys keep their order. Whoever needs a figure reads it from one of these, never from a text that was made for people.
"""

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, model_validator

from darkroom.base.errors import UserError
from darkroom.base.files import read_json, write_json
from darkroom.config.augmentations import Augmentation
from darkroom.config.params import Model, Train

Own = TypeVar("Own", bound="StageFile")


# Settings of `train` that models of earlier versions lack, and what they did without them.
ADDED = {"freeze_statistics": False}


class StageFile(BaseModel):
    """A JSON file of the pipeline."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_json(path, self.model_dump())

    @classmethod
    def read(cls: type[Own], path: Path) -> Own:
        """Read the file. Raises UserError where it is damaged or of another version."""
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            reason = ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]]))
        except ValueError as error:
            reason = str(error).splitlines()[0]
        raise UserError(f"{path} is damaged or of another version ({reason}): `dvc repro` writes it anew") from None


class Source(StageFile):
    """data/raw/source.json: the archive, and where it is from."""

    dataset: str
    title: str
    archive: str
    origin: str
    license: str
    sha256: str
    bytes: int


class Counted(StageFile):
    """Images in groups."""

    groups: int
    images: int


class NamedClass(StageFile):
    """A class and its number of labelled images."""

    name: str
    images: int


class Sides(StageFile):
    """The least, the middle and the greatest of one side of the pictures, in pixels."""

    min: int
    median: int
    max: int


class AuditFigures(StageFile):
    """metrics/audit.json."""

    images: int
    labelled: int
    unlabelled: int
    rejected: int
    classes: int
    smallest_class: NamedClass
    largest_class: NamedClass
    duplicates: Counted
    conflicts: Counted
    blank: int
    width: Sides
    height: Sides
    channels: dict[str, int]


class Stats(StageFile):
    """metrics/stats.json: per channel, in [0, 1], over the training images."""

    mean: list[float]
    std: list[float]
    border: list[float]  # median of the outermost pixels
    split: str


class Reached(StageFile):
    """Accuracy of one simple method."""

    val_accuracy: float
    test_accuracy: float


class Baselines(StageFile):
    """metrics/baseline.json: what each simple method reaches, under its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Reached] = Field(init=False)
    train_images: int

    @property
    def methods(self) -> dict[str, Reached]:
        """The methods by name, in their order."""
        return self.__pydantic_extra__


class ModelFacts(StageFile):
    """models/model.json: all that a model is besides its weights, and how it was trained.

    `mean`, `std` and `border` are per channel and in [0, 1]; `weights_sha256` is that of the weights from which the
    training started, `parameters` the number of trainable values. No setting is `auto`: it is what was used.
    """

    dataset: str
    classes: list[str]
    height: int
    width: int
    channels: int
    mean: list[float]
    std: list[float]
    border: list[float] = []  # models of earlier versions have none, and no temperature
    model: Model
    weights_sha256: str | None = None
    parameters: int
    augment: list[Augmentation]
    train: Train
    temperature: float = 1.0

    @model_validator(mode="before")
    @classmethod
    def _of_earlier_versions(cls, content: Any) -> Any:
        if isinstance(content, dict) and isinstance(content.get("train"), dict):
            return content | {"train": ADDED | content["train"]}
        return content

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a stored image."""
        return self.height, self.width, self.channels

    @field_serializer("augment")
    def _named_alone(self, augment: list[Augmentation]) -> list[dict[str, Any]]:
        return [item.model_dump(exclude_none=True) for item in augment]


class TrainingFigures(StageFile):
    """metrics/train.json: the losses and accuracies are those of the epoch that was kept."""

    epochs: int
    best_epoch: int
    stopped_early: bool
    parameters: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    temperature: float


class Curves(StageFile):
    """metrics/curves.json: what the curves show, in words."""

    fit: str


class Figures(StageFile):
    """The figures of merit of one split; None where one is undefined."""

    images: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    balanced_accuracy: float | None
    macro_f1: float
    weighted_f1: float
    log_loss: float
    top3_accuracy: float | None
    cohen_kappa: float | None
    roc_auc: float | None
    average_precision: float | None
    ece_uncalibrated: float
    ece: float


class McNemar(StageFile):
    """Test images on which one of two methods alone is right, and how likely a difference as large is by chance."""

    only_ours_right: int
    only_other_right: int
    p_value: float


class Comparison(StageFile):
    """The network beside the simple methods; `best` is the best of these on val."""

    test_accuracy: dict[str, float]
    best: str
    mcnemar: McNemar


class Evaluation(StageFile):
    """metrics/evaluate.json."""

    val: Figures
    test: Figures
    baselines: Comparison


class Confused(StageFile):
    """How many images of one class were taken for another."""

    true: str
    predicted: str
    mistakes: int


class SuspectCounts(StageFile):
    """Suspected labels, by split and by what they are suspected for."""

    images: int
    by_split: dict[str, int]
    by_reason: dict[str, int]


class NearDuplicateCounts(StageFile):
    """Pairs of nearly equal images, among how many."""

    pairs: int
    under_two_labels: int
    val_and_test_images: int
    training_images: int


class ErrorFigures(StageFile):
    """metrics/errors.json; `grad_cam` is the layer that was explained, or says why none was."""

    split: str
    images: int
    mistakes: int
    error_rate: float
    most_confused: list[Confused]
    grad_cam: str
    suspects: SuspectCounts
    near_duplicates: NearDuplicateCounts


class Neighbourly(StageFile):
    """Accuracy of the nearest neighbours in the features of the last layer, and of the network's head."""

    nearest_neighbours: float
    head: float


class DeadChannels(StageFile):
    """How many channels of a layer never answer."""

    channels: int
    dead: int
    share: float


class InsideFigures(StageFile):
    """metrics/inside.json; `left_out` says by name of the picture why it was not drawn."""

    split: str
    reference_images: int
    test_images: int
    accuracy: Neighbourly
    dead_channels: dict[str, DeadChannels]
    left_out: dict[str, str]
