"""All results of the stage `inside`, put together from the measurements in `layers` and `familiarity_fit`."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.analysis import familiarity_fit, layers
from darkroom.analysis.layers import Dead
from darkroom.classifier.familiarity import Familiarity
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Inside
from darkroom.config.stage_files import DeadChannels, InsideFigures, NeighbourAccuracy
from darkroom.dataset.packed import Images, Labels, Rows, chunks, labels_of, sample

CLASSES_SHOWN = 10  # classes that show one image with its activation maps
MAPS_SHOWN = 8  # activation maps of each layer
POINTS = 2000  # images on the map of the features
NamedWeights = tuple[str, NDArray[np.float32]]  # a layer and its weights

NO_FILTERS = "no convolution and no fully connected layer of the network sees the image itself"
NO_KERNELS = "the network has no convolution after its first layer with kernels above 1x1"
NO_MAPS = "no activation layer of the network keeps places of the picture apart: they give vectors, or mix the places"
NO_DEAD = (
    "no activation layer of the network is flat or nearly so below zero, as ReLU, GELU and SiLU are: no channel can be "
    "dead or idle"
)


@dataclass(frozen=True)
class Data:
    """The packed data set, the rows of train and val, and the model's predictions for test."""

    images: Images
    index: pd.DataFrame
    classes: list[str]
    train: Rows
    val: Rows
    tested: pd.DataFrame  # row, label, predicted


@dataclass(frozen=True)
class FeatureMap:
    """Places (x, y) of the classes and of some test images, from the inputs of the last layer."""

    centres: NDArray[np.float64]
    places: NDArray[np.float64]
    shown: pd.DataFrame  # the predictions for these images
    of: int  # number of all test images


@dataclass(frozen=True)
class Findings:
    """All findings; what a network does not have is None or empty."""

    filters: NamedWeights | None
    kernels: NamedWeights | None
    shown: pd.DataFrame  # predictions for the images whose activation maps are shown
    maps: dict[str, NDArray[np.float32]]  # by layer: images x maps x height x width
    dead: dict[str, Dead]
    idle: dict[str, Dead]
    feature_map: FeatureMap | None
    accuracies: tuple[float, float]  # on the test images: of the nearest neighbours, of the network
    compared: tuple[int, int]  # numbers of training and test images behind the accuracies

    @property
    def left_out(self) -> dict[str, str]:
        """Why a picture is not drawn, by its name."""
        missing = {
            "filters.png": (self.filters, NO_FILTERS),
            "kernels.png": (self.kernels, NO_KERNELS),
            "activations.png": (self.maps, NO_MAPS),
            "dead.png": (self.dead or self.idle, NO_DEAD),
        }
        return {name: why for name, (found, why) in missing.items() if not found}

    def figures(self) -> InsideFigures:
        """The content of metrics/inside.json."""
        neighbours, head = (round(value, 4) for value in self.accuracies)
        return InsideFigures(
            split="test",
            reference_images=self.compared[0],
            test_images=self.compared[1],
            accuracy=NeighbourAccuracy(nearest_neighbours=neighbours, head=head),
            dead_channels=_shares(self.dead),
            idle_channels=_shares(self.idle),
            left_out=self.left_out,
        )


def _shares(found: dict[str, Dead]) -> dict[str, DeadChannels]:
    return {
        name: DeadChannels(channels=channels, dead=dead, share=round(dead / channels, 4))
        for name, (channels, dead) in found.items()
    }


def find(classifier: TrainedNetwork, data: Data, settings: Inside) -> Findings:
    """Look at filters, kernels, activation maps, dead and idle channels, and features.

    Raises UserError for a layer of the settings that the network does not have.
    """
    # 1. The chosen layers: a wrong name must fail before the long work.
    kernels = layers.convolution_kernels(classifier.network, settings.layer)
    map_layers = layers.choose_map_layers(classifier, settings.maps)
    # 2. The features of some training images (reference) and test images (queries).
    reference = sample(data.train, settings.max_images, settings.seed)
    queries = sample(data.tested["row"].to_numpy(), settings.max_images, settings.seed)
    asked = data.tested[data.tested["row"].isin(queries)]
    known, seen = (
        np.concatenate([classifier.features(part) for _, part in chunks(data.images, rows)])
        for rows in (reference, queries)
    )
    labels, truth = labels_of(data.index, reference), labels_of(data.index, queries)
    by_neighbours = layers.neighbour_accuracy(known, labels, seen, truth)
    # 3. The layers themselves.
    shown = asked.drop_duplicates("label").sort_values("label").head(CLASSES_SHOWN)
    pictures = data.images[shown["row"].to_numpy()]
    maps = layers.strongest_maps(classifier, pictures, map_layers, MAPS_SHOWN) if map_layers else {}
    return Findings(
        filters=layers.first_filters(classifier),
        kernels=kernels,
        shown=shown,
        maps=maps,
        dead=layers.dead_channels(classifier, data.images, data.val),
        idle=layers.idle_channels(classifier, data.images, data.val),
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
    """The map of some queries (features, predictions); `reference` (features, labels) gives the class means."""
    features, asked = queries
    if not features.shape[1] or len(data.classes) < 2:
        return None
    rows = sample(np.arange(len(features)), POINTS, seed)
    means = layers.class_means(*reference, len(data.classes))
    centres, places = layers.project_to_plane(features[rows], means)
    return FeatureMap(centres, places, asked.iloc[rows], len(data.tested))


def familiarity(classifier: TrainedNetwork, data: Data, facts: ModelFacts, settings: Inside) -> Familiarity:
    """What training images look like: to the layers, in aspect and colour, and in the extent of the foreground."""
    by_layer = familiarity_fit.fit(classifier, data.images, data.train, labels_of(data.index, data.train), data.val)
    files = data.index.iloc[data.train]
    low, high = np.quantile(files["width"].to_numpy(float) / files["height"].to_numpy(float), [0.005, 0.995])
    grey = float((files["channels"].to_numpy(float) <= 2).mean()) > 0.5
    reference = sample(data.train, settings.max_images, settings.seed)
    extent = familiarity_fit.foreground_extent(data.images, reference, facts.border)
    return Familiarity(by_layer, (float(low), float(high)), grey, extent)
