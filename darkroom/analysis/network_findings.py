"""What the stage `inside` finds in a trained network, put together from the measurements of its layers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.analysis import familiarity_fit, inside
from darkroom.analysis.inside import Dead
from darkroom.classifier.familiarity import Familiarity
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.params import Inside
from darkroom.config.stage_files import DeadChannels, InsideFigures, ModelFacts, NeighbourAccuracy
from darkroom.dataset.packed import Images, Labels, Rows, chunks, labels_of, sample

CLASSES_SHOWN = 10  # of which an image each is shown with its activation maps
MAPS_SHOWN = 8  # of each layer
POINTS = 2000  # images on the map of the features
Named = tuple[str, NDArray[np.float32]]  # a layer and its weights

NO_FILTERS = "no convolution and no fully connected layer of the network sees the image itself"
NO_KERNELS = "the network has no convolution after its first layer with kernels above 1x1"
NO_MAPS = "no activation of the network gives maps with the channels first"
NO_DEAD = "no activation of the network is one-sided with the channels first"


@dataclass(frozen=True)
class Data:
    """The packed data set, the rows of two splits, and the model's predictions for the third."""

    images: Images
    index: pd.DataFrame
    classes: list[str]
    train: Rows
    val: Rows
    tested: pd.DataFrame  # row, label, predicted


@dataclass(frozen=True)
class FeatureMap:
    """Images on a plane, by what the last layer sees: places (x, y) of the classes and of the images."""

    centres: NDArray[np.float64]
    places: NDArray[np.float64]
    shown: pd.DataFrame  # the predictions for these images
    of: int  # test images in all


@dataclass(frozen=True)
class Findings:
    """What was found; what a network does not have is None or empty."""

    filters: Named | None
    kernels: Named | None
    shown: pd.DataFrame  # predictions for the images whose activation maps are shown
    maps: dict[str, NDArray[np.float32]]  # by layer: images x maps x height x width
    dead: dict[str, Dead]
    feature_map: FeatureMap | None
    accuracies: tuple[float, float]  # of the nearest neighbours, and of the network's head
    compared: tuple[int, int]  # training images, test images

    @property
    def left_out(self) -> dict[str, str]:
        """Why a picture is not drawn, by its name."""
        missing = {
            "filters.png": (self.filters, NO_FILTERS),
            "kernels.png": (self.kernels, NO_KERNELS),
            "activations.png": (self.maps, NO_MAPS),
            "dead.png": (self.dead, NO_DEAD),
        }
        return {name: why for name, (found, why) in missing.items() if not found}

    def figures(self) -> InsideFigures:
        """In numbers."""
        neighbours, head = (round(value, 4) for value in self.accuracies)
        return InsideFigures(
            split="test",
            reference_images=self.compared[0],
            test_images=self.compared[1],
            accuracy=NeighbourAccuracy(nearest_neighbours=neighbours, head=head),
            dead_channels={
                name: DeadChannels(channels=channels, dead=dead, share=round(dead / channels, 4))
                for name, (channels, dead) in self.dead.items()
            },
            left_out=self.left_out,
        )


def find(classifier: TrainedNetwork, data: Data, settings: Inside) -> Findings:
    """Look at filters, kernels, activation maps, dead channels and features.

    Raises UserError for a layer of the settings that the network does not have.
    """
    # 1. Wrong names are told before any work.
    kernels = inside.kernels(classifier.network, settings.layer)
    map_layers = inside.map_layers(classifier, settings.maps)
    # 2. The features of some training and test images.
    reference = sample(data.train, settings.max_images, settings.seed)
    queries = sample(data.tested["row"].to_numpy(), settings.max_images, settings.seed)
    asked = data.tested[data.tested["row"].isin(queries)]
    known, seen = (
        np.concatenate([classifier.features(part) for _, part in chunks(data.images, rows)])
        for rows in (reference, queries)
    )
    labels, truth = labels_of(data.index, reference), labels_of(data.index, queries)
    by_neighbours = inside.neighbour_accuracy(known, labels, seen, truth)
    # 3. Layer by layer.
    shown = asked.drop_duplicates("label").sort_values("label").head(CLASSES_SHOWN)
    pictures = data.images[shown["row"].to_numpy()]
    maps = inside.strongest_maps(classifier, pictures, map_layers, MAPS_SHOWN) if map_layers else {}
    return Findings(
        filters=inside.first_filters(classifier),
        kernels=kernels,
        shown=shown,
        maps=maps,
        dead=inside.dead_channels(classifier, data.images, data.val),
        feature_map=_feature_map((known, labels), (seen, asked), data, settings.seed),
        accuracies=(by_neighbours, float((truth == asked["predicted"].to_numpy()).mean())),
        compared=(len(reference), len(queries)),
    )


def _feature_map(
    reference: tuple[NDArray[np.float32], Labels],
    queries: tuple[NDArray[np.float32], pd.DataFrame],
    data: Data,
    seed: int,
) -> FeatureMap | None:
    """The map of some queries (features, predictions) among the class means of the reference (features, labels)."""
    features, asked = queries
    if not features.shape[1] or len(data.classes) < 2:
        return None
    rows = sample(np.arange(len(features)), POINTS, seed)
    means = inside.class_means(*reference, len(data.classes))
    centres, places = inside.positions(features[rows], means)
    return FeatureMap(centres, places, asked.iloc[rows], len(data.tested))


def familiarity(classifier: TrainedNetwork, data: Data, facts: ModelFacts, settings: Inside) -> Familiarity:
    """What training images look like: to the layers, in form and colour, and in how much of them is not ground."""
    layers = familiarity_fit.fit(classifier, data.images, data.train, labels_of(data.index, data.train), data.val)
    files = data.index.iloc[data.train]
    low, high = np.quantile(files["width"].to_numpy(float) / files["height"].to_numpy(float), [0.005, 0.995])
    grey = float((files["channels"].to_numpy(float) <= 2).mean()) > 0.5
    reference = sample(data.train, settings.max_images, settings.seed)
    extent = familiarity_fit.extent(data.images, reference, facts.border)
    return Familiarity(layers, (float(low), float(high)), grey, extent)
