"""A text names a picture by its path, its end, its stem or its number: the more exactly, the better the rank."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.intake.picture_names import Names, as_paths, folder_of
from tests.intake.labels_in_tables import table


def names(*texts, table_path="labels.csv", numbered=False):
    rows = {text: row for row, text in enumerate(texts)}
    return Names(rows, folder_of(table_path), numbered)


@pytest.mark.parametrize(
    ("text", "rank"),
    [
        ("set/train/cat.1.jpg", 0),
        ("train/cat.1.jpg", 0),  # from the table's folder
        ("cat.1.jpg", 1),
        ("set/train/cat.1", 2),
        ("train/cat.1", 2),
        ("cat.1", 2),
        ("cat", None),
        ("1.jpg", None),
        ("rain/cat.1.jpg", None),
        ("other/set/train/cat.1.jpg", None),
        ("CAT.1.jpg", None),
    ],
)
def test_the_rank_says_how_exactly_a_text_names_a_picture(text, rank):
    found = names(text, table_path="set/labels.csv").find("set/train/cat.1.jpg")
    assert found == (None if rank is None else (0, rank))


def test_the_most_exact_text_wins():
    every = ["1", "1.jpg", "b/1", "b/1.jpg", "a/b/1", "a/b/1.jpg"]
    for text in sorted(every, key=lambda text: (text.endswith("jpg"), text.count("/")), reverse=True):
        assert every.index(text) == names(*every).find("a/b/1.jpg")[0]
        every[every.index(text)] = f"{text} is gone"


def test_numbers_name_pictures_of_a_vector_alone():
    assert names("7", numbered=True).find("jpg/image_00007.jpg") == (0, 3)
    assert names("0", numbered=True).find("2/x000y.jpg") == (0, 3)
    assert names("7", numbered=True).find("7/image.jpg") is None
    assert names("7").find("jpg/image_00007.jpg") is None


def test_a_decomposed_path_finds_its_composed_text():
    assert names("caf\u00e9.png").find("a/cafe\u0301.png") == (0, 1)


def test_a_hidden_file_has_no_ending():
    assert names("").find("a/.png") is None


def test_texts_become_paths_of_the_archive():
    column = table("image,label\n./a\\b.jpg,x\n/c.jpg,x\n../img/d.jpg,x\n../../../e.jpg,x\n,x\n").column("image")
    assert as_paths(column, "set/labels/") == ["a/b.jpg", "c.jpg", "set/img/d.jpg", "../e.jpg", None]


PATHS = st.text(alphabet="a1./\\é\u0301 \n", max_size=30)


@given(texts=st.lists(PATHS, max_size=5), path=PATHS, numbered=st.booleans())
def test_any_path_is_answered(texts, path, numbered):
    found = names(*texts, table_path="a/labels.csv", numbered=numbered).find(path)
    assert found is None or (0 <= found[0] < len(texts) and found[1] in range(4))
