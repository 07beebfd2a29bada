import dataclasses
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from darkroom.config.model_facts import ModelFacts
from darkroom.tools import predict
from darkroom.tools.predict import Wanted, ahead
from tests import make, models


@pytest.fixture(params=[0, predict.SMALL], ids=["small", "large"])
def names(tmp_path, request):
    """Ten files, all small or all large."""
    files = [tmp_path / f"{number}.jpg" for number in range(10)]
    for file in files:
        file.write_bytes(bytes(request.param))
    return [str(file) for file in files]


def test_outcomes_come_in_the_order_of_the_names(names):
    def slow_first(name):
        time.sleep(0.02 if name == names[0] else 0)
        return name, name

    with ahead(iter(names), slow_first, 4, threads=3) as outcomes:
        assert [name for name, _ in outcomes] == names


def test_work_begins_at_once_and_at_most_some_wait(names):
    begun = []
    with ahead(iter(names), lambda name: (begun.append(name), name), 4, threads=2) as outcomes:
        until(lambda: len(begun) == 4)
        next(outcomes)
        until(lambda: len(begun) == 5)
        time.sleep(0.01)
        assert len(begun) == 5
        assert len(list(outcomes)) == 9
    assert sorted(begun) == names


def test_files_are_opened_by_threads_if_they_are_worth_it(names):
    with ahead(iter(names), lambda name: (name, threading.get_ident()), 4, threads=2) as outcomes:
        found = {thread for _, thread in outcomes}
    large = Path(names[0]).stat().st_size > 0
    assert (threading.get_ident() in found) is not large


def test_nothing_more_is_opened_once_it_has_ended(names):
    begun, before = [], threading.active_count()
    with ahead(iter(names), lambda name: (begun.append(name), name), 3) as outcomes:
        next(outcomes)
    assert len(begun) <= 4
    assert threading.active_count() == before


def test_names_that_are_no_files_are_left_to_the_opening(tmp_path):
    with ahead(iter([str(tmp_path / "none"), "-"]), lambda name: (name, name), 4) as outcomes:
        assert [name for name, _ in outcomes] == [str(tmp_path / "none"), "-"]


@pytest.mark.parametrize("how", ["squash", "crop", "pad"])
def test_pictures_are_opened_as_the_model_itself_opens_them(tmp_path, monkeypatch, how):
    ModelFacts.model_validate(models.facts((12, 9, 3), resize=how)).write(tmp_path / "model.json")
    (tmp_path / "model.safetensors").touch()
    file = tmp_path / "a.png"
    file.write_bytes(make.picture(1, 40, 90, 3))
    found = []
    monkeypatch.setattr(predict, "_load", lambda folder: None)
    monkeypatch.setattr(predict, "_classify", lambda outcomes, *others: found.extend(outcomes))
    predict.run(iter([str(file)]), str(tmp_path), Wanted(3, "text", "never", False))
    expected = dataclasses.replace(models.classifier((12, 9, 3)), resize=how).open(file)
    assert np.array_equal(found[0][1].stored, expected.stored)


@pytest.mark.parametrize(("count", "form", "written"), [(10, "text", True), (9, "text", False), (10, "csv", False)])
def test_many_pictures_also_become_a_page(tmp_path, monkeypatch, capfd, count, form, written):
    monkeypatch.chdir(tmp_path)
    for number in range(count):
        (tmp_path / f"{number}.png").write_bytes(make.picture(number, 8, 8, 1))
    (tmp_path / "m").mkdir()
    (tmp_path / "m/model.json").touch()
    (tmp_path / "m/model.safetensors").touch()
    ModelFacts.model_validate(models.facts((8, 8, 1))).write(tmp_path / "m/model.json")
    monkeypatch.setattr(predict, "_load", lambda folder: models.classifier((8, 8, 1)))
    names = [f"{number}.png" for number in range(count)]
    assert predict.run(iter(names), "m", Wanted(3, form, "never", False)) == (count, 0)
    assert (tmp_path / predict.SHEET).exists() == written
    assert (str(predict.SHEET) in capfd.readouterr().err) == written


def until(is_so):
    """Wait until something is so, for a second."""
    ends = time.monotonic() + 1
    while not is_so() and time.monotonic() < ends:
        time.sleep(0.001)
    assert is_so()
