import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import save_file

from darkroom.tools import differences


@pytest.fixture
def told(tmp_path):
    def tell(suffix, was, now, write):
        files = tmp_path / f"was{suffix}", tmp_path / f"now{suffix}"
        for file, content in zip(files, (was, now), strict=True):
            write(content, file)
        return differences.between(*files)

    return tell


def save_json(content, file):
    file.write_text(json.dumps(content))


def save_table(table, file):
    table.to_csv(file, index=False) if file.suffix == ".csv" else table.to_parquet(file, index=False)


def test_figures_of_json_are_named_with_what_they_were(told):
    was = {"test": {"accuracy": 0.5, "images": 10}, "gone": 1, "same": [1, 2]}
    now = {"test": {"accuracy": 0.25, "images": 10}, "new": None, "same": [1, 2]}
    said = told(".json", was, now, save_json)
    assert said == "test.accuracy was 0.5, is 0.25; gone was 1, is absent; new was absent, is null"


def test_of_many_figures_some_are_named_and_the_rest_counted(told):
    said = told(".json", dict.fromkeys("abcdefgh", 1), dict.fromkeys("abcdefgh", 2), save_json)
    assert said.startswith("a was 1, is 2; b was")
    assert said.endswith("and 3 more")


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_tables_by_column(told, suffix):
    was = pd.DataFrame({"epoch": [1, 2, 3], "loss": [0.5, 0.25, 0.125]})
    assert told(suffix, was, was.assign(loss=[0.5, 0.5, 0.0]), save_table) == (
        "loss of 2 of 3 rows (row 2 was 0.25, is 0.5)"
    )
    assert told(suffix, was, was.head(2), save_table) == "3 rows were, 2 are"
    assert told(suffix, was, was.rename(columns={"loss": "cost"}), save_table) == (
        "columns were epoch, loss, are epoch, cost"
    )


def test_weights_by_their_largest_difference(told):
    was = {"a": np.zeros((2, 3), np.float32), "b": np.ones(4, np.float32), "c": np.ones(1, np.int64)}
    now = {"a": was["a"] + np.float32(0.25), "b": was["b"] - np.float32(0.5), "c": was["c"]}
    assert told(".safetensors", was, now, save_file) == "2 of 3 tensors, by at most 0.5 (in b)"
    # A counter says nothing of how far apart the weights are.
    assert told(".safetensors", was, {**now, "c": was["c"] + 9}, save_file) == "3 of 3 tensors, by at most 0.5 (in b)"
    assert told(".safetensors", was, {**was, "a": np.zeros(6, np.float32)}, save_file) == (
        "a was of shape (2, 3), is of (6,)"
    )


@pytest.mark.parametrize("suffix", [".png", ".json", ".parquet", ".safetensors"])
def test_bytes_where_nothing_else_can_be_said(told, suffix):
    def write(content, file):
        file.write_bytes(content)

    assert told(suffix, b"abcdef", b"abXdeX", write) == "2 of 6 bytes"
    assert told(suffix, b"abcdef", b"abX", write) == "4 of 3 bytes, which were 6"


def test_equal_values_in_other_bytes(told):
    assert told(".json", {"a": 1, "b": 2}, {"b": 2, "a": 1}, save_json) == "4 of 16 bytes"


def test_two_figures_that_are_no_numbers_do_not_differ():
    nan = float("nan")
    assert differences.figures({"loss": nan}, {"loss": nan}) == []
    assert differences.figures({"loss": nan}, {"loss": 1.0}) == ["loss was NaN, is 1.0"]
