"""The augmentations that params.yaml may list (`augment`, `evaluate.tta.changes`): names, settings, ranges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from darkroom.config.own_names import function_name
from darkroom.config.yaml_files import Section

Probability = Annotated[float, Field(ge=0, le=1)]
Degrees = Annotated[float, Field(ge=0, le=180)]
Share = Annotated[float, Field(ge=0, lt=1)]
Pixels = Annotated[int, Field(ge=1, le=1024)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Shift(Section):
    """Move the image by whole pixels, up to `pixels` along each axis."""

    pixels: Pixels


class Crop(Section):
    """Pad each side, then cut out a window of the old size at a random place."""

    padding: Pixels
    fill: Literal["background", "edge", "reflect"] = "reflect"


class Flip(Section):
    """Mirror the image; with `alternate` in every other epoch, beginning at random for each image."""

    axis: Literal["horizontal", "vertical"] = "horizontal"
    probability: Probability = 0.5
    alternate: bool = False


class Turn(Section):
    """Turn by 0, 90, 180 or 270 degrees, without interpolation; square images only."""


class Rotate(Section):
    """Rotate by an angle from -degrees to degrees."""

    degrees: Annotated[float, Field(gt=0, le=180)]


class Affine(Section):
    """Rotate and shear (degrees), scale, and move (share of the side) in one interpolation."""

    degrees: Degrees = 0.0
    scale: Share = 0.0
    shear: Annotated[float, Field(ge=0, le=60)] = 0.0
    shift: Share = 0.0


class Perspective(Section):
    """Move each corner inwards by up to this share of half the side; beyond two thirds an image could fold over."""

    distortion: Annotated[float, Field(gt=0, le=0.65)] = 0.3
    probability: Probability = 1.0


class Elastic(Section):
    """Bend the image: a random field of displacements up to `strength` pixels, smooth over `smoothness` pixels."""

    strength: Positive = 2.0
    smoothness: Annotated[float, Field(ge=0.5, le=64)] = 4.0
    probability: Probability = 1.0


class ResizedCrop(Section):
    """Cut out a rectangle and make it as large as the image.

    `scale` is the range of its share of the image's area, `ratio` that of its width over its height.
    """

    scale: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2, max_length=2)] = Field([0.08, 1.0])
    ratio: Annotated[list[Positive], Field(min_length=2, max_length=2)] = Field([0.75, 1.333])

    @model_validator(mode="after")
    def _ordered(self) -> ResizedCrop:
        _check_ordered("scale", self.scale)
        _check_ordered("ratio", self.ratio)
        return self


class Blur(Section):
    """Gaussian blur; its standard deviation, in pixels, is from the range `sigma`."""

    sigma: Annotated[list[Annotated[float, Field(gt=0, le=32)]], Field(min_length=2, max_length=2)] = Field([0.1, 2.0])
    probability: Probability = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> Blur:
        _check_ordered("sigma", self.sigma)
        return self


class Color(Section):
    """Factors from 1 - value to 1 + value; `hue` is in turns of the colour circle, half a turn each way at most."""

    brightness: Share = 0.0
    contrast: Share = 0.0
    saturation: Share = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0


class Erase(Section):
    """Cover a rectangle: `scale` is the range of its share of the area, `ratio` that of its height over its width."""

    probability: Probability = 0.5
    scale: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=2, max_length=2)] = Field([0.02, 0.33])
    ratio: Annotated[list[Positive], Field(min_length=2, max_length=2)] = Field([0.3, 3.3])
    fill: Literal["mean", "noise", "black"] = "mean"

    @model_validator(mode="after")
    def _ordered(self) -> Erase:
        _check_ordered("scale", self.scale)
        _check_ordered("ratio", self.ratio)
        return self


class SaltAndPepper(Section):
    """Set at most this share of the pixels to black or white."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.05
    probability: Probability = 1.0


class TrivialAugment(Section):
    """One of 14 operations for each image, at a random strength."""


class RandAugment(Section):
    """As many `operations` one after another, each drawn from 14, all at the same strength of 0 to 30."""

    operations: Annotated[int, Field(ge=1, le=14)] = 2
    magnitude: Annotated[int, Field(ge=0, le=30)] = 9


class Apply(Section):
    """All the augmentations, in order, for a part of the images."""

    probability: Probability = 0.5
    changes: Annotated[list[Augmentation], Field(min_length=1)]


class Choose(Section):
    """One of the augmentations for each image, drawn by weight; without weights all are equally likely."""

    changes: Annotated[list[Augmentation], Field(min_length=2)]
    weights: list[Annotated[float, Field(ge=0, allow_inf_nan=False)]] | None = None

    @model_validator(mode="after")
    def _matching(self) -> Choose:
        if self.weights is not None and (len(self.weights) != len(self.changes) or sum(self.weights) <= 0):
            raise ValueError(
                f"weights are {self.weights}, but must be one number for each of the {len(self.changes)} changes, "
                "and not all zero"
            )
        return self


class Function(Section):
    """A user's function `own.module:function` in the folder own/: (images, draw) -> images."""

    name: Annotated[str, AfterValidator(function_name)]


class Augmentation(Section):
    """One augmentation: exactly one of these fields is set."""

    shift: Shift | None = None
    crop: Crop | None = None
    flip: Flip | None = None
    turn: Turn | None = None
    rotate: Rotate | None = None
    affine: Affine | None = None
    perspective: Perspective | None = None
    elastic: Elastic | None = None
    resized_crop: ResizedCrop | None = None
    blur: Blur | None = None
    color: Color | None = None
    erase: Erase | None = None
    salt_and_pepper: SaltAndPepper | None = None
    trivial_augment: TrivialAugment | None = None
    rand_augment: RandAugment | None = None
    apply: Apply | None = None
    choose: Choose | None = None
    function: Function | None = None

    @model_validator(mode="after")
    def _one(self) -> Augmentation:
        if len(self.model_fields_set) != 1 or self.settings is None:
            raise ValueError(f"each item must name exactly one change: {', '.join(type(self).model_fields)}")
        return self

    @property
    def settings(self) -> Section | None:
        """The field that is set; None if there is none."""
        name = next(iter(self.model_fields_set), None)
        settings: Section | None = getattr(self, name) if name else None
        return settings


def own_functions(dumped: Any) -> Iterator[str]:
    """Names (`own.module:function`) of the user's functions in a dumped list of augmentations, nested ones included."""
    for value in dumped if isinstance(dumped, list) else dumped.values():
        if isinstance(value, dict | list):
            yield from own_functions(value)
    if isinstance(dumped, dict) and isinstance(dumped.get("function"), dict):
        yield dumped["function"]["name"]


def _check_ordered(name: str, bounds: list[float]) -> None:
    if bounds[0] > bounds[1]:
        raise ValueError(f"{name} is {bounds}, but the first must not be above the second")


# Both hold Augmentation, which is defined after them: rebuilt, they let `yaml_files.keys` see into it.
Apply.model_rebuild()
Choose.model_rebuild()
