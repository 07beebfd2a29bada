"""What is found in networks of random weights; the measurements themselves are tested in test_inside."""

import numpy as np
import pandas as pd
import pytest

from darkroom.analysis import familiarity_fit, layers, network_findings
from darkroom.analysis.layers import Dead
from darkroom.analysis.network_findings import Data, Findings
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Inside
from tests import make, models

pytestmark = pytest.mark.usefixtures("one_thread")
ALL = {"filters.png", "kernels.png", "activations.png", "dead.png"}


def settings(**changes):
    return Inside.model_validate({"layer": None, "maps": None, "max_images": 500, "seed": 0} | changes)


def data(classes=3, count=60):
    """The first three fifths are for training; a third of the others is taken for the next class."""
    images, labels = models.blobs(count, classes)
    train, val, test = np.split(np.arange(count), [3 * count // 5, 4 * count // 5])
    predicted = np.where(test % 3 == 0, (labels[test] + 1) % classes, labels[test])
    tested = pd.DataFrame({"row": test, "label": labels[test], "predicted": predicted})
    names = [f"class {number}" for number in range(classes)]
    return Data(images, make.index_of(labels.tolist()), names, train, val, tested)


def findings(**changes):
    """As of a network in which there is nothing."""
    nothing = {
        "filters": None, "kernels": None, "shown": pd.DataFrame(), "maps": {}, "dead": {}, "idle": {},
        "feature_map": None, "accuracies": (0.5, 0.25), "compared": (9, 4),
    }  # fmt: skip
    return Findings(**nothing | changes)


@pytest.mark.parametrize(
    ("network", "missing"),
    [
        ({}, []),
        ({"layers": "4", "activation": "tanh"}, ["kernels.png", "dead.png"]),
        ({"name": "mlp", "hidden": [6]}, ["kernels.png", "activations.png"]),
        ({"name": "mlp"}, ["kernels.png", "activations.png", "dead.png"]),
    ],
    ids=str,
)
def test_what_a_network_does_not_have_is_left_out(network, missing):
    found = network_findings.find(models.classifier(**network), data(), settings())
    assert set(found.left_out) == set(missing)
    assert found.feature_map is not None


def test_each_picture_that_is_left_out_has_a_reason_of_its_own():
    left_out = findings().left_out
    assert set(left_out) == ALL
    assert len(set(left_out.values())) == len(ALL)
    named = ("conv1", np.zeros((1, 3, 3, 1), np.float32))
    some = findings(filters=named, kernels=named, maps={"act1": named[1]}, dead={"act1": Dead(4, 0)})
    assert some.left_out == {}
    assert findings(maps={"act1": named[1]}).left_out.keys() == ALL - {"activations.png"}


def test_one_image_of_each_class_is_shown_with_its_maps(monkeypatch):
    ours = data(count=90)
    found = network_findings.find(models.classifier(), ours, settings())
    assert found.shown["label"].tolist() == [0, 1, 2]
    assert set(found.shown["row"]) <= set(ours.tested["row"])
    assert {maps.shape[0] for maps in found.maps.values()} == {3}
    pictures = ours.images[found.shown["row"].to_numpy()]
    wanted = layers.strongest_maps(models.classifier(), pictures, ["features.act2"], network_findings.MAPS_SHOWN)
    np.testing.assert_array_equal(found.maps["features.act2"], wanted["features.act2"])
    monkeypatch.setattr(network_findings, "CLASSES_SHOWN", 2)
    assert network_findings.find(models.classifier(), ours, settings()).shown["label"].tolist() == [0, 1]


def test_the_layers_of_the_settings_are_looked_at():
    found = network_findings.find(
        models.classifier(layers="4-5-6"), data(), settings(layer="features.conv2", maps=["features.act3"])
    )
    assert found.kernels[0] == "features.conv2"
    assert list(found.maps) == ["features.act3"]


@pytest.mark.parametrize(("key", "value"), [("layer", "conv9"), ("maps", ["features.conv1"])])
def test_an_unknown_layer_is_refused_before_any_work(monkeypatch, key, value):
    monkeypatch.setattr(TrainedNetwork, "features", lambda *_: pytest.fail("too late"))
    said = make.refusal(lambda: network_findings.find(models.classifier(), data(), settings(**{key: value})))
    assert said.startswith(f"params.yaml: inside.{key}")


def test_neighbours_and_head_are_judged_on_the_same_test_images():
    ours = data()
    found = network_findings.find(models.classifier(), ours, settings())
    assert found.compared == (36, 12)
    assert found.accuracies[1] == (ours.tested["label"] == ours.tested["predicted"]).mean() == pytest.approx(2 / 3)
    classifier = models.classifier()
    known, seen = (classifier.features(ours.images[rows]) for rows in (ours.train, ours.tested["row"].to_numpy()))
    labels = ours.index["label"].to_numpy(int)
    truth = ours.tested["label"].to_numpy()
    assert found.accuracies[0] == layers.neighbour_accuracy(known, labels[ours.train], seen, truth)


def test_of_many_images_some_are_compared_always_the_same_ones():
    found, again = (network_findings.find(models.classifier(), data(), settings(max_images=10)) for _ in range(2))
    assert found.compared == (10, 10)
    assert found.accuracies == again.accuracies
    other = network_findings.find(models.classifier(), data(), settings(max_images=10, seed=1))
    assert other.feature_map.shown["row"].tolist() != found.feature_map.shown["row"].tolist()


def test_the_map_has_a_place_for_each_image_and_each_class(monkeypatch):
    ours = data()
    places = network_findings.find(models.classifier(), ours, settings()).feature_map
    assert (places.places.shape, places.centres.shape, places.of) == ((12, 2), (3, 2), 12)
    pd.testing.assert_frame_equal(places.shown, ours.tested)
    monkeypatch.setattr(network_findings, "POINTS", 5)
    some = network_findings.find(models.classifier(), ours, settings()).feature_map
    assert (len(some.places), len(some.shown), some.of) == (5, 5, 12)


def test_one_class_has_no_map():
    ours = data(classes=1)
    assert network_findings.find(models.classifier(classes=1), ours, settings()).feature_map is None


def test_the_figures_in_numbers():
    found = findings(accuracies=(2 / 3, 1 / 3), dead={"act1": Dead(3, 1), "act2": Dead(4, 0)}).figures()
    assert (found.split, found.reference_images, found.test_images) == ("test", 9, 4)
    assert (found.accuracy.nearest_neighbours, found.accuracy.head) == (0.6667, 0.3333)
    assert {name: (layer.channels, layer.dead, layer.share) for name, layer in found.dead_channels.items()} == {
        "act1": (3, 1, 0.3333),
        "act2": (4, 0, 0.0),
    }
    assert found.idle_channels == {}
    assert found.left_out.keys() == {"filters.png", "kernels.png", "activations.png"}
    smooth = findings(idle={"act1": Dead(3, 1)}).figures()
    assert (smooth.dead_channels, smooth.idle_channels["act1"].share) == ({}, 0.3333)
    assert "dead.png" not in smooth.left_out


@pytest.mark.parametrize(("coloured", "grey"), [(17, True), (18, False)])
def test_files_are_usually_grey_where_most_training_files_are(coloured, grey):
    """Of 36 training files; those of val and test do not count."""
    ours = data()
    ours.index["channels"] = [3] * coloured + [2] * (36 - coloured) + [3] * 24
    found = network_findings.familiarity(
        models.classifier(), ours, ModelFacts.model_validate(models.facts()), settings()
    )
    assert found.grey is grey


def test_the_form_of_the_files_is_that_of_the_training_files():
    ours = data()
    ours.index["width"] = [8, 16] * 18 + [800] * 24
    facts = ModelFacts.model_validate(models.facts(border=[0.1]))
    found = network_findings.familiarity(models.classifier(), ours, facts, settings())
    assert found.aspect == (1, 2)
    assert found.extent == familiarity_fit.foreground_extent(ours.images, ours.train, facts.border)
    assert list(found.layers) == list(familiarity_fit.watched_layers(models.classifier().network, (8, 8, 1)))
