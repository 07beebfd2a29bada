"""The page of a search: one file, with Optuna's plots, and text that is escaped."""

import re

import optuna
import optuna.visualization.matplotlib
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import TrialState, create_trial

from darkroom.base.files import write_text
from darkroom.tools import search_file, search_page
from darkroom.tools.search_best import Result
from darkroom.tools.search_study import REASON, VALUES
from tests.conftest import ROOT

RESULT = Result(
    cells=pd.DataFrame({"#": ["1", "2"], "n": ["2", "2"], "val": ["0.9000 ± 0.0100", "0.8000"]}, index=["1", "2"]),
    configurations=pd.Series(["train.lr=0.1", "model.name=<b>"], index=["1", "2"]),
    footer=[],
    winner="digits-003-seed-42",
    val=0.9,
    test=0.875,
    title="accuracy",
    interval=(0.85, 0.9),
)


@pytest.fixture
def settings(project):
    write_text(project.folder / "search.yaml", (ROOT / "search.yaml").read_text())
    return search_file.settings()


def study(count=4):
    found = optuna.create_study(direction="maximize")
    for number in range(count):
        pruned = number == 1
        found.add_trial(
            create_trial(
                state=TrialState.PRUNED if pruned else TrialState.COMPLETE,
                value=None if pruned else 0.5 + number / 10,
                params={"train.lr": 0.1 * (number + 1), "train.optimizer": "sgd"},
                distributions={
                    "train.lr": FloatDistribution(0.1, 1),
                    "train.optimizer": CategoricalDistribution(["sgd"]),
                },
                intermediate_values={1: 0.2, 2: 0.3},
                user_attrs={VALUES: {"train.lr": 0.1 * (number + 1), "model.hidden": [100]}, REASON: "<i>" * pruned},
            )
        )
    return found


def test_the_table_has_a_row_for_each_trial(settings):
    found = search_page.table(study(), settings)
    assert found["trial"].tolist() == ["digits-000", "digits-001", "digits-002", "digits-003"]
    assert found["state"].tolist() == ["complete", "pruned", "complete", "complete"]
    assert found["model.hidden"].tolist() == ["[100]"] * 4
    assert found["val_accuracy"].isna().tolist() == [False, True, False, False]


def test_the_page_holds_all_and_shows_the_test_figure_of_the_winner_alone(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(search_page, "PLOTS", {"History": search_page.PLOTS["History"]})
    page = search_page.write(tmp_path / "out", study(), settings, RESULT)
    text = page.read_text()
    assert "4 trials: 3 to their end, 1 pruned" in text
    assert text.count('src="data:image/png;base64,') == 1
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert "&lt;b&gt;" in text
    assert "<i>" not in text
    assert "dvc exp apply digits-003-seed-42 &amp;&amp; dvc repro" in text
    assert text.count("0.8750 on test, 95 % interval 0.8500 to 0.9000") == 1
    assert page.with_name("trials.csv").read_text().count("\n") == 5


def test_a_plot_that_cannot_be_drawn_is_replaced_by_the_reason(monkeypatch):
    def refuse(study):
        raise ValueError("all values are equal & one")

    monkeypatch.setattr(optuna.visualization.matplotlib, "plot_slice", refuse)
    monkeypatch.setattr(search_page, "PLOTS", {"Slices": search_page.PLOTS["Slices"]})
    assert list(search_page._plots(study(0))) == [("Slices", "<p>No plot: all values are equal &amp; one</p>")]
