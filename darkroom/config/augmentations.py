"""What may stand in a list of image changes (`augment`, `evaluate.tta.changes`): names, settings, ranges."""

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
    """Move by whole pixels, up to this many along each axis."""

    pixels: Pixels


class Crop(Section):
    """Pad each side, then cut a window of the old size out of it at a random place."""

    padding: Pixels
    fill: Literal["background", "edge", "reflect"] = "reflect"


class Flip(Section):
    """Mirror; `alternate` starts at random for each image and then turns it over in every other epoch."""

    axis: Literal["horizontal", "vertical"] = "horizontal"
    probability: Probability = 0.5
    alternate: bool = False


class Turn(Section):
    """Turn by 0, 90, 180 or 270 degrees, without interpolation; square images only."""


class Rotate(Section):
    """Rotate by an angle from -degrees to degrees."""

    degrees: Annotated[float, Field(gt=0, le=180)]


class Affine(Section):
    """Rotation, scaling, shearing (degrees) and moving (share of the side) in one interpolation."""

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


class Blur(Section):
    """Gaussian blur with a deviation from the range `sigma`, in pixels."""

    sigma: Annotated[list[Annotated[float, Field(gt=0, le=32)]], Field(min_length=2, max_length=2)] = Field([0.1, 2.0])
    probability: Probability = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> Blur:
        _check_ordered("sigma", self.sigma)
        return self


class Color(Section):
    """Factors from 1 - value to 1 + value; `hue` in turns of the colour circle, up to half a turn each way."""

    brightness: Share = 0.0
    contrast: Share = 0.0
    saturation: Share = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0


class Erase(Section):
    """Cover a rectangle: its share of the area in the range `scale`, its height over its width in the range `ratio`."""

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
    """Set this share of the pixels, at most, to black or white."""

    share: Annotated[float, Field(gt=0, le=1)] = 0.05
    probability: Probability = 1.0


class Apply(Section):
    """The changes, in order, for a part of the images."""

    probability: Probability = 0.5
    changes: Annotated[list[Augmentation], Field(min_length=1)]


class Choose(Section):
    """One of the changes for each image, by weight (all alike where none are given)."""

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
    """A function of your own, `own.module:function`, in the folder own/: (images, draw) -> images."""

    name: Annotated[str, AfterValidator(function_name)]


class Augmentation(Section):
    """One change, by its name."""

    shift: Shift | None = None
    crop: Crop | None = None
    flip: Flip | None = None
    turn: Turn | None = None
    rotate: Rotate | None = None
    affine: Affine | None = None
    perspective: Perspective | None = None
    elastic: Elastic | None = None
    blur: Blur | None = None
    color: Color | None = None
    erase: Erase | None = None
    salt_and_pepper: SaltAndPepper | None = None
    apply: Apply | None = None
    choose: Choose | None = None
    function: Function | None = None

    @model_validator(mode="after")
    def _one(self) -> Augmentation:
        if len(self.model_fields_set) != 1 or self.change is None:
            raise ValueError(f"each item must name exactly one change: {', '.join(type(self).model_fields)}")
        return self

    @property
    def change(self) -> Section | None:
        """The settings of the one change that is named."""
        name = next(iter(self.model_fields_set), None)
        found: Section | None = getattr(self, name) if name else None
        return found


def own_functions(changes: Any) -> Iterator[str]:
    """Names (`own.module:function`) of the user's own functions in a dumped list of changes, nested ones included."""
    for value in changes if isinstance(changes, list) else changes.values():
        if isinstance(value, dict | list):
            yield from own_functions(value)
    if isinstance(changes, dict) and isinstance(changes.get("function"), dict):
        yield changes["function"]["name"]


def _check_ordered(name: str, bounds: list[float]) -> None:
    if bounds[0] > bounds[1]:
        raise ValueError(f"{name} is {bounds}, but the first must not be above the second")


# They were defined before what they hold; until they are built again, `yaml_files.keys` cannot see into them.
Apply.model_rebuild()
Choose.model_rebuild()
