"""What is known of a model besides its weights: models/model.json, and the weights that its training started from."""

from typing import Any

from pydantic import Field, field_serializer, model_validator

from darkroom.config.augmentations import Augmentation
from darkroom.config.catalogue import Resize
from darkroom.config.params import Model, Train
from darkroom.config.stage_files import StageFile

# Settings of `train` that a model.json of an earlier version lacks, with the values it was trained with.
ADDED_SETTINGS = {"freeze_statistics": False, "fraction": 1.0}


class Pretrained(StageFile):
    """data/pretrained/pretrained.json: the weights that a training starts from; a note alone where none are wanted.

    The last five keys say for what pictures the weights were made: a training takes mean and deviation from here.
    """

    network: str  # model.name
    weights: str | None  # model.weights
    file: str | None = None  # beside this one
    source: str = ""
    license: str = ""  # nothing where the source states none
    sha256: str = ""
    height: int = 0
    width: int = 0
    mean: list[float] = Field(default_factory=list)  # of red, green, blue, in [0, 1]
    std: list[float] = Field(default_factory=list)
    interpolation: str = ""
    crop_share: float = 1.0  # of the short side


class ModelFacts(StageFile):
    """models/model.json: all about a model besides its weights, and how it was trained.

    `mean`, `std` and `border` are per channel and in [0, 1]; `pretrained` are the weights that the training started
    from, `parameters` the number of trainable values. Settings hold the values that were used, never `auto`.
    """

    dataset: str
    classes: list[str]
    height: int
    width: int
    channels: int
    resize: Resize = "squash"  # as the models of the first version, which do not say it
    mean: list[float]
    std: list[float]
    border: list[float] = Field(default_factory=list)  # a model of an earlier version has none, and no temperature
    model: Model
    pretrained: Pretrained | None = None
    parameters: int
    augment: list[Augmentation]
    train: Train
    temperature: float = 1.0

    @model_validator(mode="before")
    @classmethod
    def _complete_earlier_versions(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        added = {"train": ADDED_SETTINGS, "model": {"input_size": None}}
        content = content | {
            key: more | content[key] for key, more in added.items() if isinstance(content.get(key), dict)
        }
        if digest := content.pop("weights_sha256", None):  # torchvision's, or a file's
            model = content.get("model", {})
            content["pretrained"] = {"network": model.get("name"), "weights": model.get("weights"), "sha256": digest}
        return content

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a stored image."""
        return self.height, self.width, self.channels

    @property
    def seen(self) -> tuple[int, int, int]:
        """Height, width and channels of what the network sees of it: a part at random in training, else the centre."""
        return self.model.seen(self.shape)

    @property
    def part(self) -> tuple[int, int] | None:
        """Height and width of what the network sees; None where that is all of the image."""
        return None if self.seen == self.shape else self.seen[:2]

    @field_serializer("augment")
    def _without_unset(self, augment: list[Augmentation]) -> list[dict[str, Any]]:
        return [item.model_dump(exclude_none=True) for item in augment]
