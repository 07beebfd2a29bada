from darkroom.tools import configurations
from darkroom.tools.experiments import Experiment, RunRecord


def experiment(name="one", state="done", created="2026-01-01T00:00:00", log=None, figures=None, record=None, **params):
    """An experiment as `compared_runs.with_records` gives it; `__` stands for the dot, `record` has what differs."""
    settings = {"dataset": "digits", "train.seed": 0, "split.seed": 42}
    settings |= {key.replace("__", "."): value for key, value in params.items()}
    figures = {"val.accuracy": 0.9, "test.accuracy": 0.8} if figures is None else figures
    return Experiment(
        name,
        name.encode().hex(),
        state,
        created,
        settings,
        figures,
        3.0,
        log,
        name == "HEAD",
        RunRecord(**record or {}),
    )


def test_only_parameters_that_differ_name_a_configuration():
    settings = [
        {"dataset": "digits", "train.lr": 0.1, "train.epochs": 20, "augment": "auto"},
        {"dataset": "digits", "train.lr": 0.2, "train.epochs": 20, "augment": [{"flip": {}}]},
    ]
    keys = configurations.varying(settings)
    assert keys == ["train.lr", "augment"]
    assert configurations.describe(settings[0], keys) == "train.lr=0.1, augment=auto"
    assert configurations.describe(settings[1], keys) == 'train.lr=0.2, augment=[{"flip": {}}]'


def test_seeds_and_what_cannot_change_the_figures_make_no_configuration():
    one = {"train.seed": 1, "split.seed": 1, "baseline.seed": 1, "errors.worst": 1, "tracking.experiment": None}
    one |= {"inside.max_images": 1, "extract.threads": 1, "train.threads": 1, "fetch.archive.digits": None}
    one |= {"train.keep_epochs": False, "train.memory_share": 0.5, "evaluate.batch_size": 512}
    assert configurations.varying([one, dict.fromkeys(one, 2)]) == []
    assert configurations.describe(one, []) == "all parameters equal"


def test_a_parameter_that_only_some_have_differs():
    settings = [{"train.lr": 1}, {"train.lr": 1, "train.clip": None}]
    assert configurations.varying(settings) == ["train.clip"]
    assert [configurations.describe(item, ["train.clip"]) for item in settings] == ["train.clip=-", "train.clip=null"]


def test_one_and_one_point_zero_are_equal_but_not_true():
    assert configurations.varying([{"a": 1}, {"a": 1.0}]) == []
    assert configurations.varying([{"a": 1}, {"a": True}]) == ["a"]


def test_a_seed_counts_only_where_it_varies():
    several = [experiment(train__seed=1), experiment(train__seed=2)]
    assert configurations.rows_of(several, "accuracy", {})["seeds"].tolist() == ["1", "2"]
    several.append(experiment(train__seed=1, split__seed=7))
    assert configurations.rows_of(several, "accuracy", {})["seeds"].tolist() == ["1/42", "2/42", "1/7"]


def test_rows_hold_figures_times_and_gaps():
    several = [experiment("a"), experiment("b", figures={"val.accuracy": 0.5}), experiment("c", "queued", figures={})]
    rows = configurations.rows_of(several, "accuracy", {"a": 12.5}).set_index("name")
    assert rows.loc["a", ["val", "test", "seconds", "epochs"]].tolist() == [0.9, 0.8, 12.5, 3]
    assert rows.loc["b", ["test", "seconds"]].isna().all()
    assert rows.loc["c", ["val", "test"]].isna().all()


def test_configurations_are_told_apart_within_their_data_set():
    several = [experiment("a"), experiment("b", dataset="mnist", train__lr=0.1)]
    rows = configurations.rows_of(several, "accuracy", {})
    assert rows["configuration"].tolist() == ["all parameters equal"] * 2


def tables(*records):
    several = [experiment(str(place), record=record) for place, record in enumerate(records)]
    return configurations.rows_of(several, "accuracy", {})["table"].tolist()


def test_other_images_have_another_table():
    assert tables({"data": "a" * 32}, {"data": "a" * 32}) == ["digits"] * 2
    assert tables({"data": "a" * 32}, {}) == ["digits (images aaaaaaa)", "digits (images unknown)"]
    assert tables({"data": "a" * 32}, {"data": "b", "doubt": "old"}) == ["digits", "digits, not counted"]
    assert tables({}, {"as_written": True}) == ["digits", "digits, parameters as written"]


def test_configurations_are_told_apart_within_their_table():
    several = [experiment("a", record={"data": "a"}), experiment("b", train__lr=0.1, record={"data": "b"})]
    assert configurations.rows_of(several, "accuracy", {})["configuration"].tolist() == ["all parameters equal"] * 2


def seeds(*divisions, **params):
    several = [experiment(str(place), record={"division": one}, **params) for place, one in enumerate(divisions)]
    return configurations.rows_of(several, "accuracy", {})["seeds"].tolist()


def test_runs_of_different_divisions_are_not_paired():
    assert seeds("a" * 32, "a" * 32, "") == ["0", "0", "0"]
    assert seeds("a" * 32, "b" * 32) == ["0@aaaaaaa", "0@bbbbbbb"]


def test_of_equal_runs_the_last_one_counts():
    several = [
        experiment("old", created="2026-01-01T00:00:00"),
        experiment("new", created="2026-01-02T00:00:00"),
        experiment("other", train__seed=1),
    ]
    kept = configurations.latest(configurations.rows_of(several, "accuracy", {}))
    assert sorted(kept["name"]) == ["new", "other"]
