"""The epochs in which the head alone learns: the body sees each view of an image once, not once an epoch."""

import dataclasses
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from darkroom.augment.randomness import seed_of, to_device, whole
from darkroom.augment.views import Views
from darkroom.base.console import bar
from darkroom.base.words import size
from darkroom.network import architectures
from darkroom.network.frozen_features import FrozenBody
from darkroom.training.batches import Batches
from darkroom.training.recipe import Recipe

AT_MOST = 2 * 2**30  # bytes of the features of all views, which lie in memory
AT_ONCE = 256  # images read together
VIEWS = 1  # beside seed and epoch, seeds the choice of views


@dataclass(frozen=True)
class HeadOnly:
    """What a phase of the head alone is trained with: its recipe and, in place of images, features."""

    recipe: Recipe
    train: "FeatureBatches"
    val: "FeatureBatches"

    def start(self, epoch: int) -> None:
        """Draw the view of each training image for this epoch, and let the body see those that it has not seen."""
        self.train.start(epoch, self.recipe.settings.seed)
        self.val.start(None, 0)


class FeatureBatches:
    """One split, as `Batches`, with an image's features (float32, N x 1 x 1 x width) in place of its pixels."""

    def __init__(self, frozen: FrozenBody, images: Batches, views: Views, epochs: int) -> None:
        self.labels, self.device = images.labels, images.device
        self._frozen, self._images, self._views = frozen, images, views
        # Where there are more epochs than views, all views are seen at once: small batches would be filled up.
        self._all = epochs >= views.count
        # On the CPU; the system gives memory when a value is written.
        self._features = torch.zeros(views.count, len(images), frozen.width)
        self._known = torch.zeros(views.count, len(images), dtype=torch.bool)
        self._now = torch.empty(0)

    def __len__(self) -> int:
        return len(self._images)

    def order(self, generator: torch.Generator, *, balance: bool) -> Tensor:
        """Positions for one pass, those of the images."""
        return self._images.order(generator, balance=balance)

    def read(self, parts: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield the features of each part, on the device."""
        for part in parts:
            yield self._now[to_device(part, self.device)][:, None, None]

    def start(self, epoch: int | None, seed: int) -> None:
        """Take a view of each image, drawn for this epoch (None: the first view of all)."""
        places = torch.arange(len(self))
        view = torch.zeros_like(places)
        if epoch is not None:
            generator = torch.Generator().manual_seed(seed_of(seed, epoch, VIEWS))
            view = self._views.drawn(whole(generator, places, torch.device("cpu"), epoch=epoch))
            if self._all:
                self._see(torch.ones_like(self._known).nonzero())
        self._see(torch.stack([view, places], 1))
        self._now = self._features[view, places].to(self.device)

    def _see(self, wanted: Tensor) -> None:
        """Let the body see what it has not seen of these pairs: a view's number and an image's place, int64, N x 2."""
        missing = wanted[~self._known[wanted[:, 0], wanted[:, 1]]]
        if not len(missing):
            return
        parts = torch.split(missing, AT_ONCE)
        stored = self._images.read([part[:, 1] for part in parts])
        with bar(what="features", unit="image", total=len(missing)) as shown:
            for part, images in zip(parts, stored, strict=True):
                numbers = part[:, 0]
                rows = [(numbers == number).nonzero().flatten() for number in sorted(set(numbers.tolist()))]
                seen = [self._views.of(images[to_device(own, self.device)], int(numbers[own[0]])) for own in rows]
                number, place = part[torch.cat(rows)].unbind(1)
                self._features[number, place] = torch.from_numpy(self._frozen(torch.cat(seen)))
                self._known[number, place] = True
                shown.update(len(part))
        self._frozen.keep()


def why_not(recipe: Recipe, images: int) -> str | None:
    """Why the body works on every image in every epoch of a frozen phase; None where once a view is enough."""
    settings, views = recipe.settings, recipe.views
    if recipe.fabric.world_size > 1:
        return "several processes train"
    body = recipe.network.get_submodule("features")
    if any(getattr(module, "track_running_stats", True) is False for module in body.modules()):
        return "its norms take the statistics of a batch, so that an image's features depend on the others"
    if settings.mixup or settings.cutmix:
        return f"train.{'mixup' if settings.mixup else 'cutmix'} blends images"
    if views is None:
        return "augment changes images in more ways than mirrors and quarter turns"
    if _bytes(recipe, images) > AT_MOST:
        return f"the features of {images:,} images in {views.count} views are more than {size(AT_MOST)}"
    return None


def _bytes(recipe: Recipe, images: int) -> int:
    """The features that are in memory at the end of the phase, for an epoch shows one view of each image."""
    views = min(recipe.views.count if recipe.views else 1, recipe.settings.freeze_epochs)
    return views * images * architectures.feature_count(recipe.network) * 4


def in_words(recipe: Recipe, images: int) -> list[str]:
    """How the body is used while the head alone learns, in a line; nothing where there are no such epochs."""
    epochs = recipe.settings.freeze_epochs
    if not epochs:
        return []
    if reason := why_not(recipe, images):
        return [f"features: the body works on every image in each of the {epochs} frozen epochs, for {reason}"]
    assert recipe.views is not None
    count = recipe.views.count
    seen = "once" if count == 1 else f"in {count} views, each at most once"
    taken = size(_bytes(recipe, images))
    return [
        f"features: in the {epochs} epochs of the head alone, the body works on each image {seen}; {taken} of memory"
    ]


def head_only(recipe: Recipe, train: Batches, val: Batches, epochs: int) -> HeadOnly | None:
    """The recipe and features of a phase of `epochs`; None where the body must work on every image in every epoch."""
    views = recipe.views
    if views is None or why_not(recipe, len(train) + len(val)):
        return None
    body, head = (recipe.network.get_submodule(name) for name in ("features", "head"))
    frozen = FrozenBody(body, recipe.mean, recipe.std, views.part, architectures.feature_count(recipe.network))
    network = nn.Sequential(OrderedDict(features=nn.Flatten(), head=head))
    none = torch.zeros_like(recipe.mean[:1])
    own = dataclasses.replace(recipe, network=network, mean=none, std=none + 1, augment=lambda images, draw: images)
    once = Views((), views.part)
    return HeadOnly(own, FeatureBatches(frozen, train, views, epochs), FeatureBatches(frozen, val, once, epochs))
