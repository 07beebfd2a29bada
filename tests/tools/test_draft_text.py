import unicodedata

import pytest

from darkroom.tools import draft_text
from darkroom.tools.entry_draft import Evidence, Sample
from tests.tools.drafts import draft, question


@pytest.fixture(autouse=True)
def width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def cells(line):
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


def test_the_table_the_classes_and_what_is_left_over():
    unused = (("masks", "masks of the pictures in cats"), ("__MACOSX", "hidden"))
    assert list(draft_text.understood(draft(unused=unused))) == [
        "understood:",
        "  key       value  because",
        "  train     cats   2 folders with pictures",
        "  channels  3      most are in colour",
        "",
        "33 pictures, 2 classes:",
        "  train: 33 pictures in 2 classes",
        "    lion  30  cats/lion/1.jpg, cats/lion/2.jpg",
        "    lynx   3  cats/lynx/1.jpg",
        "",
        "not used:",
        "  masks     masks of the pictures in cats",
        "  __MACOSX  hidden",
    ]


def test_a_thousand_classes_print_the_biggest_and_the_smallest():
    samples = tuple(Sample("train", f"class {n}", 1000 - n, (f"{n}.jpg",)) for n in range(1000))
    lines = list(draft_text.understood(draft(samples=samples, unused=(("a", "b"),) * 1000)))
    assert len(lines) < 50
    assert "  train: 500,500 pictures in 1,000 classes, from 1 to 1,000 each" in lines
    assert "    class 0    1,000  0.jpg" in lines
    assert "    … 988 classes between them …" in lines
    assert "    class 999      1  999.jpg" in lines
    assert lines[-1] == "  and 980 more"


def test_pictures_without_labels_have_no_classes():
    samples = (Sample("train", "a", 2, ("1.png",)), Sample("unlabeled", "", 7, ("test/1.png", "test/2.png")))
    lines = list(draft_text.understood(draft(samples=samples)))
    assert "33 pictures, 1 class:" in lines
    assert lines[-2:] == ["  unlabeled: 7 pictures", "      7  test/1.png, test/2.png"]


HOSTILE = ["a" * 3000, "日本語" * 100, "😀" * 90, "a\nb\x1b[2J", "\0\t\r", "", " ", "e\u0301" * 200, "a b " * 500]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:8]))
@pytest.mark.parametrize("columns", ["20", "80", "500"])
def test_no_line_is_wider_than_the_terminal_or_holds_a_control_character(text, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    shown = draft(
        evidence=(Evidence(text, text, text), Evidence("train", "a", text)),
        samples=(Sample("train", text, 10**6, (text, text)), Sample("test", "a", 1, (text,))) * 9,
        unused=((text, text),),
    )
    lines = [*draft_text.understood(shown), *draft_text.question(question(text, text, text))]
    assert max(map(cells, lines)) <= max(60, min(int(columns), 120))
    assert all(line.isprintable() for line in lines)
    assert len(lines) < 250


def test_a_question_has_numbers_and_words():
    assert list(draft_text.question(question("group", "patient_id", "none"))) == [
        "group? which group?",
        "  1  patient_id  take patient_id",
        "  2  none        take none",
    ]
