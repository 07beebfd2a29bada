from darkroom.tools import subset_parts
from darkroom.tools.asking import Asking
from darkroom.tools.label_tables import naming_tables
from darkroom.tools.subset_parts import by_names_of_folders, by_tables, part_of
from darkroom.tools.survey_archive import Names
from tests.tools.drafting import pictures, table

FLAT = [f"d/{n}.png" for n in range(12)]


def divided(paths, content=None, chosen=None):
    names, asking = Names(paths), Asking(chosen or {})
    folders = list(range(len(names.folders)))
    division = by_names_of_folders(names, folders, asking)
    tables = naming_tables({path: text.encode() for path, text in (content or {}).items()}, paths)[0]
    by_tables(division, tables)
    return (
        division,
        {subset: part.pictures for subset, part in division.parts.items()},
        [one.name for one in asking.open()],
    )


def test_folders_divide():
    assert divided(pictures("train/a", "val/a", "seg_pred"))[1] == {"train": 6, "val": 6, "unlabeled": 6}


def test_what_is_no_test_is_for_training():
    assert divided(pictures("data/a", "data/b", "test/a"))[1] == {"train": 12, "test": 6}


def test_a_test_alone_divides_nothing():
    assert divided(pictures("test/a", "test/b"))[1] == {"train": 12}


def test_many_pictures_beside_the_subsets_are_asked_about():
    paths = pictures("train/a", "test/a", "more/a")
    assert divided(paths)[1:] == ({"train": 6, "test": 6}, ["outside"])
    assert divided(paths, chosen={"outside": "train"})[1] == {"train": 12, "test": 6}


def test_lists_divide():
    lists = {"train.txt": "\n".join(map(str, range(8))), "test.txt": "\n".join(map(str, range(8, 12)))}
    division, count, _ = divided(FLAT, lists)
    assert count == {"train": 8, "test": 4}
    assert division.lists == {"train": ["@train.txt"], "test": ["@test.txt"]}


def test_lists_that_overlap_divide_nothing():
    lists = {"train.txt": "\n".join(map(str, range(9))), "test.txt": "\n".join(map(str, range(8, 12)))}
    assert divided(FLAT, lists)[1] == {"train": 12}


def test_a_test_table_without_labels_leaves_its_pictures_unlabelled():
    tables = {
        "train.csv": table([f"{n}.png,{'ab'[n % 2]}" for n in range(8)], "file,label"),
        "test.csv": table([f"{n}.png" for n in range(8, 12)], "file"),
    }
    division, count, _ = divided(FLAT, tables)
    assert count == {"train": 8, "unlabeled": 4}
    assert not division.lists


def test_a_column_divides():
    rows = [f"{n}.png,{'ab'[n % 2]},{'train' if n < 8 else 'valid'}" for n in range(12)]
    division, count, _ = divided(FLAT, {"t.csv": table(rows, "file,label,split")})
    assert count == {"train": 8, "val": 4}
    assert division.split[1] == {"split": "split"}


def test_of_many_pictures_some_are_taken_by_chance():
    names = Names(f"d/{n:06d}.png" for n in range(30_000))
    found = part_of(names, "train", [0])
    assert len(found.paths) == 20_000
    assert found.pictures == 30_000
    assert len({int(path[2:8]) % 50 for path in found.paths}) == 50


def test_of_many_pictures_a_sample_is_held_against_lists_and_that_is_said(monkeypatch):
    monkeypatch.setattr(subset_parts, "PATHS", 20)
    paths = [f"d/{n}.png" for n in range(200)]
    lists = {"train.txt": "\n".join(paths[:100]) + "\n", "test.txt": "\n".join(paths[100:]) + "\n"}
    division, counts, _ = divided(paths, lists)
    assert counts["train"] + counts["test"] == 200
    assert [one.because for one in division.evidence] == [
        f"its name says it, and it names about {counts[subset]} pictures" for subset in ("train", "test")
    ]


def test_a_list_of_all_pictures_is_no_subset():
    rows = [f"{n}.png,{n % 3}" for n in range(12)]
    assert divided(FLAT, {"eval_partition.csv": table(rows, "image,partition")})[1] == {"train": 12}
