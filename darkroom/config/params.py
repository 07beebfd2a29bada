"""The parameters of the pipeline: the types, ranges and choices of `params.yaml`, and values in place of `auto`."""

import math
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from darkroom.base.errors import UserError
from darkroom.base.paths import DATASETS, PARAMS
from darkroom.config import auto, auto_training, catalogue
from darkroom.config.augmentations import Augmentation
from darkroom.config.catalogue import Entry
from darkroom.config.entry_name import check_name
from darkroom.config.fetch_archives import Fetch, check_entries
from darkroom.config.image_sizes import ImageSize, check_seen, sides
from darkroom.config.own_names import network_name
from darkroom.config.yaml_files import Section, check, read_yaml

# The values that keys newer than the first version have in params.yaml, where not auto.
ADDED_KEYS = {"split.near_duplicates": "ignore", "train.fraction": "1.0"}
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Activation = Literal["relu", "gelu", "tanh", "sigmoid"]
Given = bool | Literal["auto"]  # auto: where the data set has some, which the split finds out
Width = Annotated[int, Field(ge=1, le=65536)]


class Extract(Section):
    max_rejected: Annotated[float, Field(ge=0, le=1)]
    max_members: Count
    max_bytes: Count
    max_pixels: Count
    threads: Annotated[int, Field(ge=0, le=256)]


class Split(Section):
    seed: Seed
    test: Share
    val: Share
    use_given_test: Given
    use_given_val: Given
    near_duplicates: Literal["ignore", "together"]
    stable: bool


class Baseline(Section):
    max_train: Annotated[int, Field(ge=10)]
    seed: Seed


class Model(Section):
    name: Annotated[str, AfterValidator(network_name)]
    weights: Annotated[str, Field(min_length=1)] | None
    input_size: ImageSize | None  # None, as in models of earlier versions: all of the image
    layers: Annotated[str, Field(pattern=r"^[1-9]\d{0,4}P?(-[1-9]\d{0,4}P?)*$")]
    kernel: Annotated[int, Field(ge=1, le=15)]
    batch_norm: bool
    activation: Activation
    pooling: Literal["max", "mean", "flatten"]
    hidden: list[Width]
    hidden_activation: Activation
    dropout: Annotated[float, Field(ge=0, lt=1)]
    init: Literal["default", "kaiming", "xavier"]

    @property
    def own(self) -> bool:
        """Whether a user's function, `own.module:function`, builds the network."""
        return ":" in self.name

    @property
    def timm(self) -> bool:
        """Whether it is a network of timm, `timm/NAME`."""
        return self.name.startswith("timm/")

    def seen(self, shape: tuple[int, int, int]) -> tuple[int, int, int]:
        """The height, width and channels that the network sees of a stored image of this shape."""
        return shape if self.input_size is None else (*sides(self.input_size), shape[2])

    @field_validator("layers", mode="before")
    @classmethod
    def _single(cls, layers: Any) -> Any:
        # `-S model.layers=64` arrives as a number.
        return str(layers) if isinstance(layers, int) and not isinstance(layers, bool) else layers

    @model_validator(mode="after")
    def _odd(self) -> "Model":
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel is {self.kernel}, but must be odd, so that the image keeps its size")
        return self

    @model_validator(mode="after")
    def _weights(self) -> "Model":
        if (self.own or self.name in ("cnn", "mlp")) and self.weights is not None:
            raise ValueError(
                f"weights are {self.weights!r}, but must be null where name is {self.name}: only networks of "
                "torchvision and timm have weights to start from"
            )
        return self


class Train(Section):
    seed: Seed
    fraction: Annotated[float, Field(gt=0, le=1)]
    epochs: Count
    batch_size: Count
    accumulate: Count | Literal["auto"]  # auto: as few as the memory allows, which the training finds out
    optimizer: Literal["sgd", "adam", "adamw"]
    lr: Annotated[float, Field(gt=0, le=1000)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    nesterov: bool
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    l1: NotNegative
    max_norm: Positive | None
    clip: Positive | None
    schedule: Literal["constant", "linear", "cosine", "onecycle", "multistep", "plateau"]
    warmup: Annotated[float, Field(ge=0, lt=1)]
    milestones: list[Share]
    gamma: Share
    plateau_epochs: Count
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    class_weights: bool
    balanced: bool
    mixup: NotNegative
    cutmix: NotNegative
    ema: Annotated[float, Field(ge=0, lt=1)]
    monitor: Literal["val_accuracy", "val_loss", "val_macro_f1", "val_balanced_accuracy", "val_auc", "val_kappa"]
    patience: Count | None
    freeze_epochs: Annotated[int, Field(ge=0)]
    unfreeze_lr_factor: Annotated[float, Field(gt=0, le=1)]
    freeze_statistics: bool
    keep_epochs: bool
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda|cuda:\d+|mps)$")]
    devices: Annotated[int, Field(ge=1, le=1024)]
    num_nodes: Annotated[int, Field(ge=1, le=1024)]
    strategy: Literal["auto", "ddp"]
    precision: Literal["auto", "32", "bf16-mixed", "16-mixed"]
    compile: bool
    memory_share: Annotated[float, Field(ge=0, le=1)]
    threads: Annotated[int, Field(ge=0, le=1024)]
    portable: bool

    @property
    def parts(self) -> int:
        """`accumulate`; 1 for an `auto` that no training has replaced."""
        return 1 if self.accumulate == "auto" else self.accumulate

    @property
    def at_a_time(self) -> int:
        """The number of images that are worked on at a time, by all processes together."""
        return math.ceil(self.batch_size / self.parts)

    @field_validator("precision", mode="before")
    @classmethod
    def _text(cls, precision: Any) -> Any:
        # `-S train.precision=32` arrives as a number.
        return str(precision) if isinstance(precision, int) and not isinstance(precision, bool) else precision

    @model_validator(mode="after")
    def _together(self) -> "Train":
        if self.parts > self.batch_size:
            raise ValueError(f"accumulate is {self.accumulate}, but a batch has only {self.batch_size} images")
        if self.portable and (self.precision not in ("auto", "32") or self.devices * self.num_nodes > 1):
            raise ValueError("portable is true, but then precision must be 32 or auto, devices and num_nodes 1")
        return self


class Tta(Section):
    copies: Annotated[int, Field(ge=0, le=1000)]
    changes: list[Augmentation] | None


class Evaluate(Section):
    batch_size: Count
    tta: Tta


class Errors(Section):
    worst: Annotated[int, Field(ge=1, le=400)]
    pairs: Annotated[int, Field(ge=1, le=30)]
    per_pair: Annotated[int, Field(ge=1, le=30)]
    explained: Annotated[int, Field(ge=1, le=100)]
    suspects: Annotated[int, Field(ge=1, le=400)]
    train_folds: Annotated[int, Field(ge=0, le=100)]

    @field_validator("train_folds")
    @classmethod
    def _several(cls, folds: int) -> int:
        if folds == 1:
            raise ValueError("must be 0 or at least 2: one part cannot be held out and trained on")
        return folds


class Inside(Section):
    layer: Annotated[str, Field(min_length=1)] | None
    maps: Annotated[list[str], Field(min_length=1, max_length=8)] | None
    max_images: Annotated[int, Field(ge=10)]
    seed: Seed


class Tracking(Section):
    enabled: bool
    experiment: Annotated[str, Field(min_length=1)] | None
    register_as: Annotated[str, Field(pattern=r"^[\w .-]*\w$", max_length=200)] | None
    steps: Annotated[int, Field(ge=1)] | None


class Params(Section):
    """All of `params.yaml`, with every `auto` replaced."""

    dataset: str
    fetch: Fetch
    extract: Extract
    split: Split
    baseline: Baseline
    model: Model
    augment: list[Augmentation]
    train: Train
    evaluate: Evaluate
    errors: Errors
    inside: Inside
    tracking: Tracking

    @property
    def archive(self) -> str | None:
        """The archive that the user names instead of the chosen entry's own source."""
        return self.fetch.archive.get(self.dataset)


def load(params: Path = PARAMS, datasets: Path = DATASETS, *, images: int | None = None) -> tuple[Params, Entry]:
    """Read the parameters and the catalogue entry that they name.

    `images` is the number of training images: with it, an automatic batch size and number of epochs suit a small data
    set. Raises UserError, one sentence that names the key, for the first mistake in either file.
    """
    content = read_yaml(params)
    dataset: Any = content.get("dataset")
    check_name(dataset)
    entry = catalogue.load(dataset, datasets)
    check_entries(content, dataset, lambda: map(str, read_yaml(datasets)))
    return replaced(content, entry, params, datasets, images=images), entry


def replaced(
    content: dict[str, Any],
    entry: Entry,
    params: Path = PARAMS,
    datasets: Path = DATASETS,
    *,
    images: int | None = None,
) -> Params:
    """The parameters that `content`, the YAML of `params`, means for its `dataset`, with every `auto` replaced.

    `content` is changed. Raises UserError as `load` does.
    """
    dataset = content["dataset"]
    from_recipe, by_rule = auto.replace(content, entry, f"{datasets}: {dataset}")

    def name(key: str) -> str:
        is_recipes = any(key == recipe or key.startswith(recipe + ".") for recipe in from_recipe)
        return f"{datasets}: {dataset}.recipe.{key}" if is_recipes else f"{params}: {key}"

    # 1. Check each value, then those that depend on one another.
    may_be_auto = auto.rules(entry).keys() - from_recipe
    checked = check(Params, content, name=name, may_be_auto=may_be_auto, usual=ADDED_KEYS)
    layers = checked.model.layers if checked.model.name == "cnn" else ""
    check_seen(checked.model.seen(entry.shape), entry.shape, layers, dataset, name)
    if checked.train.freeze_statistics and checked.model.weights is None:
        raise UserError(
            f"{name('train.freeze_statistics')} is true, but model.weights is null: a network with random weights has "
            "no statistics to keep"
        )
    # 2. Adapt what was `auto` to optimiser and number of images.
    length = auto_training.adapted(checked.train, by_rule, images, pretrained=checked.model.weights is not None)
    train = checked.train.model_copy(update=length)
    if train.freeze_epochs > train.epochs:
        raise UserError(
            f"{name('train.freeze_epochs')} is {train.freeze_epochs}, but must be at most train.epochs, which is "
            f"{train.epochs}"
        )
    return checked.model_copy(update={"train": train})
