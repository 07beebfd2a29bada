"""What changed since a revision: corrections, and the accuracy on the test images that both states share."""

import io
import json
import subprocess

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.files import write_json, write_parquet
from darkroom.config.stage_files import Evaluation
from darkroom.config.stage_tables import PREDICTIONS
from darkroom.tools import changes, decisions
from tests import make
from tests.report.test_sections import ERRORS, FIGURES
from tests.tools import reviewing
from tests.tools.conftest import git

HEAD = "dataset,path,action,label\n"


def predict(predicted):
    """Predictions of the four test images, rows 2, 5, 8 and 11, each a cow, and one of val."""
    rows = [(row, "test", 2, to, 0.9, 0.1, [0.0, 0.0, 1.0]) for row, to in zip((2, 5, 8, 11), predicted, strict=True)]
    rows.append((1, "val", 1, 0, 0.9, 0.1, [0.0, 0.0, 1.0]))
    PREDICTIONS.write(pd.DataFrame(rows, columns=list(PREDICTIONS.columns)))


@pytest.fixture
def kept(home, monkeypatch):
    """A state that is committed, whose files DVC has."""
    make.edit(paths.PARAMS, {"dataset": "mine"})
    reviewing.site()
    FIGURES.write(paths.EVALUATE)
    ERRORS.write(paths.ERRORS)
    predict([2, 0, 1, 2])
    paths.CORRECTED.write_text("path,action,was,now\n")
    git("add", "-f", "params.yaml", "metrics", "data/corrections.csv")
    git("-c", "user.name=one", "-c", "user.email=a@b.c", "commit", "-qm", "before")
    files = {path.as_posix(): path.read_bytes() for path in (paths.PREDICTIONS, paths.INDEX, paths.CLASSES)}
    import dvc.api

    monkeypatch.setattr(dvc.api, "open", lambda path, rev, mode: io.BytesIO(files[path]))
    return files


def lines(revision="HEAD"):
    return changes.in_words(revision).splitlines()


def test_the_gap_is_paired_on_the_images_of_both_and_has_an_interval(kept):
    predict([2, 2, 1, 2])
    line = next(line for line in lines() if line.startswith("on the"))
    assert "on the 4 test images of both, by the labels of now (0 differ): 50.00%, now 75.00%, +25.00 points" in line
    assert line.endswith("(95 % interval +0.00 to +75.00): no evidence of a change")


def test_images_that_one_state_lacks_or_that_look_otherwise_do_not_count(kept):
    index = pd.read_parquet(paths.INDEX)
    index.loc[2, "path"], index.loc[5, "sha256"] = "new.png", "other"
    write_parquet(paths.INDEX, index)
    assert any(line.startswith("on the 2 test images of both") for line in lines())
    write_parquet(paths.INDEX, index.assign(sha256="other"))
    assert any("no picture is a test image of both" in line for line in lines())


def test_both_are_judged_by_the_labels_of_now(kept):
    table = PREDICTIONS.read()
    table.loc[1, "label"] = 0  # row 5 was called a cow, and is an ant: the earlier prediction was right
    PREDICTIONS.write(table)
    assert any("by the labels of now (1 differ): 75.00%, now 75.00%, +0.00 points" in line for line in lines())


def test_classes_are_compared_by_name(kept):
    write_json(paths.CLASSES, ["x", "ant", "bee", "cow"])
    table = PREDICTIONS.read()
    PREDICTIONS.write(table.assign(label=table["label"] + 1, predicted=table["predicted"] + 1))
    assert any("(0 differ): 50.00%, now 50.00%" in line for line in lines())


def test_without_the_earlier_predictions_the_figures_stand_alone(kept):
    kept.clear()
    found = lines()
    assert any(line.startswith("test accuracy, each on its own") for line in found)
    assert found[-1].startswith("no interval of the gap: DVC does not have data/predictions.parquet of HEAD")


def test_spaces_around_the_fields_of_a_correction_are_no_change(kept):
    paths.CORRECTIONS.write_text("dataset,path,action,label\nmine ,a.png, relabel, cow \nmine,b.png,drop,ant\n")
    git("add", "-f", "data/corrections.csv")
    git("-c", "user.name=one", "-c", "user.email=a@b.c", "commit", "-qm", "spaces")
    assert lines()[1] == "corrections: 0 new (0 relabelled, 0 dropped), 0 changed, 0 taken back"


def test_corrections_are_counted_and_those_that_wait_are_told(kept):
    paths.CORRECTIONS.write_text(HEAD + "mine,a.png,drop,\nmine,b.png,relabel,cow\n")
    git("add", "-f", "data/corrections.csv")
    git("-c", "user.name=one", "-c", "user.email=a@b.c", "commit", "-qm", "some")
    paths.CORRECTIONS.write_text(HEAD + "mine,b.png,relabel,ant\nmine,c.png,drop,\nmine,d.png,relabel,bee\n")
    paths.CORRECTED.write_text("path,action,was,now\nb.png,relabel,bee,ant\na.png,drop,,\n")
    found = lines()
    assert found[0].startswith("mine, since HEAD (")
    assert found[1] == "corrections: 2 new (1 relabelled, 1 dropped), 1 changed, 1 taken back"
    assert found[-1] == "3 corrections not in these figures yet: `dvc repro`"  # c, d, and a, which is still dropped
    assert f"suspected labels: {ERRORS.suspects.images}, now {ERRORS.suspects.images}" in found


@pytest.mark.parametrize(
    ("wrong", "right", "low"), [(0, 0, 0.0), (0, 50, 0.05), (50, 0, -0.2)], ids=["none", "better", "worse"]
)
def test_the_interval_lies_around_the_gap(wrong, right, low):
    gaps = np.repeat([-1, 0, 1], [wrong, 500 - wrong - right, right])
    found = changes.gap_interval(gaps)
    assert found[0] <= gaps.mean() <= found[1]
    assert found[0] >= low
    if wrong + right:  # the interval of a mean is about two standard errors to each side
        assert found[1] - found[0] == pytest.approx(4 * gaps.std() / 500**0.5, rel=0.1)


def test_an_experiment_is_found_by_its_name(kept):
    head = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/calm-owl", head)
    assert changes.resolved("calm-owl") == changes.resolved("HEAD") == head


def test_what_does_not_compare_is_refused(kept):
    assert make.refusal(lambda: changes.in_words("nothing")).startswith("nothing is neither a commit")
    assert "has no metrics/evaluate.json" in make.refusal(lambda: changes.in_words("HEAD~1"))
    content = json.loads(paths.MODEL.read_text()) | {"dataset": "other"}
    write_json(paths.MODEL, content)
    assert "of the data set mine, not of other" in make.refusal(lambda: changes.in_words("HEAD"))
    paths.EVALUATE.unlink()
    assert "nothing has been evaluated yet" in make.refusal(lambda: changes.in_words("HEAD"))


def test_figures_of_another_version_are_refused(kept):
    paths.EVALUATE.write_text("{}")
    git("add", "-f", "metrics")
    git("-c", "user.name=one", "-c", "user.email=a@b.c", "commit", "-qm", "old")
    FIGURES.write(paths.EVALUATE)
    assert Evaluation.read(paths.EVALUATE) == FIGURES
    assert "another version" in make.refusal(lambda: changes.in_words("HEAD"))


def test_a_label_that_was_kept_is_no_correction(kept):
    decisions.decide("mine", ("train/1.png", "bee"), decisions.made("keep", "bee", "Ada"), None)
    assert lines()[1] == "corrections: 0 new (0 relabelled, 0 dropped), 0 changed, 0 taken back"
