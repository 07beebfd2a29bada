import csv
import io
import json
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


@pytest.mark.parametrize(
    ("form", "encoding", "name", "shown"),
    [
        ("csv", "utf-8", "\udcff.png", b"\n\xff.png,"),  # no text: it comes out as it went in
        ("json", "utf-8", "\udcff.png", b"\\udcff.png"),
        ("csv", "latin-1", "漢.png", b"\n?.png,"),
        ("json", "latin-1", "漢.png", b"\\u6f22.png"),
        ("json", "utf-8", "漢.png", "漢.png".encode()),
    ],
)
def test_a_name_that_the_terminal_cannot_show(monkeypatch, form, encoding, name, shown):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", terminal)
    prediction_output.writer(form, 1)({name: Prediction(["ant"], [1.0])})
    terminal.flush()
    assert shown in terminal.buffer.getvalue()


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
