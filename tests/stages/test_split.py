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
        "train_share": [0.6, 0.6],
        "val_share": [0.2, 0.2],
        "test_share": [0.2, 0.2],
    }
    assert capsys.readouterr().out.endswith(
        "wrote data/split.parquet: 12 train, 4 val, 4 test\n"
        "shares: 60.0% train, 20.0% val, 20.0% test (wanted 60.0%, 20.0%, 20.0%)\nnext: dvc repro stats\n"
    )


def test_the_same_parameters_give_the_same_bytes(project):
    project.add(path="x")
    run(project, make.pictures(LABELS, each=10))
    first = paths.SPLIT.read_bytes(), paths.SPLIT_TABLE.read_bytes()
    split.main()
    assert (paths.SPLIT.read_bytes(), paths.SPLIT_TABLE.read_bytes()) == first
    project.set(split__seed=7)
    split.main()
    assert paths.SPLIT.read_bytes() != first[0]


def rows(table, split):
    return set(table.loc[table["split"] == split, "row"])


def test_the_makers_test_and_val_are_kept_unless_the_parameters_say_no(project, capsys):
    project.add(path="x", test="test", val="val")
    files = make.pictures(LABELS, each=8)
    files |= make.pictures(LABELS, each=3, folder="test/", seed=9) | make.pictures(
        LABELS, each=2, folder="val/", seed=8
    )
    files["train/cat/copy.png"] = files["test/dog/0.png"]
    table, counts = run(project, files)
    index = pd.read_parquet(paths.INDEX)
    for name in ("test", "val"):
        assert rows(table, name) == set(index.loc[index["subset"] == name, "row"])
    assert counts["left_out"].tolist() == [1, 0]
    assert (
        "kept the data set's own test and val; of the others 100.0% train\n"
        "left out: 1 with the same pixels as a test image\n"
    ) in capsys.readouterr().out
    project.set(split__use_given_test=False, split__use_given_val=False)
    split.main()
    assert "shares: 59.3% train" in capsys.readouterr().out


def test_groups_stay_whole_and_the_stage_says_how_near_it_came(project, capsys):
    project.add(path="x", train="{label}/{group}_*.png")
    files = {
        f"{label}/{label}{number // 3}_{number}.png": make.picture(100 * place + number)
        for place, label in enumerate(LABELS)
        for number in range(30)
    }
    table, counts = run(project, files)
    index = pd.read_parquet(paths.INDEX).merge(table, on="row")
    assert (index.groupby("group")["split"].nunique() == 1).all()
    assert counts["test"].tolist() == [6, 6]
    assert "furthest from that: class cat with 18 of 30 images in train" in capsys.readouterr().out


def test_near_duplicates_stay_together_where_it_is_asked_for(project, capsys):
    project.add(path="x", image_size=16)
    files = {}
    for number in range(20):
        for place, label in enumerate(LABELS):
            image = make.pixels(16, 16, 1, seed=1000 * place + number) // 2
            files[f"train/{label}/{number}.png"] = make.encode(image)
            files[f"train/{label}/{number}-near.png"] = make.encode(image + 2)
    project.set(split__near_duplicates="together")
    table, _ = run(project, files)
    assert "40 pairs of nearly equal images among 80 different ones stay together" in capsys.readouterr().out
    index = pd.read_parquet(paths.INDEX).merge(table, on="row")
    pairs = index.groupby(index["path"].str.replace("-near", ""))["split"]
    assert (pairs.nunique() == 1).all()
    project.set(split__near_duplicates="ignore")
    split.main()
    index = pd.read_parquet(paths.INDEX).merge(pd.read_parquet(paths.SPLIT), on="row")
    assert (index.groupby(index["path"].str.replace("-near", ""))["split"].nunique() > 1).any()


def test_a_stable_split_may_be_asked_for_by_the_recipe(project):
    project.add(path="x", recipe={"split.stable": True})
    few = make.pictures(LABELS, each=40)
    more = few | make.pictures(LABELS, each=4, folder="train/a/", seed=5)

    def sides(files):
        table, _ = run(project, files)
        return pd.read_parquet(paths.INDEX).merge(table, on="row").set_index("path")["split"]

    before = sides(few)
    assert sides(more).loc[before.index].equals(before)


def test_too_few_images_are_refused_and_nothing_is_written(project):
    project.add(path="x")
    with pytest.raises(UserError, match=r"for 1 class: dog \(2\); each class needs at least 3"):
        run(project, make.pictures(("cat",), each=9) | make.pictures(("dog",), each=2, seed=5))
    assert not paths.SPLIT.exists()
    assert not paths.SPLIT_TABLE.exists()


def test_a_leak_stops_the_stage_before_anything_is_written(project, monkeypatch):
    """The gate does not trust the code that divides."""
    project.add(path="x")
    files = make.pictures(LABELS, each=10)
    files["train/cat/copy.png"] = files["train/cat/0.png"]

    def careless(index, *_):
        table = pd.DataFrame({"row": index["row"], "split": ["train"] * 10 + ["test"] * 11})
        return split.splits.Division(table, (), {"train": 0.5, "test": 0.5}, {}, exact=True)

    monkeypatch.setattr(split.splits, "divide", careless)
    with pytest.raises(UserError, match="the test would not be honest"):
        run(project, files)
    assert not paths.SPLIT.exists()
