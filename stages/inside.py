"""Look inside the model: its filters, activations, dead channels and features; learn how training images look to it."""

import numpy as np

from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder
from darkroom.config.params import Params, load
from darkroom.config.stage_files import DeadChannels, InsideFigures, ModelFacts, Neighbourly
from darkroom.config.stage_tables import PREDICTIONS
from darkroom.dataset.packed import chunks, labels_of, load_classes, load_images, load_index, load_split, sample

CLASSES_SHOWN = 10  # rows of the picture of activations
MAPS_SHOWN = 8  # of each layer
MAP_POINTS = 2000


def main() -> None:
    params, _ = load()
    facts = ModelFacts.read(paths.MODEL)
    torch_setup.torch_for_model(facts.train)
    look(params, facts)


def look(params: Params, facts: ModelFacts) -> None:
    """Write figures, pictures, and models/familiarity.safetensors; add the first two to the record of the run."""
    from darkroom.analysis import familiarity_fit, inside
    from darkroom.classifier import familiarity
    from darkroom.classifier.trained_network import TrainedNetwork
    from darkroom.drawing import network_charts, style
    from darkroom.network import devices

    settings = params.inside
    device = devices.place_again(facts.train)
    classifier = TrainedNetwork.load(paths.MODEL.parent, device)
    images, index, classes = load_images(), load_index(), load_classes()
    train, val = load_split("train"), load_split("val")
    predictions = PREDICTIONS.read("row", "split", "label", "predicted")
    tested = predictions[predictions["split"] == "test"]
    # Wrong names are told before any work.
    chosen_kernels = inside.kernels(classifier.network, settings.layer)
    map_layers = inside.map_layers(classifier, settings.maps)
    left_out = {}

    reference = sample(train, settings.max_images, settings.seed)
    queries = sample(tested["row"].to_numpy(), settings.max_images, settings.seed)
    asked = tested[tested["row"].isin(queries)]
    reference_features, query_features = (
        np.concatenate([classifier.features(part) for _, part in chunks(images, rows)]) for rows in (reference, queries)
    )
    reference_labels, truth = labels_of(index, reference), labels_of(index, queries)
    dead = inside.dead_channels(classifier, images, val)
    accuracies = {
        "nearest_neighbours": inside.neighbour_accuracy(reference_features, reference_labels, query_features, truth),
        "head": float((truth == asked["predicted"].to_numpy()).mean()),
    }

    layers = familiarity_fit.fit(classifier, images, train, labels_of(index, train), val)
    files = index.iloc[train]
    low, high = np.quantile(files["width"].to_numpy(float) / files["height"].to_numpy(float), [0.005, 0.995])
    grey = float((files["channels"].to_numpy(float) <= 2).mean()) > 0.5
    extent = familiarity_fit.extent(images, reference, facts.border)
    familiar = familiarity.Familiarity(layers, (float(low), float(high)), grey, extent)

    with replacing_folder(paths.INSIDE_PICTURES) as folder:
        first = inside.first_filters(classifier)
        if first is None:
            left_out["filters.png"] = "no convolution and no fully connected layer of the network sees the image itself"
        else:
            style.save(network_charts.filters(first[1], first[0]), folder / "filters.png")
        if chosen_kernels is None:
            left_out["kernels.png"] = "the network has no convolution after its first layer with kernels above 1x1"
        else:
            style.save(network_charts.kernels(chosen_kernels[1], chosen_kernels[0]), folder / "kernels.png")
        if map_layers:
            shown = asked.drop_duplicates("label").sort_values("label").head(CLASSES_SHOWN)
            pictures = images[shown["row"].to_numpy()]
            maps = inside.strongest_maps(classifier, pictures, map_layers, MAPS_SHOWN)
            names = [classes[label] for label in shown["label"]]
            style.save(network_charts.activations(pictures, names, maps), folder / "activations.png")
        else:
            left_out["activations.png"] = "no activation of the network gives maps with the channels first"
        if dead:
            style.save(network_charts.dead(dead), folder / "dead.png")  # type: ignore[arg-type]
        else:
            left_out["dead.png"] = "no activation of the network is one-sided with the channels first"
        if query_features.shape[1] and len(classes) > 1:
            rows = sample(np.arange(len(queries)), MAP_POINTS, settings.seed)
            means = inside.class_means(reference_features, reference_labels, len(classes))
            centres, places = inside.positions(query_features[rows], means)
            picture = network_charts.feature_map(places, centres, classes, asked.iloc[rows], len(tested))
            style.save(picture, folder / "map.png")
    familiar.save(paths.FAMILIARITY)
    InsideFigures(
        split="test",
        reference_images=len(reference),
        test_images=len(queries),
        accuracy=Neighbourly(**{name: round(value, 4) for name, value in accuracies.items()}),
        dead_channels={
            name: DeadChannels(channels=total, dead=dead_ones, share=round(dead_ones / total, 4))
            for name, (total, dead_ones) in dead.items()
        },
        left_out=left_out,
    ).write(paths.INSIDE)
    for picture_name, why in left_out.items():
        print(f"left out {picture_name}: {why}")
    done(
        f"wrote {paths.INSIDE} (accuracy of the five nearest neighbours {accuracies['nearest_neighbours']:.2%}, of the "
        f"network {accuracies['head']:.2%}), pictures in {paths.INSIDE_PICTURES}, and {paths.FAMILIARITY}",
        "python -m darkroom predict PICTURE",
    )


if __name__ == "__main__":
    run(main)
