import csv
import io
import json
import os
import subprocess
import sys

import pytest

from darkroom.classifier.inference import Prediction
from darkroom.tools import prediction_output

PART = {
    "a,b.png": Prediction(["ant", "bee"], [0.9, 0.1], 0.5),
    "c.png": Prediction(["bee", "ant"], [0.6, 0.4], 2.345, ["it is small", "it is grey"], inverted=True),
}
UNKNOWN = {"d.png": Prediction(["ant", "bee"], [1.0, 0.0])}


def printed(capsys, form):
    write = prediction_output.writer(form, 2)
    for part in (PART, {}, UNKNOWN):
        write(part)
    return capsys.readouterr().out


def test_lines_for_people(capsys):
    first, second, third = printed(capsys, "text").splitlines()
    assert first == "a,b.png  ant 90.00%  bee 10.00%"
    assert second.startswith(
        "c.png    bee 60.00%  ant 40.00%  (its negative)  unlike the training images (2.3 times the limit)"
    )
    assert second.endswith(": it is small; it is grey")
    assert third == "d.png  ant 100.00%  bee 0.00%"


def test_names_that_a_terminal_would_obey_are_escaped(capsys):
    part = {"a\x1b[2J\n.png": Prediction(["an\rt", "bee"], [0.9, 0.1], 0.5), "\udcff.png": UNKNOWN["d.png"]}
    prediction_output.writer("text", 2)(part)
    first, second = capsys.readouterr().out.splitlines()
    assert first == "a\\x1b[2J\\n.png  an\\rt 90.00%  bee 10.00%"
    assert second == "\\udcff.png      ant 100.00%  bee 0.00%"
    assert prediction_output.listed(["a\nb"]) == "a\\nb"


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_name_that_is_no_text_is_printed(form):
    code = (
        "from darkroom.tools import prediction_output; from darkroom.classifier.inference import Prediction\n"
        f"prediction_output.writer({form!r}, 1)({{'\\udcff.png': Prediction(['ant'], [1.0])}})"
    )
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    printed = subprocess.run([sys.executable, "-c", code], env=strict, capture_output=True, check=True).stdout
    assert b"\\udcff.png" in printed if form == "json" else b"\xff.png" in printed


def test_csv(capsys):
    first, second, third = csv.DictReader(io.StringIO(printed(capsys, "csv")))
    assert first["picture"] == "a,b.png"
    assert (first["class_1"], first["probability_2"], first["unlike"], first["reasons"]) == ("ant", "0.1", "0.5", "")
    assert (second["unlike"], second["reasons"]) == ("2.345", "it is small; it is grey")
    assert (third["unlike"], first["inverted"], second["inverted"]) == ("", "false", "true")


def test_a_json_object_a_line(capsys):
    lines = [json.loads(line) for line in printed(capsys, "json").splitlines()]
    assert [line["picture"] for line in lines] == ["a,b.png", "c.png", "d.png"]
    assert lines[1] == {
        "picture": "c.png",
        "classes": {"bee": 0.6, "ant": 0.4},
        "unlike": 2.345,
        "reasons": ["it is small", "it is grey"],
        "inverted": True,
    }
    assert lines[2]["unlike"] is None


def test_long_lists_are_cut():
    assert prediction_output.listed(["a", "b"]) == "a, b"
    assert prediction_output.listed([str(number) for number in range(2003)]) == "0, 1, 2 and 2,000 more"
