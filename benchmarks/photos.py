"""Photos of digits on paper, made of test images that the model has not seen: what `predict --fit` reads of them.

The model and the packed data set are those of the working folder, as the pipeline left them. Each photo is 640 x 480
pixels: a test image, enlarged some 6 to 12 times, turned by up to 12 degrees, as dark ink at a random place of a sheet
that is lit from one side, blurred, with noise, and kept as JPEG.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Setting, Table
from darkroom.base import paths, torch_setup
from darkroom.base.console import bar
from darkroom.base.errors import UserError
from darkroom.base.files import read_json
from darkroom.dataset.packed import Images, labels_of, load_images, load_index, load_split

if TYPE_CHECKING:
    from darkroom.classifier.inference import Invert, Prediction

HEIGHT, WIDTH = 480, 640
SEED = 0


def run(setting: Setting) -> list[Table]:
    if not paths.MODEL.is_file() or not paths.IMAGES.is_file():
        raise UserError("photos needs a trained model and its data in this folder: `dvc repro` makes them")
    facts = read_json(paths.MODEL)
    if facts["channels"] != 1:
        raise UserError(f"photos are grey, but the model of {facts['dataset']} was trained on colour images")
    torch_setup.torch_for(threads=0, portable=False)
    from darkroom.classifier.inference import Classifier

    classifier, images, index = Classifier.load(), load_images(), load_index()
    generator = np.random.default_rng(SEED)
    rows = generator.permutation(load_split("test"))[: 30 if setting.quick else 300]
    light = float(np.mean(facts["border"])) < 0.5
    taken = [photo(images[row], light, generator) for row in bar(what="photos", unit="photo", items=rows)]
    labels = labels_of(index, rows)
    shown = [("the test images themselves", accuracy(classifier.predict(list(images[rows])), labels, facts["classes"]))]
    ways: list[tuple[str, bool, Invert]] = [
        ("predict", False, "never"),
        ("predict --fit", True, "never"),
        ("predict --fit --invert auto", True, "auto"),
    ]
    for name, fit, invert in ways:
        answers = classifier.predict(list(taken), fit=fit, invert=invert)
        shown.append((name, accuracy(answers, labels, facts["classes"])))
    return [
        Table(
            "photos: digits on paper, made of test images",
            f"{facts['dataset']}, the model of this folder, {len(rows)} photos",
            1,
            ("read by", "right"),
            [(name, f"{share:.1%}") for name, share in shown],
        )
    ]


def photo(image: Images, light: bool, generator: np.random.Generator) -> bytes:
    """A JPEG file of one image (uint8, height x width x 1) on paper; `light` where its sign is light on dark."""
    ink = image[..., 0].astype(np.float32) / 255
    ink = ink if light else 1 - ink
    side = generator.uniform(170, 330)
    factor = side / max(ink.shape)
    turn = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), generator.uniform(-12, 12), factor)
    room = 0.55 * side
    turn[:, 2] += (
        generator.uniform(room, WIDTH - room) - ink.shape[1] / 2,
        generator.uniform(room, HEIGHT - room) - ink.shape[0] / 2,
    )
    mask = cv2.warpAffine(ink, turn, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC).clip(0, 1)
    mask = cv2.GaussianBlur(mask, (0, 0), 2)
    y, x = np.mgrid[:HEIGHT, :WIDTH] / WIDTH
    paper = generator.uniform(170, 225) - generator.uniform(-70, 70) * x - generator.uniform(-40, 40) * y
    grey = paper * (1 - 0.8 * mask) + generator.normal(0, 5, mask.shape)
    return cv2.imencode(".jpg", grey.clip(0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def accuracy(answers: Sequence["Prediction"], labels: NDArray[np.int64], classes: list[str]) -> float:
    """Share of the answers whose first class is the label."""
    named = zip(answers, labels, strict=True)
    return float(np.mean([answer.classes[0] == classes[label] for answer, label in named]))
