"""The pictures of the mistakes and of the suspected labels, one file each."""

from pathlib import Path

import numpy as np
import pandas as pd

from darkroom.analysis import gradcam, mistakes, suspects
from darkroom.analysis.doubts import Data, Doubts
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.params import Errors
from darkroom.drawing import galleries, style

NONE = "no mistakes"
COLUMNS = 8


def write(folder: Path, settings: Errors, data: Data, doubts: Doubts, classifier: TrainedNetwork) -> str | None:
    """Write all pictures to `folder`, and none for what there is nothing of: without mistakes, `worst.png` says so.

    Return the layer that Grad-CAM explains, None where the network has none.
    """
    # 1. The worst mistakes, and the most confused pairs.
    _worst(folder, settings, data, doubts)
    # 2. The suspected labels.
    first = doubts.suspects.head(settings.suspects)
    title = f"The {len(first)} worst of {len(doubts.suspects):,} suspected labels (label → suggestion, split, quality)"
    rows = first["row"].to_numpy(np.int64)
    if len(first):
        sheet = galleries.grid(data.images[rows], suspects.captions(first), columns=COLUMNS, title=title)
        style.save(sheet, folder / "suspects.png")
    # 3. The explanations of the worst mistakes: nearest training images, and Grad-CAM.
    shown = doubts.mistakes.head(settings.explained)
    layer = gradcam.last_feature_map(classifier.network, classifier.shape)
    if len(shown):
        _beside_neighbours(folder, shown, data, doubts)
    if layer and len(shown):
        _with_evidence(folder, shown, data, classifier, layer)
    return layer


def _worst(folder: Path, settings: Errors, data: Data, doubts: Doubts) -> None:
    """The worst mistakes, and those of the most confused pairs of classes."""
    worst = doubts.mistakes.head(settings.worst)
    title = f"The {len(worst)} worst of {len(doubts.mistakes)} mistakes, test split (true → predicted, confidence)"
    style.save(
        galleries.grid(data.images[worst["row"]], mistakes.captions(worst), columns=COLUMNS, title=title)
        if len(worst)
        else galleries.placeholder("The worst mistakes, test split", NONE),
        folder / "worst.png",
    )
    chosen = mistakes.by_pair(doubts.mistakes, doubts.pairs.head(settings.pairs), settings.per_pair)
    title = "Most confused pairs of classes, test split, worst first"
    if chosen:
        rows = galleries.by_group(data.images, chosen, columns=settings.per_pair, title=title)
        style.save(rows, folder / "pairs.png")


def _beside_neighbours(folder: Path, shown: pd.DataFrame, data: Data, doubts: Doubts) -> None:
    title = (
        f"The {len(shown)} worst mistakes, test split, and their nearest training images\n"
        "by what the last layer sees, each with its label"
    )
    found = doubts.nearest.rows[: len(shown)]
    names = [[data.classes[data.labels[row]] for row in of if row >= 0] for of in found]
    style.save(galleries.neighbours(data.images, shown, found, names, title), folder / "neighbours.png")


def _with_evidence(folder: Path, shown: pd.DataFrame, data: Data, classifier: TrainedNetwork, layer: str) -> None:
    title = f"The {len(shown)} worst mistakes, test split, and where the evidence lies (Grad-CAM)"
    images = data.images[shown["row"].to_numpy(np.int64)]
    number_of = {name: number for number, name in enumerate(data.classes)}
    predicted, true = (
        gradcam.heat_maps(classifier, layer, images, np.array([number_of[name] for name in shown[column]]))
        for column in ("predicted", "true")
    )
    style.save(galleries.with_heat_maps(data.images, shown, predicted, true, title), folder / "gradcam.png")
