import pyarrow as pa
import pytest

from darkroom.intake import corrections
from darkroom.intake.corrections import Correction
from tests import make

HEAD = "dataset,path,action,label\n"
INDEX = pa.table(
    {
        "path": ["set/ant/1.png", "set/bee/2.png", "set/new/3.png"],
        "label": ["ant", "bee", None],
        "subset": ["train", "train", "unlabeled"],
    }
)
NAMES = {"ant": "Formica", "bee": "Apis"}


def read(folder, text, dataset="mine"):
    file = folder / "corrections.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return corrections.read(file, dataset)


def test_no_file_and_an_empty_one_correct_nothing(tmp_path):
    assert corrections.read(tmp_path / "none.csv", "mine") == []
    assert read(tmp_path, HEAD) == []


def test_lines_of_other_data_sets_are_passed_over(tmp_path):
    (one,) = read(tmp_path, HEAD + "other,x.png,mend,\n\nmine,x.png,relabel,ant\n")
    assert (one.path, one.label) == ("x.png", "ant")


def test_a_line_of_the_suspects_can_stand_as_it_is(tmp_path):
    (one,) = read(tmp_path, HEAD + 'mine,"a, b.png",relabel,ant,bee,7,val,0.01,confident learning\n')
    assert (one.path, one.label) == ("a, b.png", "ant")


def test_a_dropped_picture_needs_no_label_and_keeps_none(tmp_path):
    assert [one.label for one in read(tmp_path, HEAD + "mine,a,drop,\nmine,b,drop,ant\n")] == [None, None]


def test_a_spreadsheets_mark_at_the_beginning_is_no_part_of_the_head(tmp_path):
    assert len(read(tmp_path, ("\ufeff" + HEAD + "mine,a,drop,\n").encode())) == 1


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (HEAD + "mine,a,mend,ant\n", "line 2: the action is 'mend', but must be relabel or drop"),
        (HEAD + "mine,a,relabel,\n", "line 2: relabel needs a label"),
        (HEAD + "mine,,drop,\n", "line 2: there is no path"),
        (HEAD + "mine,a,drop,\nmine,b,drop,\nmine,a,relabel,ant\n", "line 4 is about a, as"),
        ("dataset;path;action;label\n", "line 1 is 'dataset;path;action;label'"),
        ("", "line 1 is ''"),
        (HEAD.encode() + b"mine,\xff,drop,\n", "not a table in UTF-8"),
        (HEAD + 'mine,"a,drop\n', "not a table in UTF-8"),
    ],
)
def test_a_wrong_line_is_named_with_its_remedy(tmp_path, text, named):
    sentence = make.refusal(lambda: read(tmp_path, text))
    assert named in sentence
    assert make.is_one_line(sentence)


CAFE, DECOMPOSED = "train/caf\u00e9/0.png", "train/cafe\u0301/0.png"


@pytest.mark.parametrize(("there", "named"), [(CAFE, DECOMPOSED), (DECOMPOSED, CAFE), (CAFE, CAFE)])
def test_a_path_in_either_unicode_form_finds_its_picture(there, named):
    index = pa.table({"path": ["train/a/0.png", there], "label": ["ant", "bee"], "subset": ["train"] * 2})
    changed, _ = corrections.apply(index, [], [Correction("line 2", named, "Formica")], NAMES)
    assert changed["label"].to_pylist() == ["ant", "ant"]
    _, done = corrections.apply(INDEX, [there], [Correction("line 2", named, None)], NAMES)
    assert done["action"].to_pylist() == ["drop"]


def test_of_two_pictures_whose_names_differ_in_their_form_alone_the_one_as_spelled_is_meant():
    index = pa.table({"path": [CAFE, DECOMPOSED], "label": ["bee", "bee"], "subset": ["train"] * 2})
    changed, _ = corrections.apply(index, [], [Correction("line 2", DECOMPOSED, "Formica")], NAMES)
    assert changed["label"].to_pylist() == ["bee", "ant"]


def test_two_lines_in_two_forms_are_about_one_picture(tmp_path):
    sentence = make.refusal(lambda: read(tmp_path, HEAD + f"mine,{CAFE},drop,\nmine,{DECOMPOSED},drop,\n"))
    assert "line 3 is about" in sentence
    assert sentence.endswith("line 2 is: keep one of the two")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["Digits,a,drop,"], "line 2: there is no data set 'Digits', did you mean digits?"),
        (
            ["digits,a,drop,", "digts,b,drop,", "digts,c,drop,"],
            "lines 3, 4: there is no data set 'digts', did you mean",
        ),
        (["mnist,a,drop,", "flowers,b,drop,", "", "digits,c,drop,"], None),
    ],
)
def test_a_near_miss_in_the_name_of_the_data_set_is_told(project, tmp_path, capsys, lines, said):
    read(tmp_path, HEAD + "\n".join(lines) + "\n", "digits")
    printed = capsys.readouterr().out
    assert said in printed if said else printed == ""
    assert printed.startswith("warning: ") or not said


def test_labels_change_and_what_was_done_is_told():
    wrong = [Correction("line 2", "gone.png", None), Correction("line 3", "set/bee/2.png", "Formica")]
    index, done = corrections.apply(INDEX, ["gone.png"], wrong, NAMES)
    assert index["label"].to_pylist() == ["ant", "ant", None]
    assert index.column_names == INDEX.column_names
    assert done.to_pydict() == {
        "path": ["gone.png", "set/bee/2.png"],
        "action": ["drop", "relabel"],
        "was": ["", "Apis"],
        "now": ["", "Formica"],
    }
    assert corrections.in_words(done) == "2 corrections applied (1 relabelled, 1 dropped)"


def test_a_class_whose_folder_ends_with_a_space_can_be_named(tmp_path):
    index = INDEX.set_column(1, "label", pa.array(["ant", " bee ", None]))
    corrected, done = corrections.apply(
        index, [], read(tmp_path, HEAD + "mine,set/ant/1.png,relabel, bee \n"), {"ant": "ant", " bee ": " bee "}
    )
    assert corrected["label"].to_pylist() == [" bee ", " bee ", None]
    assert len(done) == 1


def test_nothing_to_correct_changes_nothing():
    index, done = corrections.apply(INDEX, [], [], NAMES)
    assert index.to_pydict() == INDEX.to_pydict()
    assert done.num_rows == 0
    assert done.column_names == ["path", "action", "was", "now"]


@pytest.mark.parametrize(
    ("path", "label", "named"),
    [
        ("set/ant/2.png", "Apis", "did you mean set/bee/2.png?"),
        ("set/ant/1.pgn", None, "did you mean set/ant/1.png?"),
        ("set/ant/1.png", "Aphis", "no class 'Aphis': did you mean Apis?"),
        ("set/ant/1.png", "zebra", "known are Formica, Apis"),
        ("set/new/3.png", "Apis", "one of the unlabelled pictures"),
    ],
)
def test_what_the_data_set_lacks_is_named_with_the_nearest(path, label, named):
    sentence = make.refusal(lambda: corrections.apply(INDEX, [], [Correction("line 9", path, label)], NAMES))
    assert sentence.startswith("line 9: ")
    assert named in sentence
