import numpy as np
import pandas as pd
import pytest

from darkroom.drawing import network_charts, style
from tests import make
from tests.drawing.test_charts import rendered


def numbers(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def feature_map(classes=3, name="class"):
    labels = np.arange(40 * classes) % classes
    table = pd.DataFrame({"label": labels, "predicted": np.where(np.arange(len(labels)) % 9, labels, 0)})
    names = [f"{name} {number}" for number in range(classes)]
    return network_charts.feature_map(numbers(len(labels), 2), numbers(classes, 2), names, table, 1000)


FIGURES = {
    "filters": lambda: network_charts.filters(numbers(12, 3, 3, 1), "conv1"),
    "many filters": lambda: network_charts.filters(numbers(300, 3, 3, 3), "conv1"),
    "one filter": lambda: network_charts.filters(numbers(1, 28, 20, 1), "conv1"),
    "kernels": lambda: network_charts.kernels(numbers(40, 30, 3, 3), "conv2"),
    "few kernels": lambda: network_charts.kernels(numbers(2, 3, 5, 5), "conv2"),
    "depthwise": lambda: network_charts.kernels(numbers(70, 1, 3, 3), "conv2"),
    "activations": lambda: network_charts.activations(
        np.stack([make.pixels(8, 12, 3)] * 4), list("abcd"), {"act1": numbers(4, 8, 8, 12), "act2": numbers(4, 3, 4, 6)}
    ),
    "dead": lambda: network_charts.dead({"act1": (10, 2), "act2": (5, 0)}, {}),
    "idle": lambda: network_charts.dead({}, {"a_very_long_name.of_a_block.of_many.mlp.act": (5, 1)}),
    "dead and idle": lambda: network_charts.dead({"act1": (10, 2)}, {"act2": (5, 0)}),
    "map": feature_map,
    "map of many": lambda: feature_map(200, "a very long $name of a class indeed"),
}


@pytest.mark.parametrize("figure", FIGURES.values(), ids=FIGURES)
def test_it_is_drawn_without_a_warning_and_always_the_same(figure, tmp_path):
    assert rendered(figure()).shape[0] > 50
    for name in ("a.png", "b.png"):
        style.save(figure(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_weights_of_zero_are_white_and_the_signs_have_two_colours():
    weights = np.zeros((1, 3, 3, 1), np.float32)
    weights[0, 0, 0], weights[0, 2, 2] = -2, 2
    (picture,) = network_charts.filters(weights, "conv1").axes[0].images
    low, middle, high = (picture.cmap(picture.norm(value))[:3] for value in (-1, 0, 1))
    assert min(middle) > 0.95
    assert low[2] > low[0]
    assert high[0] > high[2]


def test_many_classes_get_no_more_names_than_can_be_read():
    named = [text for text in feature_map(200).axes[0].texts if text.get_text()]
    assert 1 <= len(named) <= len(network_charts.COLOURS)
    assert len([text for text in feature_map(10).axes[0].texts if text.get_text()]) == 10


def test_names_stand_beside_their_images_and_inside_the_frame():
    """Three tight groups of four, the outer two near the sides of the map."""
    centres = np.array([[0.0, 0.0], [30.0, 0.0], [15.0, 4.0]])
    labels = np.repeat([0, 1, 2], 4)
    images = centres[labels] + 0.1 * numbers(12, 2)
    names = ["a name of a class", "another class", "c"]
    table = pd.DataFrame({"label": labels, "predicted": labels})
    figure = network_charts.feature_map(images, centres, names, table, 12)
    figure.draw_without_rendering()
    (axis,) = figure.axes
    frame, dots = axis.get_window_extent(), axis.transData.transform(images)
    for text in axis.texts:
        box = text.get_bbox_patch().get_window_extent()
        assert frame.x0 - 1 <= box.x0 < box.x1 <= frame.x1 + 1
        assert frame.y0 - 1 <= box.y0 < box.y1 <= frame.y1 + 1
        assert not any(box.contains(*dot) for dot in dots)


def test_mistakes_are_counted_and_marked():
    labels = np.arange(160) % 4
    wrong = int((np.where(np.arange(160) % 9, labels, 0) != labels).sum())
    legend = feature_map(4).axes[0].get_legend()
    assert wrong
    assert [text.get_text() for text in legend.get_texts()] == [f"mistake ({wrong})"]
    assert feature_map(3).axes[0].get_legend() is None  # of which none is predicted wrong
