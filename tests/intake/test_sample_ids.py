"""Which picture an id names: each way in which samples name pictures, and a sentence where it is not clear."""

import pytest

from darkroom.intake import sample_ids, sample_text
from tests.intake.fetched import refusal

NAMES = ["test/b.jpg", "test/a.jpg", "test/c.jpg"]


def find(ids, pictures=NAMES, header="id,label", rest=",0"):
    lines = ([header] if header else []) + [f"{one}{rest}" for one in ids]
    return sample_ids.find(sample_text.read(("\n".join(lines) + "\n").encode(), "s.csv"), pictures)


@pytest.mark.parametrize(
    ("ids", "pictures", "places", "way"),
    [
        (["test/a.jpg", "test/b.jpg"], NAMES, [1, 0], "paths or names"),
        (["./test\\a.jpg", "/test/b.jpg"], NAMES, [1, 0], "paths or names"),
        (["a.jpg", "c.jpg", "b.jpg"], NAMES, [1, 2, 0], "paths or names"),
        (["a", "c", "b"], NAMES, [1, 2, 0], "paths or names"),
        (["x/a", "y/a"], ["t/y/a.png", "t/x/a.png"], [1, 0], "paths or names"),
        (["a.tif", "b.png"], NAMES, [1, 0], "but for their endings"),
        (["2", "1", "10"], ["t/1.jpg", "t/2.jpg", "t/10.jpg"], [1, 0, 2], "paths or names"),
        (["2", "1"], ["t/00001.png", "t/00002.png"], [1, 0], "numbers"),
        (["00002", "00001"], ["t/img_1.png", "t/img_2.png"], [1, 0], "numbers"),
        (["1", "2"], ["test.csv#0", "test.csv#1"], [0, 1], "places"),
        (["1", "0"], ["test.csv#0", "test.csv#1"], [1, 0], "places"),
        (["1", "2"], ["x.npz#test/0", "x.npz#test/1"], [0, 1], "places"),
        (["test.csv#1", "test.csv#0"], ["test.csv#0", "test.csv#1"], [1, 0], "paths or names"),
        (["caf\u00e9"], ["test/cafe\u0301.jpg"], [0], "paths or names"),
    ],
)
def test_each_way_to_name_a_picture(ids, pictures, places, way):
    found = find(ids, pictures)
    assert found.places.tolist() == places
    assert way in found.way
    assert (found.has_header, found.columns) == (True, (0,))
    assert found.left.tolist() == sorted(set(range(len(pictures))) - set(places))


def test_a_sample_may_have_no_header():
    found = find(["c", "a"], header="")
    assert (found.has_header, found.places.tolist(), found.left.tolist()) == (False, [2, 1], [0])
    assert find(["1"], ["test.csv#0"], header="").places.tolist() == [0]
    rows = [f"test.csv#{number}" for number in range(3)]
    assert find(["0", "1", "2"], rows, header="").places.tolist() == [0, 1, 2]
    assert find(["1", "2", "3"], rows, header="").places.tolist() == [0, 1, 2]


def test_the_id_may_stand_in_a_further_column():
    text = sample_text.read(b"label,id\n0,b\n0,a\n", "s.csv")
    assert sample_ids.find(text, NAMES).columns == (1,)


def test_names_count_for_more_than_numbers():
    """A number of the line is no id where the names of the pictures stand beside it."""
    text = sample_text.read(b"row,image,label\n1,b2.jpg,0\n2,a1.jpg,0\n", "s.csv")
    found = sample_ids.find(text, ["t/a1.jpg", "t/b2.jpg"])
    assert (found.columns, found.places.tolist()) == ((1,), [1, 0])


def test_a_second_column_that_names_the_same_pictures_is_kept():
    text = sample_text.read(b"id,file,label\nb,b.jpg,0\na,a.jpg,0\n", "s.csv")
    assert sample_ids.find(text, NAMES).columns == (0, 1)
    text = sample_text.read(b"id,file,label\nb,a.jpg,0\na,b.jpg,0\n", "s.csv")
    assert sample_ids.find(text, NAMES).columns == (0,)


@pytest.mark.parametrize(
    ("ids", "pictures", "says"),
    [
        ([], NAMES, "s.csv has a header alone, and no row for any picture"),
        (
            ["x", "y"],
            NAMES,
            "no row of s.csv names a picture without label: its ids are such as 'x', the pictures",
        ),
        (["a", "x", "y", "b"], NAMES, "2 rows of s.csv, of 4, name no picture without label ('x' in line 3, 'y' in"),
        (["a", "x"], NAMES, "1 row of s.csv, of 2, names no picture without label ('x' in line 3)"),
        (["a", "b", "a"], NAMES, "s.csv has the id 'a' in line 2 and in line 4"),
        (["1", "01"], ["t/img1.png", "t/img2.png"], "names a picture in two of its rows"),
        (["a", "b"], ["x/a.jpg", "y/a.jpg", "y/b.jpg"], "the id 'a' in line 2 of s.csv names several pictures"),
        (["1", "2"], ["a/x1.jpg", "b/x1.jpg", "a/x2.jpg"], "names several pictures"),
        (["1"], ["test.csv#0", "test.csv#1"], "may count the 2 rows of test.csv from 0 or from 1"),
        (["1", "3"], ["test.csv#0", "test.csv#1"], "1 row of s.csv, of 2, names no picture"),
        (["1"], ["a.csv#0", "b.csv#0"], "no row of s.csv names a picture"),
        (["9" * 5000], NAMES, "no row of s.csv names a picture"),
        (["", ""], NAMES, "no row of s.csv names a picture"),
    ],
)
def test_what_is_not_clear_is_said(ids, pictures, says):
    assert says in refusal(lambda: find(ids, pictures))


def test_a_sample_of_far_more_rows_than_pictures_is_counted_and_not_kept(monkeypatch):
    seen = []
    by_name = sample_ids._by_name
    monkeypatch.setitem(sample_ids.WAYS, "paths or names of files", lambda ids, *rest: seen.append(len(ids)) or
                        by_name(ids, *rest))  # fmt: skip
    said = refusal(lambda: find(["a", "b", "c", *(f"x{number}" for number in range(10_000))]))
    assert "10,000 rows of s.csv, of 10,003, name no picture without label ('x0' in line 5" in said
    assert max(seen) == 5
