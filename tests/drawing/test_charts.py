import io
import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from darkroom.drawing import charts, galleries, style, training_charts
from tests import make


def grid(count=3, channels=1, name="a"):
    images = np.stack([make.pixels(channels=channels, seed=seed) for seed in range(count)] or [make.pixels()])[:count]
    return galleries.grid(images, [f"{name} {at}" for at in range(count)], columns=4, title="Title")


def balance(names=("a", "b")):
    return charts.class_balance(np.arange(1, len(names) + 1), names, "Title")


def sizes():
    return charts.sizes([10, 10, 30], [20, 20, 40], (28, 28), "Title")


def confusion(names=("a", "b"), normalised=True):
    matrix = np.eye(len(names), dtype=np.int64) * 5
    return charts.confusion(matrix, names, normalised=normalised, split="test")


def per_class(names=("a", "b")):
    scores = np.linspace(0, 1, len(names))
    return charts.per_class(pd.DataFrame({"class": names, "precision": scores, "recall": scores, "f1": scores}), "test")


def curves(**options):
    columns = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr")
    return training_charts.curves(
        pd.DataFrame({"epoch": [1, 2, 3]} | {name: [0.3, 0.2, 0.1] for name in columns}), 2, **options
    )


def coverage(accuracies=(0.9, 0.95, 1.0)):
    count = len(accuracies)
    shares = np.linspace(1, 1 / count, count)
    table = {"threshold": np.linspace(0.5, 0.99999, count), "coverage": shares, "accuracy": accuracies}
    return charts.coverage(pd.DataFrame(table), "test")


def reliability(images=(0, 3, 90000)):
    filled = np.array(images) > 0
    edges = np.linspace(0, 1, len(images) + 1)
    table = {"low": edges[:-1], "high": edges[1:]}
    for suffix in ("", "_uncalibrated"):
        table |= {f"images{suffix}": images, f"confidence{suffix}": np.where(filled, edges[1:], np.nan)}
        table |= {f"accuracy{suffix}": np.where(filled, 0.5, np.nan)}
    return charts.reliability(pd.DataFrame(table), "test")


def slices(quarters=4, names=("brightness", "contrast", "size"), accuracy=0.9):
    rows = [
        [name, quarter + 1, 100.0 * quarter, 100.0 * quarter + 50, 30, accuracy, 0.8, 1.0]
        for name in names
        for quarter in range(quarters)
    ]
    columns = ["property", "quarter", "low", "high", "images", "accuracy", "accuracy_low", "accuracy_high"]
    return charts.slices(pd.DataFrame(rows, columns=columns), "test")


FIGURES = [coverage, reliability, slices, grid, balance, sizes, confusion, per_class, curves]


@pytest.mark.parametrize("figure", FIGURES)
def test_the_same_figure_gives_the_same_bytes(tmp_path, figure):
    for name in ("a.png", "b.png"):
        style.save(figure(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
        assert not {"Software", "Creation Time"} & set(picture.info)


@pytest.mark.parametrize("figure", FIGURES)
def test_axes_have_names(figure):
    for axis in figure().axes:
        if axis.axison:
            assert axis.get_xlabel() or axis.get_ylabel()


def rendered(figure):
    """A figure as pixels; a warning of the plotting library is an error here."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(file, format="png", dpi=style.DPI)
    return np.asarray(Image.open(file).convert("RGB"))


NAMES = {
    "long": "a very long name of a class " * 12,
    "dollar": "$100 and $50",
    "formula": r"$\frac{$",
    "line": "two\nlines",
    "underscore": "_private_",
    "empty": "",
}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("figure", [balance, confusion, per_class])
def test_any_class_name_can_be_drawn(kind, figure):
    height, width, _ = rendered(figure([NAMES[kind], "b"])).shape
    assert height < 2000
    assert width < 2000


@pytest.mark.parametrize("kind", NAMES)
def test_any_title_of_an_image_can_be_drawn(kind):
    rendered(grid(3, name=NAMES[kind]))


@pytest.mark.parametrize("figure", [balance, confusion, per_class])
@pytest.mark.parametrize("count", [1, 2, 200])
def test_few_and_many_classes_can_be_drawn(figure, count):
    assert rendered(figure([f"class {at}" for at in range(count)])).shape[0] > 100


@pytest.mark.parametrize(("count", "named"), [(40, 40), (200, 200), (500, 250), (1000, 250)])
def test_names_beside_a_confusion_matrix_do_not_overlap(count, named):
    figure = confusion([f"{at}" for at in range(count)])
    axis = figure.axes[0]
    names = axis.get_yticklabels()
    assert [name.get_text() for name in names] == [f"{at}" for at in range(0, count, count // named)]
    figure.draw_without_rendering()
    boxes = [name.get_window_extent() for name in names]
    assert all(over.y0 >= under.y1 - 1 for over, under in itertools.pairwise(boxes))


def test_a_confusion_matrix_with_an_empty_class_can_be_drawn():
    for normalised in (True, False):
        rendered(charts.confusion(np.array([[3, 1], [0, 0]]), ["a", "b"], normalised=normalised, split="test"))


@pytest.mark.parametrize(
    "accuracies", [(1.0,), (1.0, 1.0, 1.0), (0.0,), (0.5, 0.2, 0.0), tuple(np.linspace(0.1, 1, 50))]
)
def test_any_coverage_can_be_drawn(accuracies):
    figure = coverage(accuracies)
    rendered(figure)
    low, high = figure.axes[0].get_ylim()
    assert low < 100 * min(accuracies)
    assert 100 * max(accuracies) <= high <= 100


@pytest.mark.parametrize("images", [(0, 0, 1), (5, 5, 5)])
def test_empty_bins_can_be_drawn(images):
    rendered(reliability(images))


@pytest.mark.parametrize("names", [("brightness",), ("brightness", "contrast", "size")])
@pytest.mark.parametrize("quarters", [1, 4])
@pytest.mark.parametrize("accuracy", [0.8, 1.0])
def test_few_and_many_slices_can_be_drawn(names, quarters, accuracy):
    rendered(slices(quarters, names, accuracy))


@pytest.mark.parametrize(("augmented", "label"), [(True, "train (augmented)"), (False, "train")])
def test_the_curve_of_the_training_is_called_augmented_where_it_is(augmented, label):
    for axis in curves(augmented=augmented).axes[:2]:
        assert axis.get_legend().get_texts()[0].get_text() == label
