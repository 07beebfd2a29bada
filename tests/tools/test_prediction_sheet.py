"""The page with many predictions."""

import re

import numpy as np

from darkroom.classifier.inference import Prediction
from darkroom.classifier.opening import Opened
from darkroom.report import rendering
from darkroom.tools import prediction_sheet


def sheet_of(count, sure=lambda at: 0.5 + at / 1000, name=lambda at: f"{at}.jpg", size=(8, 8, 1)):
    sheet = prediction_sheet.PredictionSheet()
    for at in range(count):
        opened = Opened(np.full(size, at % 256, np.uint8), 1.0, 1, "")
        sheet.add({name(at): opened}, [Prediction(["cat", "dog"], [sure(at), 1 - sure(at)])])
    return sheet


def names(file):
    return re.findall(r'class="file">([^<]*)<', file.read_text())


def test_the_least_certain_come_first(tmp_path):
    sheet_of(4, sure=[0.9, 0.6, 0.8, 0.6].__getitem__).write(tmp_path / "a.html")
    assert names(tmp_path / "a.html") == ["1.jpg", "3.jpg", "2.jpg", "0.jpg"]


def test_of_many_the_surest_are_left_out_and_the_page_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(prediction_sheet, "KEPT", 3)
    sheet_of(9, sure=lambda at: 0.9 - at / 100).write(tmp_path / "a.html")
    assert names(tmp_path / "a.html") == ["8.jpg", "7.jpg", "6.jpg"]
    assert "9 pictures, classified" in (tmp_path / "a.html").read_text()
    assert "3 are shown" in (tmp_path / "a.html").read_text()


def test_names_are_escaped_and_nothing_is_fetched(tmp_path):
    sheet_of(1, name=lambda at: "<b>&.jpg", size=(300, 200, 3)).write(tmp_path / "a.html")
    text = (tmp_path / "a.html").read_text()
    assert "<b>&.jpg" not in text
    assert "&lt;b&gt;&amp;.jpg" in text
    assert re.findall(r'(?:src|href)="(?!data:)', text) == []


def test_pictures_are_kept_as_large_as_the_page_shows_them():
    assert prediction_sheet.SIDE == rendering.THUMBNAIL


def test_a_picture_unlike_the_training_images_comes_before_all_others(tmp_path):
    sheet = sheet_of(2, sure=[0.5, 0.6].__getitem__)
    opened = Opened(np.zeros((8, 8, 1), np.uint8), 1.0, 1, "")
    sheet.add({"odd.jpg": opened}, [Prediction(["cat", "dog"], [0.99, 0.01], unlike=1.5, reasons=["it is empty"])])
    sheet.write(tmp_path / "a.html")
    assert names(tmp_path / "a.html") == ["odd.jpg", "0.jpg", "1.jpg"]
    assert "unlike the training images: it is empty" in (tmp_path / "a.html").read_text()
