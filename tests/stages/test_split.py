import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.base.errors import UserError
from stages import entry, extract, fetch, split
from tests import make

LABELS = ("cat", "dog")


def run(project, files):
    project.archive(make.zip_of(files))
    entry.main()
    fetch.main()
    extract.main()
    split.main()
    return pd.read_parquet(paths.SPLIT), pd.read_csv(paths.SPLIT_TABLE)


def test_both_tables_are_written(project, capsys):
    project.add(path="x", unlabeled="more")
    table, counts = run(project, make.pictures(LABELS, each=10) | {"more/1.png": make.picture(99)})
    assert list(table) == ["row", "split"]
    assert table["row"].tolist() == list(range(20))
    assert counts.to_dict("list") == {
        "class": ["cat", "dog"],
        "train": [6, 6],
        "val": [2, 2],
        "test": [2, 2],
        "left_out": [0, 0],
    }
    assert "wrote data/split.parquet: 12 train, 4 val, 4 test\nnext: dvc repro stats\n" in capsys.readouterr().out


def test_the_same_parameters_give_the_same_bytes(project):
    project.add(path="x")
    run(project, make.pictures(LABELS, each=10))
    first = paths.SPLIT.read_bytes(), paths.SPLIT_TABLE.read_bytes()
    split.main()
    assert (paths.SPLIT.read_bytes(), paths.SPLIT_TABLE.read_bytes()) == first
    project.set(split__seed=7)
    split.main()
    assert paths.SPLIT.read_bytes() != first[0]


def test_the_recipe_may_ask_for_the_given_test(project, capsys):
    project.add(path="x", test="test", recipe={"split.use_given_test": True})
    files = make.pictures(LABELS, each=8) | make.pictures(LABELS, each=3, folder="test/", seed=9)
    files["train/cat/copy.png"] = files["test/dog/0.png"]
    table, counts = run(project, files)
    index = pd.read_parquet(paths.INDEX)
    assert set(table.loc[table["split"] == "test", "row"]) == set(index.loc[index["subset"] == "test", "row"])
    assert counts["left_out"].tolist() == [1, 0]
    assert "1 left out, for the given test has their pixels too" in capsys.readouterr().out


def test_too_few_images_are_refused_and_nothing_is_written(project):
    project.add(path="x")
    with pytest.raises(UserError, match=r"class dog \(3\); each class needs at least 5"):
        run(project, make.pictures(("cat",), each=9) | make.pictures(("dog",), each=3, seed=5))
    assert not paths.SPLIT.exists()
    assert not paths.SPLIT_TABLE.exists()


def test_a_leak_stops_the_stage_before_anything_is_written(project, monkeypatch):
    """The gate does not trust the code that divides."""
    project.add(path="x")
    files = make.pictures(LABELS, each=10)
    files["train/cat/copy.png"] = files["train/cat/0.png"]

    def careless(index, classes, **_):
        return pd.DataFrame({"row": index["row"], "split": ["train"] * 10 + ["test"] * 11})

    monkeypatch.setattr(split.splits, "split", careless)
    with pytest.raises(UserError, match="the test would not be honest"):
        run(project, files)
    assert not paths.SPLIT.exists()
