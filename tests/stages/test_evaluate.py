"""The stage itself: its figures are those of its predictions, and every file is of the same images."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from darkroom.base import paths
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_files import BaselineAccuracy, Baselines, Evaluation
from darkroom.config.stage_tables import BASELINE_PREDICTIONS, PREDICTIONS
from darkroom.dataset.packed import load_split
from stages import evaluate
from tests.conftest import ROOT
from tests.stages.test_inside import prepare

pytestmark = pytest.mark.usefixtures("one_thread")
WRITTEN = [
    paths.EVALUATE, paths.REPORT_JSON, paths.REPORT_TEXT, paths.PER_CLASS, paths.CONFUSION, paths.CALIBRATION,
    paths.COVERAGE, paths.SLICES, paths.PREDICTIONS,
]  # fmt: skip


@pytest.fixture
def ready(project):
    """A model with random weights beside a simple method that is always right on test."""
    _, labels = prepare(project, count=90)
    rows = load_split("test")
    BASELINE_PREDICTIONS.write(pd.DataFrame({"row": rows, "majority_class": 0, "random_forest": labels[rows]}))
    methods = {"majority_class": (0.3, 0.3), "random_forest": (0.9, 1.0)}
    reached = {name: BaselineAccuracy(val_accuracy=val, test_accuracy=test) for name, (val, test) in methods.items()}
    Baselines(train_images=54, **reached).write(paths.BASELINE)
    paths.PREDICTIONS.unlink()
    return labels


def outputs():
    return {file: file.read_bytes() for file in [*WRITTEN, *sorted(paths.EVALUATE_PICTURES.iterdir())]}


def test_the_figures_of_each_split_are_those_of_its_own_predictions(ready):
    evaluate.main()
    found, predictions = Evaluation.read(paths.EVALUATE), PREDICTIONS.read()
    assert list(dict.fromkeys(predictions["split"])) == ["val", "test"]
    for split in ("val", "test"):
        rows, figures = predictions[predictions["split"] == split], getattr(found, split)
        assert rows["row"].tolist() == load_split(split).tolist()
        assert rows["label"].tolist() == ready[rows["row"]].tolist()
        assert figures.images == len(rows)
        assert figures.accuracy == pytest.approx(accuracy_score(rows["label"], rows["predicted"]), abs=1e-4)
        macro = f1_score(rows["label"], rows["predicted"], average="macro", zero_division=0)
        assert figures.macro_f1 == pytest.approx(macro, abs=1e-4)
    assert found.val != found.test


def test_every_table_is_of_the_test_split(ready):
    evaluate.main()
    tested = PREDICTIONS.read().query("split == 'test'")
    pairs = pd.read_csv(paths.CONFUSION)
    names = ModelFacts.read(paths.MODEL).classes
    counts = pd.crosstab(tested["label"], tested["predicted"]).stack()
    counts = {(names[true], names[taken]): count for (true, taken), count in counts.items() if count}
    assert pairs.groupby(["actual", "predicted"]).size().to_dict() == counts
    assert pd.read_csv(paths.PER_CLASS)["images"].tolist() == np.bincount(tested["label"]).tolist()
    assert pd.read_csv(paths.CALIBRATION)["images"].sum() == len(tested)
    assert json.loads(paths.REPORT_JSON.read_text())["split"] == "test"
    assert paths.REPORT_TEXT.read_text().startswith(f"test split, {len(tested)} images\n")
    by_property = pd.read_csv(paths.SLICES)
    assert (by_property.groupby("property")["images"].sum() == len(tested)).all()


def test_a_network_worse_than_a_simple_method_is_told_so(ready, capsys):
    evaluate.main()
    figures = Evaluation.read(paths.EVALUATE)
    assert figures.baselines.best == "random_forest"
    assert figures.baselines.mcnemar.only_ours_right == 0
    said = capsys.readouterr().out
    assert "is worse than random_forest (100.00%)" in said
    assert said.splitlines()[-1] == "next: python -m darkroom check, which says what may be wrong"


def test_the_same_bytes_each_time_and_without_the_record_of_runs(ready):
    evaluate.main()
    first = outputs()
    script = "import sys; from stages import evaluate; evaluate.main(); print('mlflow' in sys.modules)"
    again = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert again.stdout.splitlines()[-1] == "False"
    assert outputs() == first
