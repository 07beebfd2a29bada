import csv
import errno
import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from darkroom.base.errors import UserError
from darkroom.base.files import write_json
from darkroom.tools.commands import main
from tests import make
from tests.models import classifier, facts


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A model in `models`, and pictures in `shots`, in the working folder."""
    ours = classifier()
    (tmp_path / "models").mkdir()
    save_file({name: value.contiguous() for name, value in ours.network.state_dict().items()},
              tmp_path / "models" / "model.safetensors")  # fmt: skip
    write_json(tmp_path / "models" / "model.json", facts(classes=ours.classes))
    (tmp_path / "shots").mkdir()
    for number in range(5):
        (tmp_path / "shots" / f"{number}.png").write_bytes(make.picture(number))
    monkeypatch.chdir(tmp_path)
    return ours


def answers(capsys, *command):
    main(["predict", *command, "--json"])
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_folder_a_pattern_and_a_file_answer_alike(model, capsys):
    whole = answers(capsys, "shots")
    assert [answer["picture"] for answer in whole] == [f"shots/{number}.png" for number in range(5)]
    assert answers(capsys, "shots/*.png") == whole
    (alone,) = answers(capsys, "shots/3.png")
    classes = pytest.approx(whole[3]["classes"], abs=2e-6)
    assert alone == whole[3] | {"classes": classes}  # sums of float32 depend on the batch
    assert all(sum(answer["classes"].values()) == pytest.approx(1, abs=1e-4) for answer in whole)


def test_the_batch_does_not_matter(model, capsys, monkeypatch):
    whole = answers(capsys, "shots")
    monkeypatch.setattr("darkroom.tools.predict.FEWEST", 2)
    monkeypatch.setattr("darkroom.tools.predict.MOST", 2)
    parts = answers(capsys, "shots")
    assert [part["picture"] for part in parts] == [one["picture"] for one in whole]
    assert [part["classes"] for part in parts] == [pytest.approx(one["classes"], abs=2e-6) for one in whole]


def test_a_file_that_the_system_does_not_give_out_stops_no_other(model, capfd, tmp_path, monkeypatch):
    """As one of another user, or a link that leads in a circle."""
    (tmp_path / "shots" / "2.png").unlink()
    (tmp_path / "shots" / "2.png").symlink_to("2.png")
    read = Path.read_bytes

    def guarded(path):
        if path.name == "3.png":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", guarded)
    with pytest.raises(SystemExit) as caught:
        main(["predict", "shots", "--csv"])
    out, err = capfd.readouterr()
    assert caught.value.code == 1
    assert [row["picture"] for row in csv.DictReader(io.StringIO(out))] == [f"shots/{at}.png" for at in (0, 1, 4)]
    assert "error: shots/2.png cannot be read: Too many levels of symbolic links" in err
    assert "error: shots/3.png cannot be read: Permission denied" in err


def test_unreadable_ones_are_named_and_the_others_answered(model, capfd, tmp_path):
    (tmp_path / "shots" / "2.png").write_bytes(b"no picture")
    (tmp_path / "shots" / "notes.txt").write_text("x")
    with pytest.raises(SystemExit) as caught:
        main(["predict", "shots", "none.png", "--csv", "--top-k", "2"])
    out, err = capfd.readouterr()
    assert caught.value.code == 1
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["picture"] for row in rows] == [f"shots/{number}.png" for number in (0, 1, 3, 4)]
    assert list(rows[0]) == [
        "picture",
        "class_1",
        "probability_1",
        "class_2",
        "probability_2",
        "unlike",
        "reasons",
        "inverted",
    ]
    assert "error: shots/2.png cannot be used" in err
    assert "error: there is no picture none.png" in err
    assert "skipped shots/notes.txt" in err


def test_a_damaged_picture_that_decodes_is_answered_without_a_word_of_its_library(model, capfd, tmp_path):
    whole = make.encode(make.smooth(32, 32), "JPEG")
    middle = len(whole) // 2
    (tmp_path / "odd.jpg").write_bytes(whole[:middle] + b"\xff\xd9\x00" + whole[middle:])
    main(["predict", "odd.jpg"])
    out, err = capfd.readouterr()
    assert out.startswith("odd.jpg ")
    assert err == ""


def test_standard_input_is_a_picture(model, capsys, monkeypatch):
    (wanted,) = answers(capsys, "shots/1.png")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(make.picture(1))))
    assert answers(capsys, "-") == [wanted | {"picture": "-"}]


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_what_is_wrong_with_standard_input_names_it(model, capfd, monkeypatch, content):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    with pytest.raises(SystemExit):
        main(["predict", "-", "shots/1.png"])
    out, err = capfd.readouterr()
    assert out.startswith("shots/1.png ")
    assert err.startswith("error: standard input cannot be used: ")


def test_invert_and_fit(model, capsys, tmp_path):
    digit = np.full((90, 120), 220, np.uint8)
    digit[20:70, 80:90] = 30
    (tmp_path / "photo.png").write_bytes(make.encode(digit))
    (tmp_path / "negative.png").write_bytes(make.encode(255 - digit))
    (plain,), (inverted,) = answers(capsys, "photo.png"), answers(capsys, "negative.png", "--invert", "always")
    assert inverted["classes"] == plain["classes"]
    (fitted,), (of_negative,) = answers(capsys, "photo.png", "--fit"), answers(capsys, "negative.png", "--fit")
    assert fitted["classes"] == pytest.approx(of_negative["classes"], abs=1e-3)
    assert fitted["classes"] != plain["classes"]


def test_nothing_to_fit_is_one_sentence_and_the_others_are_answered(model, capfd, tmp_path):
    (tmp_path / "blank.png").write_bytes(make.encode(np.full((30, 30), 255, np.uint8)))
    digit = np.zeros((30, 30), np.uint8)
    digit[5:25, 10:14] = 255
    (tmp_path / "digit.png").write_bytes(make.encode(digit))
    with pytest.raises(SystemExit):
        main(["predict", "blank.png", "digit.png", "--fit"])
    out, err = capfd.readouterr()
    assert out.startswith("digit.png  ")
    assert "blank.png: nothing stands out" in err


def test_an_empty_folder_is_an_error(model, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no picture in empty"):
        main(["predict", "empty"])


@pytest.mark.parametrize("command", ["demo", "ui"])
def test_a_port_that_is_taken_or_none_is_one_sentence(command, project, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it was started"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        message = make.refusal(lambda: main([command, "--port", port]))
    assert "name another one" in message
    assert make.is_one_line(message)
    assert "--port 99999 " in make.refusal(lambda: main([command, "--port", "99999"]))


def test_pages_of_mlflow_are_served_where_a_repository_or_another_store_is(tmp_path, monkeypatch, project, closed_port):
    started = []
    monkeypatch.setattr("darkroom.tools.mlflow_pages.serve", lambda *given: started.append(given))
    monkeypatch.setattr("darkroom.tracking.store.prepare", lambda: "the store")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    project.params.unlink()
    message = make.refusal(lambda: main(["ui"]))
    assert message.startswith("there is no params.yaml here")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1")
    monkeypatch.setattr("darkroom.tools.ports.check", lambda port: None)
    main(["ui", "--port", "5123"])
    assert started == [("the store", 5123)]
    assert not (tmp_path / "mlflow.db").exists()


def test_a_store_that_cannot_be_opened_is_one_sentence(tmp_path, monkeypatch, project):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("it was started"))
    monkeypatch.setattr("darkroom.tools.ports.check", lambda port: None)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    message = make.refusal(lambda: main(["ui"]))
    assert "mlflow.db cannot be opened" in message
    assert "file is not a database" in message
    assert make.is_one_line(message)
