"""The report from the files of a pipeline, written here by hand; sections and templates have tests of their own."""

import hashlib
import re
from importlib.metadata import version

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from darkroom.base import paths
from darkroom.base.files import sha256, write_text
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.stage_files import Curves, TrainingFigures
from darkroom.config.stage_tables import HISTORY, MISTAKES, PASSED_OVER, PER_CLASS, PREDICTIONS, REJECTED, SPLIT_TABLE
from darkroom.config.yaml_files import read_yaml
from darkroom.drawing import style
from darkroom.report import page, sections, summary
from tests import make, models
from tests.chromium import browser, needs_chromium
from tests.conftest import ROOT
from tests.report import test_sections as given

PACKAGES = (
    "torch", "torchvision", "numpy", "pandas", "pyarrow", "opencv-python-headless", "scikit-learn", "dvc", "mlflow",
    "matplotlib", "lightning-fabric",
)  # fmt: skip


@pytest.fixture
def finished(project):
    """A project in which every stage has left its files, but no pictures."""
    project.add(path="mine.zip")
    make.packed(given.images(7), [0, 0, 1, 1, 1, 2, None], ["test"] * 6 + ["left_out"], given.NAMES)
    ModelFacts.model_validate(models.facts(classes=given.NAMES, temperature=0.5)).write(paths.MODEL)
    TrainingFigures(
        epochs=1, best_epoch=1, stopped_early=False, parameters=7, train_loss=1, train_accuracy=1, val_loss=1,
        val_accuracy=1, temperature=0.5,
    ).write(paths.TRAIN)  # fmt: skip
    for file, content in (
        (paths.SOURCE, given.SOURCE), (paths.AUDIT, given.AUDIT), (paths.EVALUATE, given.FIGURES),
        (paths.ERRORS, given.ERRORS), (paths.INSIDE, given.INSIDE), (paths.CURVES, Curves(fit="a sound fit")),
    ):  # fmt: skip
        content.write(file)
    write_text(paths.LAYERS, "the layers")
    write_text(paths.WEIGHTS, "the weights")
    HISTORY.write(pd.DataFrame(0.5, index=[0], columns=list(HISTORY.columns)))
    REJECTED.write(pd.DataFrame([["a/<b>.jpg", "it is no image"]], columns=list(REJECTED.columns)))
    PASSED_OVER.write(pd.DataFrame(columns=list(PASSED_OVER.columns)))
    SPLIT_TABLE.write(given.SPLIT)
    PER_CLASS.write(given.PER_CLASS)
    wrong = given.WRONG.assign(neighbour_distances="", neighbours_agree=False)
    wrong["neighbour_rows"] = [" ".join(map(str, rows)) for rows in wrong["neighbour_rows"]]
    MISTAKES.write(wrong[list(MISTAKES.columns)])
    tested = given.PREDICTIONS.assign(split="test")
    one_of_val = pd.DataFrame({"split": ["val"], "label": [2], "predicted": [0]})
    predictions = pd.concat([one_of_val, tested], ignore_index=True)
    predictions["row"], predictions["confidence"], predictions["loss"] = range(7), 0.5, 0.5
    predictions["probabilities"] = [[0.5, 0.25, 0.25]] * 7
    PREDICTIONS.write(predictions[list(PREDICTIONS.columns)])
    subset_of_last("unlabeled")
    return project


def subset_of_last(subset):
    index = pd.read_parquet(paths.INDEX)
    index.loc[6, "subset"] = subset
    index.to_parquet(paths.INDEX)


def content():
    return page.content(*load())


def text():
    """Of the page, without its pictures."""
    return re.sub(r"data:image/[^\"]*", "", page.page(content()))


def test_the_files_become_the_sections(finished):
    found = content()
    assert (found["title"], found["headline"]) == ("mine", summary.headline(given.FIGURES))
    assert found["sections"] == sections.SECTIONS
    assert found["training"]["layers"] == "the layers"
    assert "a sound fit" in found["training"]["words"]
    assert "a temperature of 0.5" in found["evaluation"]["calibration"]
    assert [item["neighbours"] for item in found["mistakes"]["shown"]] == [f"{given.NAMES[0]} (2), bee (1)", ""]


def test_the_matrix_counts_images_of_the_test_split_alone(finished):
    rows = content()["evaluation"]["matrix"]["rows"]
    assert [[cell["count"] for cell in row["cells"]] for row in rows] == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]


def test_a_set_without_unlabelled_images_has_no_section_of_them(finished):
    assert ">Unlabelled images</h2>" in text()
    subset_of_last("train")
    assert "predict" not in [name for name, _ in content()["sections"]]
    assert "Unlabelled images" not in text()


def test_advice_comes_first_and_what_was_left_out_is_told(finished):
    shown = text()
    assert shown.index("What to do next") < shown.index(">Data</h2>")
    assert "python -m darkroom predict PICTURE" in shown
    assert "it is no image" in shown
    assert "a/&lt;b&gt;.jpg" in shown
    REJECTED.write(pd.DataFrame(columns=list(REJECTED.columns)))
    assert "Left out" not in text()


def drawn(width):
    """A picture of a figure, whose left half is a photograph."""
    figure = Figure(figsize=(width / style.DPI, 2))
    axis = figure.add_axes((0, 0, 0.5, 1))
    axis.imshow(np.full((2, 2, 3), 255, np.uint8), gid=style.PHOTOGRAPH, aspect="auto")
    axis.axis("off")
    return figure


@pytest.mark.slow
@needs_chromium
def test_in_a_browser_it_fits_every_screen_and_asks_for_nothing(finished, tmp_path):
    for name, (folder, _) in page.PICTURES.items():
        folder.mkdir(parents=True, exist_ok=True)
        style.save(drawn(1300 if name == "curves" else 500), folder / f"{name}.png")
    file = tmp_path / "report.html"
    file.write_text(page.page(content()), encoding="utf-8")
    with browser(tmp_path / "profile") as chromium:
        for width in (1280, 768, 375):
            shown = chromium.open(file.as_uri(), width=width)
            assert shown.too_wide() == []
            assert shown.errors == []
            assert [url for url in shown.requests if not url.startswith(("data:", "file:"))] == []
        # The keyboard opens a picture, and Escape closes it.
        shown.evaluate("document.querySelector('figure .enlarge').focus()")
        shown.press("Enter")
        assert shown.evaluate("document.getElementById('large').open")
        assert shown.evaluate("document.querySelector('#large img').naturalWidth") > 375
        shown.press("Escape")
        shown.wait_for("!document.getElementById('large').open")
        # On a dark page paper is dark, and the photograph stays white.
        shown = chromium.open(file.as_uri(), width=1280, dark=True)
        shown.evaluate("document.querySelector('figure img').scrollIntoView({block: 'center', behavior: 'instant'})")
        left, top, width, height = shown.evaluate(
            "(b => [b.x, b.y, b.width, b.height])(document.querySelector('figure img').getBoundingClientRect())"
        )
        shown.screenshot(tmp_path / "dark.png", whole=False)
        with Image.open(tmp_path / "dark.png") as picture:
            middle = round(top + height / 2)
            assert min(picture.getpixel((round(left + 0.25 * width), middle))[:3]) > 250
            assert max(picture.getpixel((round(left + 0.75 * width), middle))[:3]) < 40


def test_a_picture_that_was_not_drawn_is_passed_over(finished):
    assert "<figure" not in text()
    paths.INSIDE_PICTURES.mkdir(parents=True)
    (paths.INSIDE_PICTURES / "map.png").write_bytes(make.picture())
    shown = page.page(content())
    assert shown.count("<figure") == 1
    assert 'src="data:image/png;base64,' in shown
    assert f'alt="{page.PICTURES["map"][1]}"' in shown


def test_every_picture_has_a_place_in_the_page(finished):
    """But the matrix, which is a table where the classes are few."""
    for name, (folder, _) in page.PICTURES.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(make.picture())
    shown = text()
    assert [name for name, (_, alt) in page.PICTURES.items() if f'alt="{alt}"' not in shown] == ["confusion"]


def test_no_version_and_no_path_of_this_machine_stands_in_page_or_card(finished):
    paths.TRAIN_PICTURES.mkdir(parents=True)
    style.save(Figure(), paths.TRAIN_PICTURES / "curves.png")
    found = content()
    for made in (page.page(found), page.card(found)):
        assert str(finished.folder) not in made
        assert str(ROOT) not in made
        # Of versions with two dots none can stand there by chance.
        words = re.sub(r"data:image/[^\"]*", "", made)
        assert [name for name in PACKAGES if version(name).partition("+")[0] in words] == []


def test_the_same_files_give_the_same_bytes(finished):
    first, again = (content() for _ in range(2))
    assert (page.page(first), page.card(first)) == (page.page(again), page.card(again))


def test_it_says_how_to_make_it_again(finished):
    found = page.made(load()[0])
    locked = hashlib.md5(paths.WEIGHTS.read_bytes(), usedforsecurity=False).hexdigest()
    assert f"-S {locked} -- dvc.lock" in found["commands"]
    assert dict(found["hashes"]["body"]) == {
        "archive": given.SOURCE.sha256,
        "index of the images": sha256(paths.INDEX),
        "split": sha256(paths.SPLIT),
        "weights": sha256(paths.WEIGHTS),
    }
    write_text(finished.folder / "again.yaml", found["params"])
    assert read_yaml(finished.folder / "again.yaml") == load()[0].model_dump() | {"fetch": {"archive": {}}}


def test_of_the_archives_that_were_named_it_shows_the_one_that_was_read_without_its_folder(finished):
    finished.set(fetch__archive={"mine": "/home/me/set.zip", "mnist": "/home/me/mnistasjpg.zip"})
    assert "archive:\n    mine: set.zip\n" in page.made(load()[0])["params"]
    assert "/home/me" not in page.made(load()[0])["params"]


def test_a_file_that_is_missing_is_named(finished):
    paths.CURVES.unlink()
    with pytest.raises(FileNotFoundError) as missing:
        content()
    assert str(missing.value.filename).endswith(paths.CURVES.name)
