import numpy as np
import pandas as pd
import pytest

from darkroom.tools import compare, compared_runs, comparison_text, experiments, image_intervals, mlflow_runs
from tests import make
from tests.tools.test_configurations import experiment


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Runs `show` over given experiments, as in a repository; returns what was printed."""
    monkeypatch.chdir(tmp_path)

    def run(several, *names, metric="val.accuracy", seconds=None, **which):
        monkeypatch.setattr(compared_runs, "commits", lambda wanted: wanted)
        for module in (experiments, mlflow_runs):
            monkeypatch.setattr(module, "read", lambda *commits: several)
        monkeypatch.setattr(compared_runs, "with_records", list)
        monkeypatch.setattr(experiments, "training_seconds", lambda names: seconds or {})
        monkeypatch.setattr(image_intervals, "predictions", lambda revision, split: None)
        compare.show(names, metric, **which)
        return capsys.readouterr().out

    return run


def grid(rates=(0.1, 0.2), seeds=range(5), **params):
    """Experiments over learning rates and seeds; the higher rate has the higher figures, by a gap that varies."""
    return [
        experiment(
            f"lr{rate}-{seed}",
            figures={
                f"{split}.{figure}": round(base + rate / 10 + seed / 100 + (seed * rate) ** 2 / 50, 4)
                for split, base in (("val", 0.8), ("test", 0.7))
                for figure in ("accuracy", "log_loss", "ece")
            }
            | {"baselines.test_accuracy.network": 0.9},
            **{"train__lr": rate, "train__seed": seed} | params,
        )
        for rate in rates
        for seed in seeds
    ]


def test_the_table_is_printed_and_written(command):
    printed = command(grid(), seconds={"lr0.1-0": 3.0, "lr0.1-1": 5.0})
    assert "digits: accuracy, 10 runs of 2 configurations" in printed
    assert " 1: train.lr=0.2\n 2: train.lr=0.1\n" in printed
    assert "4.0 s" in printed
    assert "next: dvc exp apply lr0.2-4" in printed
    table = pd.read_csv(compare.TABLE)
    assert table["configuration"].tolist() == ["train.lr=0.2", "train.lr=0.1"]
    assert table["n"].tolist() == [5, 5]
    assert table["seconds"].tolist() == pytest.approx([np.nan, 4], nan_ok=True)
    written = compare.TEXT.read_text()
    assert "| 1 | train.lr=0.2 | 5 |" in written
    assert "paired t-test of val.accuracy" in written
    assert command(grid(), seconds={"lr0.1-0": 3.0, "lr0.1-1": 5.0}) == printed


@pytest.mark.parametrize("metric", ["test.log_loss", "test.ece"])
def test_a_lower_loss_or_calibration_error_is_better(command, metric):
    command(grid(), metric=metric)
    assert pd.read_csv(compare.TABLE)["configuration"].tolist() == ["train.lr=0.1", "train.lr=0.2"]
    assert f"paired t-test of {metric}" in compare.TEXT.read_text()


def test_long_configurations_stay_within_a_terminal(command):
    changes = [{"affine": {"degrees": 10, "scale": 0.1, "shift": 0.1}}, {"erase": {"share": 0.25}}, {"flip": {}}]
    several = grid(rates=[rate / 100 for rate in range(1, 13)], seeds=range(10))
    for place, item in enumerate(several):
        item.params["augment"] = changes[: 1 + place // 10 % 3]
        item.params["model.layers"] = "-".join(["128P"] * (1 + place // 10))
    printed = command(several, seconds={item.name: 5994.0 for item in several})
    assert max(map(len, printed.splitlines())) <= comparison_text.WIDTH
    assert "12: " in printed


def test_equal_runs_count_once_and_this_is_said(command):
    again = experiment("again", created="2026-02-01T00:00:00", train__lr=0.2, train__seed=0)
    printed = command([*grid(), again])
    assert "not counted: lr0.2-0, with configuration and seeds of the later again" in printed
    assert pd.read_csv(compare.TABLE)["n"].tolist() == [5, 5]


def test_runs_without_figures_are_named(command):
    printed = command([*grid(), experiment("empty", figures={}, train__lr=0.3)])
    assert "not counted: empty, which has no val.accuracy or no test.accuracy" in printed


def test_failed_tasks_are_named_with_the_end_of_their_log(command, tmp_path):
    log = tmp_path / "task.out"
    log.write_text("\n".join(f"line {number}" for number in range(20)))
    several = [*grid(), experiment("bad", "failed", figures={}, log=log, train__lr=9, train__seed=3)]
    printed = command(several)
    assert "failed: bad (train.lr=9; seed 3)\n    line 15\n" in printed
    assert "line 14" not in printed
    assert "failed: bad" in compare.TEXT.read_text()
    assert "bad" not in compare.TABLE.read_text()


def test_what_has_not_finished_is_counted_apart(command):
    several = [*grid(), experiment("q", "queued", figures={}), experiment("r", "running", figures={})]
    assert "not in the table: 1 queued, 1 running" in command(several)


def test_each_data_set_has_its_own_table(command):
    printed = command(grid() + grid(rates=[0.1], dataset="mnist"))
    assert "digits: accuracy, 10 runs of 2 configurations" in printed
    assert "mnist: accuracy, 5 runs of 1 configuration\n" in printed
    assert pd.read_csv(compare.TABLE)["dataset"].tolist() == ["digits", "digits", "mnist"]


def test_a_new_division_of_the_images_is_a_seed_and_this_is_said(command):
    several = grid() + [
        experiment(f"{item.name}-again", figures=item.figures, **{k.replace(".", "__"): v for k, v in params.items()})
        for item in grid()
        for params in [item.params | {"split.seed": 7}]
    ]
    assert "split.seed varies" in command(several)
    assert pd.read_csv(compare.TABLE)["n"].tolist() == [10, 10]
    assert "split.seed varies" not in command(grid())


def test_names_restrict_the_table(command):
    command(grid(), "lr0.1-1", "lr0.1-2")
    assert pd.read_csv(compare.TABLE)["seeds"].tolist() == ["1 2"]


@pytest.mark.parametrize(
    ("metric", "means"),
    [
        ("accuracy", "val.accuracy"),
        ("loss", "val.log_loss"),
        ("macro_f1", "val.macro_f1"),
        ("balanced_accuracy", "val.balanced_accuracy"),
        ("auc", "val.roc_auc"),
        ("val.roc_auc", "val.roc_auc"),
        ("test.kappa", "test.quadratic_kappa"),
    ],
)
def test_every_score_ranks_by_its_name_or_that_of_its_figure(command, metric, means):
    figure = means.partition(".")[2]
    several = [
        experiment(f"{rate}", figures={f"{split}.{figure}": rate for split in ("val", "test")}, train__lr=rate)
        for rate in (0.25, 0.5)
    ]
    printed = command(several, metric=metric)
    assert f"digits: {figure}, 2 runs of 2 configurations" in printed
    assert f"paired t-test of {means}" in " ".join(printed.split())
    best = "0.25" if figure == "log_loss" else "0.5"
    assert pd.read_csv(compare.TABLE)["configuration"].iloc[0] == f"train.lr={best}"


@pytest.mark.parametrize("metric", ["f1", "val.f1", "train.accuracy", "val.", "", "val.val.accuracy"])
def test_an_unknown_metric_is_answered_by_the_known_ones(command, metric):
    said = make.refusal(lambda: command(grid(), metric=metric))
    assert said.endswith("accuracy, log_loss, ece")
    assert make.is_one_line(said)


def test_without_experiments_the_commands_that_make_some_are_named(command):
    said = make.refusal(lambda: command([]))
    assert "dvc exp run --queue" in said
    assert "dvc queue start" in said
    assert make.is_one_line(said)


def test_failures_are_shown_even_if_nothing_has_finished(command, capsys):
    said = make.refusal(
        lambda: command([experiment("bad", "failed", figures={}), experiment("q", "queued", figures={})])
    )
    assert "1 queued" in said
    assert "failed: bad" in capsys.readouterr().out
    assert not compare.TABLE.exists()


def test_single_runs_are_compared_over_their_images(command):
    printed = command(grid(seeds=[0]), metric="test.accuracy")
    assert "resamples of the images of test" in printed
    assert " b against a: no interval, DVC does not have data/predictions.parquet of both\n" in printed
    assert " b against a: no interval" in compare.TEXT.read_text()
    assert ": no interval" not in command(grid())


def test_single_runs_are_shown_and_not_ranked(command):
    once = experiment("once", train__lr=0.3, figures={"val.accuracy": 0.5, "test.accuracy": 1})
    printed = command([*grid(), once])
    assert "\na  1  0.5000 " in printed
    assert "not ranked" in printed
    assert "next: dvc exp apply lr0.2-4" in printed
    table = pd.read_csv(compare.TABLE)
    assert table["rank"].tolist()[:2] == [1, 2]
    assert table["rank"].isna().tolist() == [False, False, True]
    assert "next: dvc exp run --queue -S train.seed=" in command(grid(seeds=[0]))


@pytest.mark.parametrize(("metric", "first"), [("accuracy", 1), ("log_loss", 0)])
def test_where_a_single_run_leads_more_seeds_come_first(command, metric, first):
    once = experiment("once", train__lr=0.3, figures={f"val.{metric}": first, f"test.{metric}": first})
    assert "next: dvc exp run --queue -S train.seed=" in command([*grid(), once], metric=metric)


def test_what_is_left_out_distinguishes_no_configuration(command):
    stale = experiment("stale", train__lr=0.3, split__seed=7, augment=[], record={"doubt": "it is old"})
    printed = command([*grid(), stale])
    assert " 1: train.lr=0.2\n" in printed
    assert "split.seed varies" not in printed


def test_the_committed_state_is_a_row(command):
    head = experiment("HEAD", train__lr=0.3)
    assert " a: train.lr=0.3 (with HEAD)\n" in command([*grid(), head])
    assert "the committed state is the best" in command([
        experiment("HEAD", train__seed=8), experiment(train__seed=9)
    ])  # fmt: skip


def test_what_does_not_hold_its_own_figures_is_left_out_with_the_reason(command):
    stale = experiment("stale", train__lr=0.3, record={"doubt": "its stage train did not run"})
    printed = command([*grid(), stale])
    assert "left out: stale: its stage train did not run\n" in printed
    assert "left out: stale" in compare.TEXT.read_text()
    assert "stale" not in compare.TABLE.read_text()
    assert "10 runs of 2 configurations" in printed


def test_without_a_run_that_counts_the_reasons_are_printed(command, capsys):
    said = make.refusal(lambda: command([experiment("stale", record={"doubt": "it is old"})]))
    assert "no run can be compared" in said
    assert capsys.readouterr().out == "left out: stale: it is old\n"


def test_the_committed_state_alone_is_no_comparison_unless_commits_are_asked_for(command):
    assert "no experiments on this commit" in make.refusal(lambda: command([experiment("HEAD")]))
    assert "1 run of 1 configuration" in command([experiment("HEAD")], commits="a..b")


def test_code_that_differs_is_told(command):
    several = grid()
    for place, item in enumerate(several):
        several[place] = experiment(item.name, figures=item.figures, record={"code": "ab" if place else "cd"}, **{
            key.replace(".", "__"): value for key, value in item.params.items()
        })  # fmt: skip
    assert " 2: mixed, cd (lr0.1-0); ab (lr0.1-1, lr0.1-2, lr0.1-3, lr0.1-4)" in command(several)


def test_conditions_restrict_the_table(command):
    assert "5 runs of 1 configuration" in command(grid(), where=["train.lr=0.10"])
    assert "no run has it, train.lr is 0.1, 0.2" in make.refusal(lambda: command(grid(), where=["train.lr=3"]))


def test_what_is_not_known_is_no_word_in_the_files(command):
    command(grid(seeds=[0]))
    assert "nan" not in (compare.TABLE.read_text() + compare.TEXT.read_text()).lower()


def test_runs_of_mlflow_are_not_applied_and_their_code_is_told_by_commits(command):
    printed = command(grid(), commits=compared_runs.MLFLOW)
    assert "dvc exp apply" not in printed
    assert "look at lr0.2-4" in printed
    assert "told by their commits" in printed
    assert "told by their commits" not in command(grid())
