import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from darkroom.tools import comparison_statistics

DOUBT = "no evidence"


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


def test_mean_spread_and_confidence_interval_by_hand():
    # 2, 4, 4, 6: mean 4, sample variance 8/3; t(0.975, 3) = 3.182446 from a table.
    found = comparison_statistics.mean_of(pd.Series([2.0, 4.0, 4.0, 6.0]))
    assert found["mean"] == 4
    assert found["sd"] == pytest.approx((8 / 3) ** 0.5)
    assert found["high"] - found["mean"] == pytest.approx(3.182446 * (8 / 3) ** 0.5 / 2, rel=1e-6)
    assert found["low"] + found["high"] == pytest.approx(8)


def test_of_one_value_nothing_but_the_mean_is_known():
    found = comparison_statistics.mean_of(pd.Series([0.5]))
    assert found["mean"] == 0.5
    assert np.isnan([found["sd"], found["low"], found["high"]]).all()


def test_the_paired_test_by_hand():
    # Gaps 1, 2, 3: mean 2, sd 1, t = 2 * sqrt(3) = 3.4641 with 2 degrees of freedom.
    pairs, p = comparison_statistics.paired_test(series([1, 2, 3]), series([0, 0, 0]))
    assert (pairs, p) == (3, pytest.approx(2 * stats.t.sf(12**0.5, 2)))


def test_only_common_seeds_are_paired():
    first = pd.Series([0.9, 0.8, 0.7], index=["3", "1", "2"])
    second = pd.Series([0.1, 0.3, np.nan, 0.5], index=["1", "2", "3", "9"])
    expected = stats.ttest_rel([0.8, 0.7], [0.1, 0.3]).pvalue
    assert comparison_statistics.paired_test(first, second) == (2, pytest.approx(expected))


@pytest.mark.parametrize(
    ("first", "second", "pairs"),
    [([0.9], [0.8], 1), ([], [0.8], 0), ([np.nan, 0.9], [0.8, 0.7], 1), ([np.nan] * 3, [0.8] * 3, 0)],
)
def test_fewer_than_two_pairs_are_too_few(first, second, pairs):
    found, p = comparison_statistics.paired_test(series(first), series(second))
    assert found == pairs
    assert np.isnan(p)
    assert comparison_statistics.verdict(found, p) == "too few seeds"


def test_no_gap_in_any_pair_is_no_evidence():
    pairs, p = comparison_statistics.paired_test(series([0.1, 0.2, 0.3]), series([0.1, 0.2, 0.3]))
    assert (pairs, p) == (3, 1)
    assert comparison_statistics.verdict(pairs, p) == "no evidence (p=1)"


@pytest.mark.filterwarnings("error")
def test_the_same_gap_in_each_pair_is_not_called_a_difference():
    # 0.9 - 0.8 and 0.8 - 0.7 differ in their last bit: rounding is no spread.
    pairs, p = comparison_statistics.paired_test(series([0.9, 0.8]), series([0.8, 0.7]))
    assert np.isnan(p)
    assert comparison_statistics.verdict(pairs, p) == "same gap each time"


def test_holm_by_hand():
    found = comparison_statistics.holm(pd.Series([0.01, np.nan, 0.04, 0.03, 0.9]))
    # In order 0.01 * 4, 0.03 * 3, max(0.04 * 2, 0.09), 0.9 * 1.
    assert found.tolist() == pytest.approx([0.04, np.nan, 0.09, 0.09, 0.9], nan_ok=True)


@given(st.lists(st.floats(0, 1), max_size=8))
def test_holm_never_lowers_p_and_keeps_its_order(values):
    p = pd.Series(values, dtype=float)
    found = comparison_statistics.holm(p)
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
    assert comparison_statistics.verdict(5, p) == said


figures = st.lists(st.integers(0, 360).map(lambda right: round(right / 360, 4)), min_size=2, max_size=6)


@given(figures, figures, st.floats(-1, 1))
def test_a_constant_added_to_both_changes_nothing(first, second, constant):
    pairs, p = comparison_statistics.paired_test(series(first), series(second))
    moved, q = comparison_statistics.paired_test(series(first) + constant, series(second) + constant)
    assert (moved, q) == (pairs, pytest.approx(p, rel=1e-4, abs=1e-9, nan_ok=True))


@given(figures, figures)
def test_p_is_the_same_from_both_sides_and_that_of_scipy(first, second):
    pairs, p = comparison_statistics.paired_test(series(first), series(second))
    assert comparison_statistics.paired_test(series(second), series(first)) == (pairs, pytest.approx(p, nan_ok=True))
    if not np.isnan(p) and p < 1:
        assert p == pytest.approx(stats.ttest_rel(first[:pairs], second[:pairs]).pvalue)


@settings(max_examples=20)
@given(figures, figures, figures, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(first, second, third, random):
    table = runs(a=first, b=second, c=third)
    order = list(range(len(table)))
    random.shuffle(order)
    shuffled = table.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        comparison_statistics.compare(table, "val"), comparison_statistics.compare(shuffled, "val"), check_exact=True
    )


def test_the_best_on_val_comes_first_whatever_test_says():
    table = runs(a=[0.5, 0.6], b=[0.8, 0.7])
    table.loc[table["configuration"] == "a", "test"] = 1.0
    found = comparison_statistics.compare(table, "test")
    assert found["configuration"].tolist() == ["b", "a"]
    assert found["verdict"].tolist()[0] == "best"
    assert found["experiments"].tolist() == ["b-0 b-1", "a-1 a-0"]
    assert comparison_statistics.compare(table, "val", lower_is_better=True)["configuration"].tolist() == ["a", "b"]
    assert comparison_statistics.compare(table, "val", lower_is_better=True)["experiments"].tolist() == [
        "a-0 a-1",
        "b-1 b-0",
    ]


def test_configurations_are_compared_on_the_chosen_split():
    table = runs(a=[0.91, 0.92, 0.94], b=[0.51, 0.50, 0.53])
    table.loc[table["configuration"] == "a", "test"] = [0.3, 0.5, 0.4]
    table.loc[table["configuration"] == "b", "test"] = [0.5, 0.4, 0.3]
    on_val, on_test = (comparison_statistics.compare(table, split)["verdict"].tolist() for split in ("val", "test"))
    assert on_val[1].startswith("differs")
    assert on_test[1].startswith(DOUBT)


def test_what_is_better_over_the_common_seeds_does_not_look_worse():
    # The best has also easy seeds, which the other one was not run with.
    few, all_seeds = [0.811, 0.822, 0.831], [0.800, 0.810, 0.820, 0.990, 0.990]
    found = comparison_statistics.compare(runs(few=few, all_seeds=all_seeds), "val")
    assert found["configuration"].tolist() == ["all_seeds", "few"]
    assert found["verdict"].tolist() == ["best", "better (p<0.001)"]
    losses = runs(few=[1 - value for value in few], all_seeds=[1 - value for value in all_seeds])
    found = comparison_statistics.compare(losses, "val", lower_is_better=True)
    assert found["verdict"].tolist() == ["best", "better (p<0.001)"]
    table = runs(a=[0.9, 0.9, 0.9], b=[0.8, 0.8, 0.8])
    table["test"] = [0.500, 0.510, 0.520, 0.601, 0.612, 0.621]
    assert comparison_statistics.compare(table, "test")["verdict"].tolist()[1].startswith("better")


def test_p_is_corrected_for_the_number_of_comparisons():
    table = runs(a=[0.91, 0.92, 0.94], b=[0.81, 0.80, 0.83], c=[0.72, 0.70, 0.71])
    found = comparison_statistics.compare(table, "val").set_index("configuration")
    single = comparison_statistics.compare(table[table["configuration"] != "c"], "val").set_index("configuration")
    assert found.loc["b", "p"] >= single.loc["b", "p"]
    assert np.isnan(found.loc["a", "p"])


def test_runs_without_figures_do_not_count():
    table = runs(a=[0.9, np.nan, 0.8], b=[np.nan, np.nan, np.nan])
    found = comparison_statistics.compare(table, "val")
    assert found["configuration"].tolist() == ["a"]
    assert found["n"].tolist() == [2]
    assert found["seeds"].tolist() == ["0 2"]
    assert comparison_statistics.compare(table.iloc[3:], "val").empty


def test_one_configuration_is_the_best_without_a_test():
    found = comparison_statistics.compare(runs(a=[0.9, 0.8]), "val")
    assert found[["n", "verdict"]].to_numpy().tolist() == [[2, "best"]]


def test_single_runs_come_last_without_a_rank():
    found = comparison_statistics.compare(runs(a=[0.99], b=[0.5, 0.6], c=[1.0], d=[0.7, 0.8]), "val")
    assert found.index.tolist() == ["1", "2", "a", "b"]
    assert found["configuration"].tolist() == ["d", "b", "c", "a"]
    assert found["verdict"].tolist()[::2] == ["best", "not ranked"]
    assert found["p"].isna().tolist() == [True, True, True, True]  # the gap of b is the same each time


def test_of_single_runs_alone_none_is_the_best():
    found = comparison_statistics.compare(runs(**{f"c{number}": [number / 100] for number in range(28)}), "val")
    assert found.index.tolist()[0] == "a"
    assert found.index.tolist()[-2:] == ["aa", "ab"]
    assert set(found["verdict"]) == {"not ranked"}
