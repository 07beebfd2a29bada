"""The pictures of the mistakes and of the suspected labels, one file each."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from darkroom.analysis import gradcam, mistakes, suspects
from darkroom.analysis.doubts import Data, Doubts
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.params import Errors
from darkroom.drawing import galleries, style

NONE = "no mistakes"
COLUMNS = 8


def write(folder: Path, settings: Errors, data: Data, doubts: Doubts, classifier: TrainedNetwork) -> str | None:
    """Write all pictures to `folder`; return the layer that Grad-CAM explains, None where the network has none."""
    # 1. The worst mistakes, and the most confused pairs.
    _worst(folder, settings, data, doubts)
    # 2. The suspected labels.
    first = doubts.suspects.head(settings.suspects)
    title = f"The {len(first)} worst of {len(doubts.suspects):,} suspected labels (label → suggestion, split, quality)"
    rows = first["row"].to_numpy(np.int64)
    style.save(
        galleries.grid(data.images[rows], suspects.captions(first), columns=COLUMNS, title=title)
        if len(first)
        else galleries.placeholder("Suspected labels", "no suspects"),
        folder / "suspects.png",
    )
    # 3. The explanations of the worst mistakes: nearest training images, and Grad-CAM.
    shown = doubts.mistakes.head(settings.explained)
    layer = gradcam.last_feature_map(classifier.network, classifier.shape)
    _beside_neighbours(folder, shown, data, doubts)
    if layer:
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
    rows = galleries.by_group(data.images, chosen, columns=settings.per_pair, title=title)
    style.save(rows, folder / "pairs.png")


def _beside_neighbours(folder: Path, shown: pd.DataFrame, data: Data, doubts: Doubts) -> None:
    title = (
        f"The {len(shown)} worst mistakes, test split, and their nearest training images\n"
        "by what the last layer sees (red: predicted class, blue: true)"
    )
    found = doubts.nearest.rows[: len(shown)]
    names = [[data.classes[data.labels[row]] for row in of if row >= 0] for of in found]
    figure = galleries.neighbours(data.images, shown, found, names, title) if len(shown) else _none(title)
    style.save(figure, folder / "neighbours.png")


def _with_evidence(folder: Path, shown: pd.DataFrame, data: Data, classifier: TrainedNetwork, layer: str) -> None:
    title = f"The {len(shown)} worst mistakes, test split, and where the evidence lies (Grad-CAM)"
    if not len(shown):
        figure = _none(title)
    else:
        images = data.images[shown["row"].to_numpy(np.int64)]
        number_of = {name: number for number, name in enumerate(data.classes)}
        predicted, true = (
            gradcam.heat_maps(classifier, layer, images, np.array([number_of[name] for name in shown[column]]))
            for column in ("predicted", "true")
        )
        figure = galleries.with_heat_maps(data.images, shown, predicted, true, title)
    style.save(figure, folder / "gradcam.png")


def _none(title: str) -> Figure:
    return galleries.placeholder(title, NONE)
