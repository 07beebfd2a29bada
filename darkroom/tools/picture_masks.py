"""Masks beside pictures: of the same names in a folder of their own, or with `_mask` at the end of their names."""

import posixpath
import re
from dataclasses import dataclass

from darkroom.tools.subset_folders import NOISE, words
from darkroom.tools.survey_archive import Names

MASKS = frozenset(
    {"mask", "masks", "gt", "ground", "truth", "groundtruth", "trimap", "trimaps", "segmentation", "segmentations",
     "annotation", "annotations", "matte", "mattes", "contour", "contours", "saliency", "heatmap", "heatmaps"}
)  # fmt: skip
MASK_NAME = re.compile(r"(.+?)[ _.-]*(?:mask|gt|seg|segmentation|groundtruth|ground_truth|matte)(?:[ _.-]*\d+)?", re.I)
# The same as a form of the catalogue: a name that does not end so.
NO_MASK = r"{name:(?i:(?!.*[ _.-](mask|gt|seg|segmentation|groundtruth|ground_truth|matte)([ _.-]*\d+)?\.[^.]+$)[^/]*)}"
MOST = 0.6  # of the pictures of a folder of masks have a picture of their name elsewhere


@dataclass(frozen=True)
class Masks:
    """Folders (places in `Names.folders`) of masks alone, and those in which masks lie among the pictures."""

    folders: frozenset[int]
    among: dict[int, int]  # number of masks by folder


def find_masks(pictures: Names) -> Masks:
    """The masks among the pictures of an archive."""
    told = [place for place, folder in enumerate(pictures.folders) if _says_masks(folder)]
    stems: set[str] = set()
    if told:
        told_set = set(told)
        for place in range(len(pictures.folders)):
            if place not in told_set:
                stems.update(_stem(name) for name in pictures.names(place))
    known = set(pictures.folders)
    folders = set()
    for place in told:
        names = pictures.names(place)
        found = sum(_bare(_stem(name)) in stems or _stem(name) in stems for name in names)
        if found >= MOST * len(names) and _has_counterpart(pictures.folders[place], known):
            folders.add(place)
    among = {}
    for place in set(range(len(pictures.folders))) - folders:
        names = pictures.names(place)
        ends = [name for name in names if MASK_NAME.fullmatch(_stem(name))]
        if ends:
            own = {_stem(name) for name in names}
            if sum(_bare(_stem(name)) in own for name in ends) >= MOST * len(ends):
                among[place] = len(ends)
    return Masks(frozenset(folders), among)


def _says_masks(folder: str) -> bool:
    return any(MASKS.intersection(words(part)) for part in folder.split("/"))


def _has_counterpart(folder: str, known: set[str]) -> bool:
    """Whether a folder's name says masks and nothing else, or what it says else is the name of a folder of pictures."""
    names = {word for one in known for part in one.split("/") for word in ["".join(words(part))]}
    for part in folder.split("/"):
        own = words(part)
        if MASKS.intersection(own):
            rest = [word for word in own if word not in MASKS]
            return not rest or set(rest) <= NOISE or "".join(rest) in names
    return False


def _bare(stem: str) -> str:
    found = MASK_NAME.fullmatch(stem)
    return found[1] if found else stem


def _stem(name: str) -> str:
    return posixpath.splitext(name)[0]
