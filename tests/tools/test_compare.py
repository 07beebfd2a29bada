import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from darkroom.tools import compare, experiments
from darkroom.tools.experiments import Experiment
from tests import make

DOUBT = "no evidence"


def experiment(name="one", state="done", created="2026-01-01T00:00:00", log=None, figures=None, **params):
    """An experiment as `experiments.read` gives it; `__` stands for the dot."""
    settings = {"dataset": "digits", "train.seed": 0, "split.seed": 42}
    settings |= {key.replace("__", "."): value for key, value in params.items()}
    figures = {"val.accuracy": 0.9, "test.accuracy": 0.8} if figures is None else figures
    return Experiment(name, name.encode().hex(), state, created, settings, figures, 3.0, log)


def runs(**configurations):
    """Runs whose figure on val is given, seed by seed; on test it is 0.1 less."""
    rows = [
        {"name": f"{name}-{seed}", "configuration": name, "seeds": str(seed), "val": value, "test": value - 0.1}
        for name, values in configurations.items()
        for seed, value in enumerate(values)
    ]
    return pd.DataFrame(rows).assign(seconds=np.nan, epochs=3.0)


def series(values):
    return pd.Series(values, index=[str(seed) for seed in range(len(values))], dtype=float)


# Configurations


def test_only_parameters_that_differ_name_a_configuration():
    settings = [
        {"dataset": "digits", "train.lr": 0.1, "train.epochs": 20, "augment": "auto"},
        {"dataset": "digits", "train.lr": 0.2, "train.epochs": 20, "augment": [{"flip": {}}]},
    ]
    keys = compare.varying(settings)
    assert keys == ["train.lr", "augment"]
    assert compare.describe(settings[0], keys) == "train.lr=0.1, augment=auto"
    assert compare.describe(settings[1], keys) == 'train.lr=0.2, augment=[{"flip": {}}]'


def test_seeds_and_what_cannot_change_the_figures_make_no_configuration():
    one = {"train.seed": 1, "split.seed": 1, "baseline.seed": 1, "errors.worst": 1, "tracking.experiment": None}
    one |= {"inside.max_images": 1, "extract.threads": 1}
    one |= {"train.keep_epochs": False, "train.memory_share": 0.5, "evaluate.batch_size": 512}
    assert compare.varying([one, dict.fromkeys(one, 2)]) == []
    assert compare.describe(one, []) == "all parameters equal"


def test_a_parameter_that_only_some_have_differs():
    settings = [{"train.lr": 1}, {"train.lr": 1, "train.clip": None}]
    assert compare.varying(settings) == ["train.clip"]
    assert [compare.describe(item, ["train.clip"]) for item in settings] == ["train.clip=-", "train.clip=null"]


def test_one_and_one_point_zero_are_equal_but_not_true():
    assert compare.varying([{"a": 1}, {"a": 1.0}]) == []
    assert compare.varying([{"a": 1}, {"a": True}]) == ["a"]


def test_a_seed_counts_only_where_it_varies():
    several = [experiment(train__seed=1), experiment(train__seed=2)]
    assert compare.rows_of(several, "accuracy", {})["seeds"].tolist() == ["1", "2"]
    several.append(experiment(train__seed=1, split__seed=7))
    assert compare.rows_of(several, "accuracy", {})["seeds"].tolist() == ["1/42", "2/42", "1/7"]


def test_rows_hold_figures_times_and_gaps():
    several = [experiment("a"), experiment("b", figures={"val.accuracy": 0.5}), experiment("c", "queued", figures={})]
    rows = compare.rows_of(several, "accuracy", {"a": 12.5}).set_index("name")
    assert rows.loc["a", ["val", "test", "seconds", "epochs"]].tolist() == [0.9, 0.8, 12.5, 3]
    assert rows.loc["b", ["test", "seconds"]].isna().all()
    assert rows.loc["c", ["val", "test"]].isna().all()


def test_configurations_are_told_apart_within_their_data_set():
    several = [experiment("a"), experiment("b", dataset="mnist", train__lr=0.1)]
    rows = compare.rows_of(several, "accuracy", {})
    assert rows["configuration"].tolist() == ["all parameters equal"] * 2


def test_of_equal_runs_the_last_one_counts():
    several = [
        experiment("old", created="2026-01-01T00:00:00"),
        experiment("new", created="2026-01-02T00:00:00"),
        experiment("other", train__seed=1),
    ]
    kept = compare.latest(compare.rows_of(several, "accuracy", {}))
    assert sorted(kept["name"]) == ["new", "other"]


# Statistics


def test_mean_spread_and_confidence_interval_by_hand():
    # 2, 4, 4, 6: mean 4, sample variance 8/3; t(0.975, 3) = 3.182446 from a table.
    found = compare.mean_of(pd.Series([2.0, 4.0, 4.0, 6.0]))
    assert found["mean"] == 4
    assert found["sd"] == pytest.approx((8 / 3) ** 0.5)
    assert found["high"] - found["mean"] == pytest.approx(3.182446 * (8 / 3) ** 0.5 / 2, rel=1e-6)
    assert found["low"] + found["high"] == pytest.approx(8)


def test_of_one_value_nothing_but_the_mean_is_known():
    found = compare.mean_of(pd.Series([0.5]))
    assert found["mean"] == 0.5
    assert np.isnan([found["sd"], found["low"], found["high"]]).all()


def test_the_paired_test_by_hand():
    # Gaps 1, 2, 3: mean 2, sd 1, t = 2 * sqrt(3) = 3.4641 with 2 degrees of freedom.
    pairs, p = compare.against(series([1, 2, 3]), series([0, 0, 0]))
    assert (pairs, p) == (3, pytest.approx(2 * stats.t.sf(12**0.5, 2)))


def test_only_common_seeds_are_paired():
    first = pd.Series([0.9, 0.8, 0.7], index=["3", "1", "2"])
    second = pd.Series([0.1, 0.3, np.nan, 0.5], index=["1", "2", "3", "9"])
    expected = stats.ttest_rel([0.8, 0.7], [0.1, 0.3]).pvalue
    assert compare.against(first, second) == (2, pytest.approx(expected))


@pytest.mark.parametrize(
    ("first", "second", "pairs"),
    [([0.9], [0.8], 1), ([], [0.8], 0), ([np.nan, 0.9], [0.8, 0.7], 1), ([np.nan] * 3, [0.8] * 3, 0)],
)
def test_fewer_than_two_pairs_are_too_few(first, second, pairs):
    found, p = compare.against(series(first), series(second))
    assert found == pairs
    assert np.isnan(p)
    assert compare.verdict(found, p) == "too few seeds"


def test_no_gap_in_any_pair_is_no_evidence():
    pairs, p = compare.against(series([0.1, 0.2, 0.3]), series([0.1, 0.2, 0.3]))
    assert (pairs, p) == (3, 1)
    assert compare.verdict(pairs, p) == "no evidence (p=1)"


@pytest.mark.filterwarnings("error")
def test_the_same_gap_in_each_pair_is_not_called_a_difference():
    # 0.9 - 0.8 and 0.8 - 0.7 differ in their last bit: rounding is no spread.
    pairs, p = compare.against(series([0.9, 0.8]), series([0.8, 0.7]))
    assert np.isnan(p)
    assert compare.verdict(pairs, p) == "same gap each time"


def test_holm_by_hand():
    found = compare.holm(pd.Series([0.01, np.nan, 0.04, 0.03, 0.9]))
    # In order 0.01 * 4, 0.03 * 3, max(0.04 * 2, 0.09), 0.9 * 1.
    assert found.tolist() == pytest.approx([0.04, np.nan, 0.09, 0.09, 0.9], nan_ok=True)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_p_and_keeps_its_order(values):
    p = pd.Series(values, dtype=float)
    found = compare.holm(p)
    assert ((found >= p) & (found <= 1)).all()
    assert (found.iloc[p.argsort(kind="stable")].diff().dropna() >= 0).all()


@pytest.mark.parametrize(
    ("p", "said"),
    [
        (0.00001, "differs (p<0.001)"),
        (0.0031, "differs (p=0.0031)"),
        (0.05, "no evidence (p=0.05)"),
        (1.0, "no evidence (p=1)"),
    ],
)
def test_what_the_test_says(p, said):
    assert compare.verdict(5, p) == said


figures = st.lists(st.integers(0, 360).map(lambda right: round(right / 360, 4)), min_size=2, max_size=6)


@given(figures, figures, st.floats(-1, 1))
def test_a_constant_added_to_both_changes_nothing(first, second, constant):
    pairs, p = compare.against(series(first), series(second))
    moved, q = compare.against(series(first) + constant, series(second) + constant)
    assert (moved, q) == (pairs, pytest.approx(p, rel=1e-4, abs=1e-9, nan_ok=True))


@given(figures, figures)
def test_p_is_the_same_from_both_sides_and_that_of_scipy(first, second):
    pairs, p = compare.against(series(first), series(second))
    assert compare.against(series(second), series(first)) == (pairs, pytest.approx(p, nan_ok=True))
    if not np.isnan(p) and p < 1:
        assert p == pytest.approx(stats.ttest_rel(first[:pairs], second[:pairs]).pvalue)


@settings(max_examples=20)
@given(figures, figures, figures, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(first, second, third, random):
    table = runs(a=first, b=second, c=third)
    order = list(range(len(table)))
    random.shuffle(order)
    shuffled = table.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(compare.compare(table, "val"), compare.compare(shuffled, "val"), check_exact=True)


def test_the_best_on_val_comes_first_whatever_test_says():
    table = runs(a=[0.5, 0.6], b=[0.8, 0.7])
    table.loc[table["configuration"] == "a", "test"] = 1.0
    found = compare.compare(table, "test")
    assert found["configuration"].tolist() == ["b", "a"]
    assert found["verdict"].tolist()[0] == "best"
    assert found["experiments"].tolist() == ["b-0 b-1", "a-1 a-0"]
    assert compare.compare(table, "val", lower_is_better=True)["configuration"].tolist() == ["a", "b"]
    assert compare.compare(table, "val", lower_is_better=True)["experiments"].tolist() == ["a-0 a-1", "b-1 b-0"]


def test_configurations_are_compared_on_the_chosen_split():
    table = runs(a=[0.91, 0.92, 0.94], b=[0.51, 0.50, 0.53])
    table.loc[table["configuration"] == "a", "test"] = [0.3, 0.5, 0.4]
    table.loc[table["configuration"] == "b", "test"] = [0.5, 0.4, 0.3]
    on_val, on_test = (compare.compare(table, split)["verdict"].tolist() for split in ("val", "test"))
    assert on_val[1].startswith("differs")
    assert on_test[1].startswith(DOUBT)


def test_what_is_better_over_the_common_seeds_does_not_look_worse():
    # The best has also easy seeds, which the other one was not run with.
    few, all_seeds = [0.811, 0.822, 0.831], [0.800, 0.810, 0.820, 0.990, 0.990]
    found = compare.compare(runs(few=few, all_seeds=all_seeds), "val")
    assert found["configuration"].tolist() == ["all_seeds", "few"]
    assert found["verdict"].tolist() == ["best", "better (p<0.001)"]
    losses = runs(few=[1 - value for value in few], all_seeds=[1 - value for value in all_seeds])
    found = compare.compare(losses, "val", lower_is_better=True)
    assert found["verdict"].tolist() == ["best", "better (p<0.001)"]
    table = runs(a=[0.9, 0.9, 0.9], b=[0.8, 0.8, 0.8])
    table["test"] = [0.500, 0.510, 0.520, 0.601, 0.612, 0.621]
    assert compare.compare(table, "test")["verdict"].tolist()[1].startswith("better")


def test_p_is_corrected_for_the_number_of_comparisons():
    table = runs(a=[0.91, 0.92, 0.94], b=[0.81, 0.80, 0.83], c=[0.72, 0.70, 0.71])
    found = compare.compare(table, "val").set_index("configuration")
    single = compare.compare(table[table["configuration"] != "c"], "val").set_index("configuration")
    assert found.loc["b", "p"] >= single.loc["b", "p"]
    assert np.isnan(found.loc["a", "p"])


def test_runs_without_figures_do_not_count():
    table = runs(a=[0.9, np.nan, 0.8], b=[np.nan, np.nan, np.nan])
    found = compare.compare(table, "val")
    assert found["configuration"].tolist() == ["a"]
    assert found["n"].tolist() == [2]
    assert found["seeds"].tolist() == ["0 2"]
    assert compare.compare(table.iloc[3:], "val").empty


def test_one_configuration_is_the_best_without_a_test():
    found = compare.compare(runs(a=[0.9]), "val")
    assert found[["n", "verdict"]].to_numpy().tolist() == [[1, "best"]]


# The command


@pytest.fixture
def command(monkeypatch, tmp_path, capsys):
    """Runs `show` over given experiments, as in a repository; returns what was printed."""
    monkeypatch.chdir(tmp_path)

    def run(several, *names, metric="val.accuracy", seconds=None):
        monkeypatch.setattr(experiments, "read", lambda: several)
        monkeypatch.setattr(experiments, "seconds", lambda names: seconds or {})
        compare.show(names, metric)
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
    assert max(map(len, printed.splitlines())) <= compare.WIDTH
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


@pytest.mark.parametrize("metric", ["accuracy", "val.f1", "train.accuracy", "val.", ""])
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


def test_what_is_not_known_is_no_word_in_the_files(command):
    command(grid(seeds=[0]))
    assert "nan" not in (compare.TABLE.read_text() + compare.TEXT.read_text()).lower()
