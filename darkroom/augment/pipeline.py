"""Turns a list of augmentations into one function; `apply` and `choose` hold further augmentations.

An augmentation takes float32 images, N x channels x height x width in channels_last, with values from 0 to 255, and
returns new ones of the same form; N may be 0. It draws values for each image from a `Draw` and from nothing else. It
advances the generator equally for any part of the batch, so that processes that share a batch stay in step.
"""

import dataclasses
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from darkroom.augment import appearance, geometry, policies
from darkroom.augment.randomness import Draw, to_device
from darkroom.base.errors import UserError
from darkroom.config import augmentations, own_code
from darkroom.config.augmentations import Augmentation

Augment = Callable[[Tensor, Draw], Tensor]


def build(
    augmentations: Sequence[Augmentation], background: Tensor, mean: Tensor, part: tuple[int, int] | None = None
) -> Augment:
    """One function that runs all augmentations in order, without gradients; call it outside autocast.

    With `part`, a height and a width, each image ends as a random part of that size: cut out last, so that what comes
    into view by a rotation is the image's own margin.

    `background` and `mean` have one value per channel, 0 to 255, on the images' device. `background` fills what comes
    into view, `mean` what is erased. Raises UserError for a `function` that cannot be loaded; the returned function
    raises it for images that an augmentation cannot work on.
    """
    run = _sequence([_augmentation(item, background, mean) for item in augmentations])

    @torch.no_grad()
    def augment(images: Tensor, draw: Draw) -> Tensor:
        images = run(images, draw)
        return images if part is None else geometry.part(images, draw, part)

    return augment


def _sequence(run: Sequence[Augment]) -> Augment:
    def sequence(images: Tensor, draw: Draw) -> Tensor:
        for augment in run:
            images = augment(images, draw)
        return images

    return sequence


def _augmentation(item: Augmentation, background: Tensor, mean: Tensor) -> Augment:
    match item.settings:
        case augmentations.Shift() as shift:
            return lambda images, draw: geometry.crop(images, draw, shift.pixels, "background", background)
        case augmentations.Crop() as crop:
            return lambda images, draw: geometry.crop(images, draw, crop.padding, crop.fill, background)
        case augmentations.Flip(alternate=True) as flip:
            return alternate(flip.axis)
        case augmentations.Flip() as flip:
            return sometimes(lambda images, draw: geometry.mirror(images, flip.axis), flip.probability)
        case augmentations.Turn():
            return turn
        case augmentations.Rotate() as rotate:
            same = augmentations.Affine(degrees=rotate.degrees)
            return lambda images, draw: geometry.affine(images, draw, same, background)
        case augmentations.Affine() as affine:
            return lambda images, draw: geometry.affine(images, draw, affine, background)
        case augmentations.Perspective() as seen:
            return sometimes(
                lambda images, draw: geometry.perspective(images, draw, seen.distortion, background), seen.probability
            )
        case augmentations.Elastic() as elastic:
            return sometimes(
                lambda images, draw: geometry.elastic(images, draw, elastic.strength, elastic.smoothness, background),
                elastic.probability,
            )
        case augmentations.ResizedCrop() as resized:
            return lambda images, draw: geometry.resized_crop(images, draw, resized)
        case augmentations.Blur(sigma=[low, high]) as blur:
            return sometimes(lambda images, draw: appearance.blur(images, draw, low, high), blur.probability)
        case augmentations.Color() as color:
            return lambda images, draw: appearance.color(images, draw, color)
        case augmentations.Erase() as erase:
            return sometimes(lambda images, draw: appearance.erase(images, draw, erase, mean), erase.probability)
        case augmentations.SaltAndPepper() as salt:
            return sometimes(
                lambda images, draw: appearance.salt_and_pepper(images, draw, salt.share), salt.probability
            )
        case augmentations.TrivialAugment():
            return _by_planes(choose(*policies.options(policies.WIDE, None, background)))
        case augmentations.RandAugment(operations=times, magnitude=magnitude):
            one = choose(*policies.options(policies.RAND_AUGMENT, magnitude, background))
            return _by_planes(_sequence([one] * times))
        case augmentations.Apply() as apply:
            return sometimes(
                _sequence([_augmentation(inner, background, mean) for inner in apply.changes]), apply.probability
            )
        case augmentations.Choose() as chosen:
            options = [_augmentation(inner, background, mean) for inner in chosen.changes]
            return choose(options, chosen.weights or [1.0] * len(options))
        case augmentations.Function(name=name):
            return function(name)
    raise AssertionError(item)


def _by_planes(augment: Augment) -> Augment:
    """Run an augmentation that is faster on images that lie channel after channel in memory on such."""

    def by_planes(images: Tensor, draw: Draw) -> Tensor:
        return augment(images.contiguous(), draw).contiguous(memory_format=torch.channels_last)

    return by_planes


def sometimes(augment: Augment, probability: float) -> Augment:
    """Run the augmentation on each image with this probability; the other images cost nothing."""
    if probability == 1:
        return augment
    return choose([augment], [probability, 1 - probability])


def choose(options: Sequence[Augment], weights: Sequence[float]) -> Augment:
    """Run one of the options on each image, drawn by weight; one weight too many is that of leaving it as it is."""
    bounds = torch.tensor(weights, dtype=torch.float64).cumsum(0)
    bounds = bounds[:-1] / bounds[-1]

    def chosen(images: Tensor, draw: Draw) -> Tensor:
        number = torch.bucketize(_on_cpu(draw).uniform()[0].double(), bounds, right=True)
        return _each(images, draw, number, options)

    return chosen


def alternate(axis: str) -> Augment:
    """Mirror each image in every other epoch, beginning with the first or the second.

    A hash of the image's place in the training set decides which: about half of all images are mirrored in any epoch,
    and two epochs in a row show both sides of each. Jordan 2024, arXiv:2404.00498.
    """

    def flip(images: Tensor, draw: Draw) -> Tensor:
        return _each(images, draw, alternating(draw, axis), [lambda part, _: geometry.mirror(part, axis)])

    return flip


def alternating(draw: Draw, axis: str) -> Tensor:
    """Which images `alternate` leaves as they are (1) and which it mirrors (0): int64 on the CPU."""
    return (_hash(2 * _on_cpu(draw).ours() + (axis == "vertical")) + draw.epoch) % 2


def turn(images: Tensor, draw: Draw) -> Tensor:
    """Turn each image by 0, 90, 180 or 270 degrees, equally likely. Raises UserError if the images are not square."""
    height, width = images.shape[2:]
    if height != width:
        raise UserError(
            f"the change turn takes square images alone, but these are {height} x {width} pixels (height x width): "
            "leave it out, or make the data set's size one number"
        )
    quarters = [_quarters(times) for times in (1, 2, 3)]
    return _each(images, draw, _on_cpu(draw).integers(4)[0], quarters)


def _quarters(times: int) -> Augment:
    return lambda images, _: images.rot90(times, (2, 3))


def function(name: str) -> Augment:
    """The augmentation that calls the user's function `own.module:function` with (images, draw).

    The function has a generator of its own, so it may draw any amount of numbers; it is not called without images.
    Raises UserError if the function does not exist; the augmentation raises it if the function fails, or returns images
    of another form.
    """
    called = own_code.load(name, "images, draw")

    def run(images: Tensor, draw: Draw) -> Tensor:
        seed = int(torch.randint(2**62, (), generator=draw.generator))
        if len(images) == 0:
            return images
        own_draw = dataclasses.replace(draw, generator=torch.Generator().manual_seed(seed))
        with own_code.as_user_error(name, passing=(torch.OutOfMemoryError,)):
            changed = called(images.clone(), own_draw)
        if not isinstance(changed, Tensor) or _form(changed) != _form(images):
            raise UserError(
                f"the function {name} returned {_form(changed)}, but must return images of the form that it was "
                f"given, {_form(images)}"
            )
        return changed.contiguous(memory_format=torch.channels_last)

    return run


def _form(value: object) -> str:
    if not isinstance(value, Tensor):
        return f"a {type(value).__name__}"
    return f"{value.dtype} of shape {tuple(value.shape)} on {value.device}"


def _each(images: Tensor, draw: Draw, number: Tensor, options: Sequence[Augment]) -> Tensor:
    """Run on each image the option with its number (N, on the CPU); a number beyond the options leaves it as it is."""
    changed = images.clone()
    for option, augment in enumerate(options):
        which = (number == option).nonzero().flatten()
        there = to_device(which, images.device)
        changed[there] = augment(images[there], draw.only(which))
    return changed


def _on_cpu(draw: Draw) -> Draw:
    """The draw with its numbers on the CPU, where they decide what runs: to read them from a GPU would wait for it."""
    return dataclasses.replace(draw, device=torch.device("cpu"))


def _hash(numbers: Tensor) -> Tensor:
    """Hash each number to 0 to 2**32 - 1 with the finaliser of MurmurHash3 (Appleby 2011, public domain)."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        numbers = ((numbers ^ (numbers >> shift)) * factor) & 0xFFFFFFFF
    return numbers ^ (numbers >> 16)
