"""Divides images by class: exactly where they are tied to no other, else as near to the shares as whole units allow."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from darkroom.dataset.packed import SPLITS, Labels, SplitName

# Splits that are taken one after the other, each with its share of the images that are left; what remains is train.
Steps = Mapping[SplitName, float]
LEAST_WANTED = 1e-9  # images; keeps a division by a tiny share finite
MANY = 16  # units that are alike; as many are placed together

Sides = NDArray[np.int64]


def shares(steps: Steps) -> dict[SplitName, float]:
    """The share of each split that is not given, train first; they sum to 1."""
    found: dict[SplitName, float] = {}
    left = 1.0
    for name, share in steps.items():
        found[name] = left * share
        left *= 1 - share
    every: dict[SplitName, float] = {"train": left, **found}
    return {name: every[name] for name in SPLITS if name in every}


def divide(
    labels: Labels, units: NDArray[np.int64], pixels: NDArray[np.int64], steps: Steps, seed: int
) -> tuple[NDArray[np.object_], bool]:
    """The split of each image (N), whole units on one side, and whether each class has its shares to within one image.

    `units` and `pixels` have one number an image; a unit is all images that are tied, the same pixels are in one unit.
    """
    units, first = _renumbered(units)
    names, wanted = np.array(list(shares(steps)), object), list(shares(steps).values())
    if np.count_nonzero(np.bincount(pixels)) > len(first):
        return names[by_need(units, labels, wanted, seed, len(names))], False
    # Each unit is one picture, whatever its copies: it counts once, with the label of the first.
    labels = labels[first]
    sides = np.empty(len(first), object)
    # A class is large enough for the exact method if no split would get less than one picture of it.
    enough = max(2, math.ceil(round(1 / max(min(wanted), 1e-12), 6)))
    small = np.bincount(labels)[labels] < enough
    found = sides[:0] if small.all() else exact(labels[~small], steps, seed)
    if found is None:
        small[:] = True
    else:
        sides[~small] = found
    if small.any():
        sides[small] = names[by_need(np.arange(small.sum()), labels[small], wanted, seed, len(names))]
    return sides[units], not small.any()


def _renumbered(units: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The units (N) numbered from 0 in order of first appearance, and the place of each one's first image."""
    numbers, _ = pd.factorize(units)
    return numbers, np.flatnonzero(~pd.Series(numbers).duplicated())


def exact(labels: Labels, steps: Steps, seed: int) -> NDArray[np.object_] | None:
    """The split of each image (N), every class divided to within one image; None where that is impossible.

    `steps` name the splits that are taken one after the other, each with its share of the images that are left; what
    remains is train.
    """
    left, sides = np.arange(len(labels)), np.full(len(labels), "train", object)
    for name, share in steps.items():
        try:
            left, taken, labels, _ = train_test_split(left, labels, test_size=share, stratify=labels, random_state=seed)
        except ValueError:  # scikit-learn rounds the share up, and a few images leave too little for the rest
            return None
        sides[taken] = name
    return sides


def by_need(units: NDArray[np.int64], labels: Labels, shares: Sequence[float], seed: int, required: int) -> Sides:
    """The side of each image (N), its place in `shares`: whole units, each to the side that needs its classes most.

    `units` number the images' units from 0, `shares` are above 0 and sum to 1. Each class gets at least one unit on
    each of the first `required` sides, if it has as many units and they have no other class. The largest units come
    first, so that small ones can fill what these leave (greedy, as scikit-learn's StratifiedGroupKFold).
    """
    need = Need(units, labels, shares, required)
    # Units that are alike, of one size and one class alone, follow one another, in random order.
    shuffled = np.random.default_rng(seed).permutation(len(need.sizes))
    ordered = shuffled[np.lexsort((need.only_class[shuffled], -need.sizes[shuffled]))]
    kinds = np.stack([need.sizes[ordered], need.only_class[ordered]])
    starts = np.flatnonzero((kinds[:, 1:] != kinds[:, :-1]).any(axis=0)) + 1
    sides = np.full(len(need.sizes), -1)
    for alike in np.split(ordered, starts):
        counts = need.place_most(alike) if len(alike) >= MANY else []
        many = sum(counts)
        sides[alike[:many]] = np.repeat(np.arange(len(counts)), counts)
        for unit in alike[many:].tolist():
            sides[unit] = need.place(unit)
    placed: Sides = sides[units]
    return placed


class Need:
    """How many images of each class each side still needs, while units are placed.

    `sizes` are the images of each unit, `only_class` is its class, -1 for several.
    """

    def __init__(self, units: NDArray[np.int64], labels: Labels, shares: Sequence[float], required: int) -> None:
        # 1. The classes in each unit, and its images of each; those of a unit follow one another.
        classes = int(labels.max(initial=-1)) + 1
        pairs, counts = np.unique(units * classes + labels, return_counts=True)
        of, class_of = np.divmod(pairs, max(1, classes))
        self.sizes = np.bincount(units)
        starts = np.searchsorted(of, np.arange(len(self.sizes) + 1))
        self.only_class = np.where(np.diff(starts) == 1, class_of[starts[:-1]], -1)
        self._starts, self._content = starts.tolist(), list(zip(class_of.tolist(), counts.tolist(), strict=True))
        # 2. The wanted and the needed images of each class on each side, and of all classes.
        wanted = np.outer(np.bincount(labels, minlength=classes), shares)
        self._weight, self._need = (1 / np.maximum(wanted, LEAST_WANTED)).tolist(), wanted.tolist()
        all_wanted = len(units) * np.array(shares)
        self._all_weight, self._all_need = (1 / np.maximum(all_wanted, LEAST_WANTED)).tolist(), all_wanted.tolist()
        # 3. The units of each class that are still to come, and the sides that lack the class.
        self._left = np.bincount(class_of, minlength=classes).tolist()
        self._lacking = [set(range(required)) for _ in range(classes)]
        self._sides = range(len(shares))

    def place(self, unit: int) -> int:
        """Place one unit on the side where the squared distance from the wanted counts, relative to them, grows least.

        A class with no more units than sides that lack it must go to one of these.
        """
        content = self._content[self._starts[unit] : self._starts[unit + 1]]
        allowed: Iterable[int] = self._sides
        for label, _ in content:
            if 0 < self._left[label] <= len(self._lacking[label]):
                allowed = [side for side in allowed if side in self._lacking[label]] or allowed
        size = sum(count for _, count in content)
        best, least = -1, math.inf
        for side in allowed:
            growth = size * (size - 2 * self._all_need[side]) * self._all_weight[side]
            for label, count in content:
                growth += count * (count - 2 * self._need[label][side]) * self._weight[label][side]
            if growth < least:
                best, least = side, growth
        self._note(best, content, 1)
        return best

    def place_most(self, alike: NDArray[np.int64]) -> list[int]:
        """Place most of these units, which are alike, in proportion to the need: how many go to each side.

        Some are left to be placed one by one: the remainders, and one for each side that lacks the class.
        """
        label = int(self.only_class[alike[0]])
        if label < 0:
            return []
        need = [max(0.0, need) for need in self._need[label]]
        count = (len(alike) - len(self._lacking[label])) / max(sum(need), LEAST_WANTED)
        counts = [int(count * need) for need in need]
        for side, units in enumerate(counts):
            if units:
                self._note(side, [(label, int(self.sizes[alike[0]]))], units)
        return counts

    def _note(self, side: int, content: list[tuple[int, int]], units: int) -> None:
        """Note that so many units with this content are on a side."""
        for label, count in content:
            self._need[label][side] -= count * units
            self._all_need[side] -= count * units
            self._left[label] -= units
            self._lacking[label].discard(side)
