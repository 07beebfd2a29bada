"""What travels between stages comes back as it was written; what is no such file is one sentence."""

import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.config import stage_files, stage_tables
from darkroom.config.stage_files import BaselineAccuracy, Baselines, StageFile, Stats
from darkroom.config.stage_tables import HISTORY, INDEX, MISTAKES, PER_CLASS, Table
from darkroom.intake import extraction
from tests import make

ODD = ["NA", "1", "cats | dogs", "nan", ""]


def test_baselines_are_kept_by_their_names(tmp_path):
    found = Baselines(train_images=7, forest=BaselineAccuracy(val_accuracy=0.5, test_accuracy=0.25))
    found.write(tmp_path / "baseline.json")
    assert Baselines.read(tmp_path / "baseline.json").methods["forest"].test_accuracy == 0.25


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("no json", "Expecting value"),
        ("[]", "Input should be"),
        ('{"mean": [1], "std": [1], "border": [1]}', "split: Field required"),
        ('{"mean": "x", "std": [1], "border": [1], "split": "train"}', "mean: Input should be a valid list"),
        ('{"mean": [], "std": [], "border": [], "split": "", "more": 1}', "more: Extra inputs are not permitted"),
    ],
)
def test_what_is_no_such_file_is_one_sentence(tmp_path, content, reason):
    file = tmp_path / "stats.json"
    file.write_text(content)
    said = make.refusal(lambda: Stats.read(file))
    assert said.startswith(f"{file} is damaged or of another version ({reason}")
    assert make.is_one_line(said)


def mistakes():
    columns = {name: ["x"] * len(ODD) for name in MISTAKES.columns}
    columns |= {"true": ODD, "path": ODD, "row": range(len(ODD)), "confidence": [0.5] * len(ODD)}
    columns["neighbour_rows"] = ["", "1", "3 2 1", "0", "12 7"]
    return pd.DataFrame(columns)


def test_texts_come_back_as_texts_and_lists_as_lists(project):
    MISTAKES.write(mistakes())
    found = MISTAKES.read()
    assert found["true"].tolist() == ODD
    assert found["path"].tolist() == ODD
    assert found["neighbour_rows"].tolist() == [[], [1], [3, 2, 1], [0], [12, 7]]
    assert found["row"].tolist() == [0, 1, 2, 3, 4]


def test_a_missing_figure_is_a_missing_figure(project):
    rows = [["NA", 1.0, None, 0.5, 3, None, None]]
    PER_CLASS.write(pd.DataFrame(rows, columns=list(PER_CLASS.columns)))
    found = PER_CLASS.read()
    assert found["class"].tolist() == ["NA"]
    assert found["recall"].isna().all()
    assert PER_CLASS.read("f1")["f1"].tolist() == [0.5]


def test_columns_are_fixed(project):
    with pytest.raises(ValueError, match="has the columns"):
        MISTAKES.write(mistakes().drop(columns="loss"))
    with pytest.raises(ValueError, match="has the columns"):
        PER_CLASS.write(pd.DataFrame({name: [1] for name in [*PER_CLASS.columns, "more"]}))
    paths.HISTORY.parent.mkdir(exist_ok=True)
    paths.HISTORY.write_text("epoch,loss\n1,2\n")
    said = make.refusal(HISTORY.read)
    assert said.startswith("metrics/history.csv is not the table that this version writes")
    assert make.is_one_line(said)


def test_every_file_stands_once():
    tables = [value for value in vars(stage_tables).values() if isinstance(value, Table)]
    assert len({table.path for table in tables}) == len(tables)
    models_of_files = [
        value for value in vars(stage_files).values() if isinstance(value, type) and issubclass(value, StageFile)
    ]
    assert all(model.__doc__ for model in models_of_files)


def test_the_index_is_written_with_the_columns_that_are_read():
    assert extraction.INDEX.names == list(INDEX.columns)


def test_a_list_that_holds_other_things_is_one_sentence(project):
    MISTAKES.write(mistakes().assign(neighbour_rows=["x"] * len(ODD)))
    assert make.is_one_line(make.refusal(MISTAKES.read))
