import random

import pytest

from darkroom.base.errors import UserError
from darkroom.config.catalogue import checked
from darkroom.config.yaml_files import read_yaml
from darkroom.tools.entry_text import LONGEST_KEY, WIDTH, flow, scalar, text

# Classes, columns, files and patterns that YAML may take for something else.
ODD = [
    "yes", "No", "on", "y", "null", "~", "true", "1e3", "012", "0o7", "0x1f", "1_000", "1:30", ".5", ".nan", "-1", "=",
    "2020-01-01", "<<", "@x", "`x", "{a}", "{label}_*.jpg", "[0]", "a,b", "*x", "*", "**", "&x", "!x", "|", ">", "%",
    "-", "- a", "---", "...", "?", "? a", "#", "a #b", "a: b", "a:", ": ", "'", '"', "it's", 'say "x"', "'\"\\",
    r"{age:\d+}_{label:[01]}", "", " ", " a", "a ", "a\nb", "a\n", "\n\n a", "a\r\nb", "\t", "a\tb",
    "\0", "\x1b[2J", "\x7f", "\x85", "\u2028", "\ufeff", "\ue000", "\U0010ffff", "é", "e\u0301", "日本語", "😀", "👩‍🔬",
    "\u202ea", "x" * 5000, "a: " * 700, "http://a/b?c=1#d",
]  # fmt: skip


def read_back(written, tmp_path):
    path = tmp_path / "datasets.yaml"
    path.write_text(written, encoding="utf-8", newline="\n")
    return read_yaml(path)


@pytest.mark.parametrize("word", ODD, ids=lambda word: ascii(word[:12]))
def test_an_odd_word_reads_back_wherever_it_stands(word, tmp_path):
    entry = {
        "train": word,
        "labels": {"file": word, "label": [word, "b"]},
        "classes": {word: word},
        word: [word],
        "recipe": {word: word},
    }
    assert read_back(text("mine", entry, {"train": word, "classes": word}), tmp_path) == {"mine": entry}


def test_words_of_any_letters_read_back(tmp_path):
    draw = random.Random(1)
    words = [
        "".join(draw.choices("ab01 :#'\"\\{}[],&*!|>%@`-?~=<\n\t\ré😀\u2028.", k=draw.randrange(7))) for _ in range(40)
    ]
    entry = {"classes": dict.fromkeys(words, "a"), "train": words}
    assert read_back(text("mine", entry, {}), tmp_path) == {"mine": entry}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("train", "train"), ("images_part_*/*", "images_part_*/*"), ("0001.png", "0001.png"), ("a b", "a b"),
        ("0", '"0"'), ("no", '"no"'), ("images/{label}_*.jpg", '"images/{label}_*.jpg"'), ("@test.txt", '"@test.txt"'),
        (r"{age:\d+}_*", r"'{age:\d+}_*'"), ("it's", "it's"), (3, "3"), (True, "true"), (None, "null"), (0.5, "0.5"),
    ],
)  # fmt: skip
def test_a_word_is_quoted_only_where_it_must_be(value, written):
    assert scalar(value) == written


def test_short_lists_and_tables_stand_in_one_line():
    assert flow({"file": "a.csv", "image": 0, "label": ["MEL", "1"]}) == '{file: a.csv, image: 0, label: [MEL, "1"]}'
    assert flow([]) == "[]"
    assert flow({}) == "{}"


def test_an_entry_looks_as_a_person_would_have_written_it():
    entry = {
        "path": "/me/skin.zip", "title": "skin", "train": ["part_1/*", "part_2/*"], "channels": 3, "image_size": 224,
        "labels": {"file": "meta.csv", "image": "image_id", "label": "dx"}, "recipe": {"split.stable": True},
    }  # fmt: skip
    comments = {
        "train": "2 folders of pictures",
        "channels": "colour in 9 of 10; as most",
        "labels": "a table\n" * 20,
        "other": "x",
    }
    assert text("skin", entry, comments) == (
        "skin:\n"
        "  path: /me/skin.zip\n"
        "  title: skin\n"
        "  train: [part_1/*, part_2/*]  # 2 folders of pictures\n"
        "  channels: 3                  # colour in 9 of 10\n"
        "  image_size: 224\n"
        f"  # {(chr(92) + 'n').join(['a table'] * 20)[:73]}…\n"
        "  labels: {file: meta.csv, image: image_id, label: dx}\n"
        "  recipe:\n"
        "    split.stable: true\n"
    )


def test_long_lists_and_tables_stand_a_line_each(tmp_path):
    entry = {
        "train": [f"folder_{number}/*" for number in range(20)],
        "classes": {f"{n}": f"class {n}" for n in range(20)},
    }
    lines = text("mine", entry, {}).splitlines()
    assert lines[1:3] == ["  train:", "    - folder_0/*"]
    assert lines[-1] == '    "19": class 19'
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize("place", ["key", "value"])
def test_a_key_beyond_what_yaml_takes_is_written_otherwise(place, tmp_path):
    word = "k" * (LONGEST_KEY + 200)
    entry = {"classes": {word: "a"}, "labels": [{"file": "a", "splits": {word: ["x" * 200]}}]}
    assert read_back(text("mine", entry, {}), tmp_path) == {"mine": entry}


def test_half_of_a_character_is_one_sentence():
    with pytest.raises(UserError, match="holds half of a character, which no file can hold: rename it"):
        text("mine", {"train": "a\udc80"}, {})


def test_what_is_written_is_an_entry_of_the_catalogue(tmp_path):
    entry = {"path": "/a.zip", "train": "a/{label}/*", "channels": 1, "image_size": [8, 9], "classes": {"1e3": None}}
    assert checked("mine", read_back(text("mine", entry, {}), tmp_path)["mine"]) == checked("mine", entry)
