"""The JSON files that stages write and later stages read: the keys of each (tables: stage_tables).

No other module writes or reads these files. Keys keep their order. Code takes figures from these files, never from a
text that was made for people.
"""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from darkroom.base.errors import UserError
from darkroom.base.files import read_json, write_json

Own = TypeVar("Own", bound="StageFile")


class StageFile(BaseModel):
    """A JSON file of the pipeline."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        write_json(path, self.model_dump())

    @classmethod
    def read(cls: type[Own], path: Path) -> Own:
        """Read the file. Raises UserError if it is damaged or of another version."""
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            reason = ": ".join(filter(None, [".".join(map(str, problem["loc"])), problem["msg"]]))
        except ValueError as error:
            reason = str(error).splitlines()[0]
        raise UserError(f"{path} is damaged or of another version ({reason}): `dvc repro` writes it anew") from None


class Source(StageFile):
    """data/raw/source.json: the archive and its origin."""

    archive: str
    origin: str
    sha256: str
    bytes: int


class Stats(StageFile):
    """metrics/stats.json: per channel, in [0, 1], over the training images."""

    mean: list[float]
    std: list[float]
    border: list[float]  # median of the outermost pixels
    split: str


class BaselineAccuracy(StageFile):
    """The accuracy of one simple method."""

    val_accuracy: float
    test_accuracy: float


class Baselines(StageFile):
    """metrics/baseline.json: the accuracy of each simple method, under its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, BaselineAccuracy] = Field(init=False)
    train_images: int

    @property
    def methods(self) -> dict[str, BaselineAccuracy]:
        """The methods by name, in their order."""
        return self.__pydantic_extra__


class TrainingFigures(StageFile):
    """metrics/train.json: the figures are those of the epoch whose weights were kept.

    Also the monitored figure, as `val_macro_f1`, if it is neither loss nor accuracy.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float] = Field(init=False)
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
    """metrics/curves.json: a verdict on the learning curves, in words."""

    fit: str


class Figures(StageFile):
    """The figures of merit of one split; None if a figure is undefined."""

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
    quadratic_kappa: float | None
    roc_auc: float | None
    average_precision: float | None
    ece_uncalibrated: float
    ece: float


class McNemar(StageFile):
    """McNemar's test of two methods: the test images that only one of them gets right, and the p-value."""

    only_ours_right: int
    only_other_right: int
    p_value: float


class Comparison(StageFile):
    """The network compared with the simple methods; `best` is the simple method that is best on val."""

    test_accuracy: dict[str, float]
    best: str
    mcnemar: McNemar


class Evaluation(StageFile):
    """metrics/evaluate.json."""

    val: Figures
    test: Figures
    baselines: Comparison


class ConfusedPair(StageFile):
    """The number of images of class `true` that were predicted as class `predicted`."""

    true: str
    predicted: str
    mistakes: int


class SuspectCounts(StageFile):
    """The number of suspected labels: in all, by split, and by the reason for the suspicion."""

    images: int
    by_split: dict[str, int]
    by_reason: dict[str, int]


class NearDuplicateCounts(StageFile):
    """The number of pairs of nearly equal images, and of the images that were compared."""

    pairs: int
    under_two_labels: int
    val_and_test_images: int
    training_images: int


class ErrorFigures(StageFile):
    """metrics/errors.json; `grad_cam` names the layer that was explained, or says why none was."""

    split: str
    images: int
    mistakes: int
    error_rate: float
    most_confused: list[ConfusedPair]
    grad_cam: str
    suspects: SuspectCounts
    near_duplicates: NearDuplicateCounts


class NeighbourAccuracy(StageFile):
    """Accuracy of a nearest-neighbour vote on the features before the last layer, and of the network's head."""

    nearest_neighbours: float
    head: float


class DeadChannels(StageFile):
    """The number and share of a layer's channels that are dead, or idle."""

    channels: int
    dead: int
    share: float


class InsideFigures(StageFile):
    """metrics/inside.json; `left_out` maps each picture that was not drawn to the reason.

    `dead_channels` are of layers that are flat below zero, as ReLU; `idle_channels` of smooth ones, as GELU.
    """

    split: str
    reference_images: int
    test_images: int
    accuracy: NeighbourAccuracy
    dead_channels: dict[str, DeadChannels]
    idle_channels: dict[str, DeadChannels]
    left_out: dict[str, str]
