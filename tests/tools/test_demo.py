import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from darkroom.base import paths
from darkroom.base.files import write_json
from darkroom.classifier.inference import Classifier
from darkroom.config.model_facts import ModelFacts
from darkroom.tools import demo
from darkroom.tools.demo import Paper
from tests import make, models
from tests.report.test_sections import FIGURES, split_figures
from tests.tools.test_export import NAMES, save_model, stored

ROOT = Path(__file__).resolve().parents[2]
DARK, LIGHT = Paper(np.array([0.0]), 255.0, 20 / 28), Paper(np.array([255.0]), 0.0, 20 / 28)
SHAPE = (8, 10, 3)


def ink(height=400, width=400, top=30, left=200, tall=100, wide=40):
    """A drawing of one rectangle."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[top : top + tall, left : left + wide] = 255
    return pixels


def box(image):
    """First and last row and column that are brighter than the middle."""
    rows, columns = np.nonzero(image[..., 0] > 127)
    return rows.min(), rows.max(), columns.min(), columns.max()


@pytest.fixture
def site(project):
    """A working folder with a model and its packed data."""
    save_model(project.folder / "models", {"pooling": "max"}, SHAPE)
    facts = ModelFacts.read(paths.MODEL)
    drawings = {"border": [0.0] * 3, "mean": [0.3] * 3, "std": [0.2] * 3}
    facts.model_copy(update=drawings).write(paths.MODEL)
    make.packed(stored(SHAPE, 24), [0, 1, 2, 3] * 6, ["train", "train", "test"] * 8, NAMES)
    return project.folder


def test_a_drawing_is_as_tall_as_a_digit_of_mnist_and_in_the_middle():
    image = demo.drawing_as_image(ink(), DARK, (28, 28, 1))
    assert (image.shape, image.dtype) == ((28, 28, 1), np.uint8)
    assert box(image) == (4, 23, 10, 17)


def test_where_and_how_large_one_draws_does_not_matter():
    here = demo.drawing_as_image(ink(), DARK, (28, 28, 1))
    there = demo.drawing_as_image(ink(top=190, left=10, tall=200, wide=80), DARK, (28, 28, 1))
    assert np.abs(here.astype(int) - there).max() <= 2


def test_the_stroke_stands_out_from_the_ground():
    white, black = (demo.drawing_as_image(ink(), paper, (28, 28, 3)) for paper in (DARK, LIGHT))
    assert (white == 255 - black).all()
    assert white[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("part", [{"tall": 400, "top": 0, "wide": 1}, {"tall": 1}, {"tall": 1, "wide": 1}])
@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 40, 3), (1, 1, 1)])
@pytest.mark.parametrize("share", [0.05, 0.7, 1.0])
def test_any_drawing_gives_an_image(part, shape, share):
    assert demo.drawing_as_image(ink(**part), Paper(np.array([0.0]), 255.0, share), shape).shape == shape


def test_the_centre_of_mass_moves_a_drawing_only_as_far_as_it_stays_inside():
    heavy_foot = ink(top=0, left=190, tall=300, wide=20)
    heavy_foot[280:300, 100:300] = 255
    top, bottom, *_ = box(demo.drawing_as_image(heavy_foot, DARK, (28, 28, 1)))
    assert bottom - top == 19
    assert top < 4
    full = demo.drawing_as_image(heavy_foot, Paper(np.array([0.0]), 255.0, 1.0), (28, 28, 1))
    assert box(full)[:2] == (0, 27)


def test_without_ink_there_is_no_drawing():
    assert demo.drawing_as_image(np.zeros((40, 40), np.uint8), DARK, SHAPE) is None


@pytest.mark.parametrize(
    ("shape", "changes", "drawn"),
    [
        ((28, 28, 1), {}, True),
        ((28, 28, 1), {"border": [0.98]}, True),  # ink on white paper
        ((28, 28, 3), {"mean": [0.13, 0.14, 0.13]}, True),  # grey pictures kept in three channels
        ((32, 32, 3), {"mean": [0.49, 0.48, 0.35]}, False),  # colours
        ((28, 28, 1), {"border": [0.4]}, False),  # no paper: an X-ray
        ((28, 28, 1), {"border": []}, False),  # a model of an earlier version does not know its border
        ((224, 224, 1), {}, False),
    ],
)
def test_drawings_are_small_of_one_colour_and_on_paper(shape, changes, drawn):
    assert demo.are_drawings(ModelFacts.model_validate(models.facts(shape, **changes))) == drawn


def test_the_size_of_a_drawing_is_that_of_the_training_images(site):
    images = np.zeros((24, *SHAPE), np.uint8)
    images[:, 2:6, 3:8] = 200  # half as tall and half as wide as the image
    make.packed(images, [0, 1, 2, 3] * 6, ["train"] * 24, NAMES)
    classifier, facts = Classifier.load("models"), ModelFacts.read(paths.MODEL)
    assert demo.paper_for(facts, demo.known_images(classifier)).share == 0.5
    assert demo.paper_for(facts, None).share == demo.MNIST_SHARE
    assert demo.paper_for(facts.model_copy(update={"border": [1.0] * 3}), None).stroke == 0


def test_an_explanation_holds_calibrated_probabilities_and_the_nearest_images(site):
    classifier = Classifier.load("models")
    known = demo.known_images(classifier)
    assert known.rows.tolist() == [row for row in range(24) if row % 3 < 2]
    picture = np.array(known.images[3])
    best, seen, heat, near = demo.explain(classifier, known, picture)
    expected = classifier.probabilities(picture[None])[0]
    assert best == {NAMES[at]: pytest.approx(expected[at]) for at in range(4)}
    assert list(best.values()) == sorted(best.values(), reverse=True)
    assert (seen[:: seen.shape[0] // 8, :: seen.shape[1] // 10] == picture).all()
    assert heat.shape == seen.shape
    assert near[0][1] == f"{NAMES[3]} (1.00)"
    assert (near[0][0] == seen).all()
    assert len(near) == demo.NEAREST


def test_of_many_training_images_a_seeded_part_is_compared(site, monkeypatch):
    monkeypatch.setattr(demo, "MAX_COMPARED", 5)
    first, second = (demo.known_images(Classifier.load("models")) for _ in range(2))
    assert len(first.rows) == len(first.features) == 5
    assert (first.rows == second.rows).all()


def test_an_mlp_and_a_model_without_data_are_explained_with_less(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    classifier = Classifier.load(save_model(tmp_path, {"name": "mlp", "hidden": [5]}, SHAPE))
    assert demo.known_images(classifier) is None
    best, _, heat, near = demo.explain(classifier, None, make.pixels(*SHAPE))
    assert (len(best), heat, near) == (4, None, [])


def test_the_heading_has_the_accuracy_of_the_pipelines_own_model_alone(site):
    facts = ModelFacts.read(paths.MODEL)
    assert demo.heading(facts, Path("models")) == ("tiny", "cnn, 4 classes")
    split = split_figures(accuracy=0.98765)
    FIGURES.model_copy(update={"test": split}).write(paths.EVALUATE)
    assert demo.heading(facts, site / "models") == ("tiny", "cnn, 4 classes, test accuracy 98.77%")
    assert demo.heading(facts, Path("elsewhere")) == ("tiny", "cnn, 4 classes")


def test_the_page_answers_pictures_and_drawings_and_names_no_other_host(site):
    """The command as a user runs it, up to Ctrl+C."""
    names = ["<script>alert(1)</script>", *NAMES[1:]]
    ModelFacts.read(paths.MODEL).model_copy(update={"classes": names, "dataset": "<img src=x>"}).write(paths.MODEL)
    write_json(paths.CLASSES, names)
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    command = [sys.executable, "-c", "import sys; sys.path[:0] = sys.argv[1:2]; from darkroom.base.console import run;"]
    command[-1] += "from darkroom.tools.commands import main; run(lambda: main(sys.argv[2:]))"
    server = subprocess.Popen(
        [*command, str(ROOT), "demo", "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job would pass on that it ignores Ctrl+C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert server.stdout.readline() == f"http://127.0.0.1:{port} classifies pictures, Ctrl+C ends it\n"
        page = get(port, "/")
        # What the page loads when it is opened: scripts, styles, fonts, pictures.
        loads = re.findall(r'<(?:script|link|img|iframe)[^>]+(?:src|href)="(?:https?:)?//([^/"]+)', page)
        assert set(loads) <= {f"127.0.0.1:{port}"}
        assert "fonts.googleapis" not in page
        assert "<img src=x>" not in page
        picture = site / "my.png"
        picture.write_bytes(make.encode(stored(SHAPE, 1)[0]))
        answer = ask(port, "picture", {"path": upload(port, picture), "meta": {"_type": "gradio.FileData"}})
        expected = Classifier.load("models").predict(picture, 1)[0]
        assert answer[0]["label"] == expected.classes[0]
        assert {item["label"] for item in answer[0]["confidences"]} == set(names)
        assert answer[0]["confidences"][0]["confidence"] == pytest.approx(expected.probabilities[0], abs=1e-4)
        picture.write_bytes(b"no picture")
        assert ask(port, "picture", {"path": upload(port, picture), "meta": {"_type": "gradio.FileData"}}) is None
        layer = np.dstack([ink(40, 40, 5, 20, 10, 4)] * 4)
        picture.write_bytes(make.encode(layer))
        file = {"path": upload(port, picture), "meta": {"_type": "gradio.FileData"}}
        answer = ask(port, "drawing", {"background": None, "layers": [file], "composite": file})
        assert len(answer[0]["confidences"]) == 4
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
        assert "Traceback" not in server.stderr.read()
    finally:
        server.kill()
        server.wait()


def get(port, path, data=None, kind="application/json"):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": kind} if data else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read().decode()


def upload(port, file):
    """Where the page keeps an uploaded file."""
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="my.png"\r\n\r\n' + file.read_bytes()
    return json.loads(get(port, "/gradio_api/upload", body + b"\r\n--x--\r\n", "multipart/form-data; boundary=x"))[0]


def ask(port, name, value):
    """What a function of the page answers; None where it shows an error."""
    call = json.loads(get(port, f"/gradio_api/call/{name}", json.dumps({"data": [value]}).encode()))
    end = time.monotonic() + 30
    events = get(port, f"/gradio_api/call/{name}/{call['event_id']}")
    assert time.monotonic() < end
    kind, data = re.findall(r"event: (\w+)\ndata: (.*)\n", events)[-1]
    return json.loads(data) if kind == "complete" else None
