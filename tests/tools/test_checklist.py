import json
import re

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.tools import checklist
from darkroom.tools.commands import main
from tests import make
from tests.tools.small_training import pictures, settings

pytestmark = pytest.mark.usefixtures("one_thread")


def packed(project, count=120, **changes):
    """The packed data set of the three classes, as the stages up to `stats` would leave it."""
    project.add(path="archive.zip", image_size=9)
    images, labels = pictures(count)
    split = np.where(np.arange(count) % 10 < 7, "train", "val")
    for path in (paths.IMAGES, paths.SPLIT, paths.STATS):
        path.parent.mkdir(parents=True, exist_ok=True)
    np.save(paths.IMAGES, images)
    make.index_of(labels.tolist()).to_parquet(paths.INDEX)
    paths.CLASSES.write_text(json.dumps(["a", "b", "c"]))
    pd.DataFrame({"row": range(count), "split": split}).to_parquet(paths.SPLIT)
    known = images[split == "train"] / 255
    stats = {"mean": [known.mean()], "std": [known.std()], "border": [0.2], "split": "train"}
    paths.STATS.write_text(json.dumps(stats))
    settings(project, **changes)
    project.set(model__layers="16P-16", model__batch_norm=True, augment=[{"shift": {"pixels": 1}}])


def run(capsys):
    """Exit code and lines of the command."""
    try:
        main(["check"])
        code = 0
    except SystemExit as left:
        code = left.code
    return code, capsys.readouterr().out.splitlines()


def files():
    return {path for path in paths.PARAMS.parent.rglob("*") if path.is_file()}


def test_the_check_list_passes_twice_alike_and_writes_its_picture_alone(project, capsys):
    packed(project, epochs=3)
    before = files()
    code, lines = run(capsys)
    assert code == 0, lines
    words = [line.split("  ")[0] for line in lines[:-2]]
    assert words == ["pass"] * 10 + ["note"]
    assert lines[-2] == f"no check failed; wrote {checklist.PICTURE}"
    assert re.search(r"^next: dvc exp run; .*-S train\.lr=[\d.e-]+,[\d.e-]+$", lines[-1])
    assert files() - before == {checklist.PICTURE}
    picture = checklist.PICTURE.read_bytes()
    again = run(capsys)[1]
    assert [line.partition(";")[0] for line in again] == [line.partition(";")[0] for line in lines]
    assert checklist.PICTURE.read_bytes() == picture


def test_a_failure_gives_exit_code_1_and_the_other_checks_are_made(project, capsys):
    packed(project, epochs=1, lr=500.0, warmup=0.0)
    code, lines = run(capsys)
    assert code == 1
    assert len(lines) == 13
    assert lines[-2].startswith("1 of 11 checks failed: smoke run; wrote")


def test_several_processes_are_not_asked_for(project, capsys):
    packed(project, epochs=1, devices=4, num_nodes=2, strategy="ddp")
    assert run(capsys)[0] == 0


@pytest.mark.parametrize("change", [{"image_size": 8}, {"channels": 3, "image_size": 9}])
def test_data_of_another_shape_ends_the_list(project, capsys, change):
    packed(project)
    project.add(path="archive.zip", **change)
    code, lines = run(capsys)
    assert code == 1
    assert len(lines) == 3
    assert lines[0].startswith("FAIL  data")
    assert "nothing was written" in lines[1]
    assert not checklist.PICTURE.exists()


def test_labels_beyond_the_classes_end_the_list(project, capsys):
    packed(project)
    paths.CLASSES.write_text(json.dumps(["a", "b"]))
    code, lines = run(capsys)
    assert (code, len(lines)) == (1, 4)
    assert lines[1].startswith("FAIL  labels")


def test_figures_of_other_images_are_found(project, capsys):
    packed(project, epochs=1)
    paths.STATS.write_text(json.dumps({"mean": [0.9], "std": [0.1], "border": [0.2], "split": "train"}))
    code, lines = run(capsys)
    assert code == 1
    assert lines[3].startswith("FAIL  normalisation")


@pytest.mark.parametrize("file", [paths.IMAGES, paths.SPLIT, paths.STATS])
def test_what_is_missing_is_named(project, file):
    packed(project)
    file.unlink()
    sentence = make.refusal(lambda: main(["check"]))
    assert make.is_one_line(sentence)
    assert f"there is no {file}" in sentence
    assert "dvc repro stats" in sentence


def test_without_any_data_the_sentence_is_still_one(project):
    with pytest.raises(UserError, match="dvc repro stats"):
        main(["check"])
