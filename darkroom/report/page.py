"""The report and the model card: their content, read from the pipeline's files, and their pages."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from darkroom.base import paths
from darkroom.base.files import sha256
from darkroom.config.audit_figures import AuditFigures
from darkroom.config.catalogue import Entry
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Params
from darkroom.config.stage_files import Curves, ErrorFigures, Evaluation, InsideFigures, Source, TrainingFigures
from darkroom.config.stage_tables import HISTORY, MISTAKES, PASSED_OVER, PER_CLASS, PREDICTIONS, REJECTED, SPLIT_TABLE
from darkroom.config.yaml_files import dump
from darkroom.dataset.packed import labels_of, load_classes, load_images, load_index
from darkroom.report import advice, left_out, rendering, sections
from darkroom.report.summary import headline

PICTURES = {
    "samples": (paths.AUDIT_PICTURES, "Some images of each class"),
    "balance": (paths.AUDIT_PICTURES, "Bars: images of each class"),
    "means": (paths.AUDIT_PICTURES, "The mean image of each class"),
    "sizes": (paths.AUDIT_PICTURES, "Dots: width against height of the pictures as found"),
    "curves": (paths.TRAIN_PICTURES, "Curves of loss, accuracy and learning rate by epoch"),
    "augmented": (paths.TRAIN_PICTURES, "Rows of training images, each above what augmentation made of it"),
    "confusion": (paths.EVALUATE_PICTURES, "Heat map: images by true and predicted class"),
    "per_class": (paths.EVALUATE_PICTURES, "Dots: precision, recall and F1 of each class"),
    "reliability": (paths.EVALUATE_PICTURES, "Accuracy by confidence, with the number of images"),
    "coverage": (paths.EVALUATE_PICTURES, "Curve: accuracy of the most confident share of the images"),
    "slices": (paths.EVALUATE_PICTURES, "Accuracy with intervals by brightness, contrast and size"),
    "neighbours": (paths.ERRORS_PICTURES, "Rows: a mistake and its five nearest training images with their labels"),
    "gradcam": (paths.ERRORS_PICTURES, "Mistakes with heat maps of where the network looked"),
    "suspects": (paths.ERRORS_PICTURES, "Images whose labels are suspected, with label and suggestion"),
    "map": (paths.INSIDE_PICTURES, "Scatter plot of the test images by their features, coloured by class"),
    "filters": (paths.INSIDE_PICTURES, "Grid of the filters of the first layer"),
    "kernels": (paths.INSIDE_PICTURES, "Grid of kernels of a deeper layer"),
    "activations": (paths.INSIDE_PICTURES, "Activation maps of several layers, for one picture of each class"),
    "dead": (paths.INSIDE_PICTURES, "Bars: share of dead or idle channels by layer"),
    "contact_sheet": (paths.PREDICT_PICTURES, "Unlabelled images with predicted class and confidence"),
}
WIDE = 800  # pixels; a wider picture goes across the page, and scrolls on a phone


def content(params: Params, entry: Entry) -> dict[str, Any]:
    """All content of the templates, by the names that they use; each section of the report has a key."""
    facts, figures = ModelFacts.read(paths.MODEL), Evaluation.read(paths.EVALUATE)
    errors = ErrorFigures.read(paths.ERRORS)
    index, classes = load_index("label", "subset"), load_classes()
    labels = labels_of(index, np.arange(len(index)))
    predictions = PREDICTIONS.read("split", "label", "predicted")
    tested = predictions[predictions["split"] == "test"]
    audit, trained = AuditFigures.read(paths.AUDIT), TrainingFigures.read(paths.TRAIN)
    layers, curves = paths.LAYERS.read_text(encoding="utf-8"), Curves.read(paths.CURVES)
    found: dict[str, Any] = {
        "title": params.dataset,
        "headline": headline(figures),
        "next": advice.steps(figures, errors, curves, audit, facts.train),
        "left_out": sections.table(left_out.rows(REJECTED.read(), PASSED_OVER.read())),
        "data": sections.data(params.dataset, entry, Source.read(paths.SOURCE), audit, SPLIT_TABLE.read(), classes),
        "training": sections.training(trained, curves, HISTORY.read(), facts, layers),
        "evaluation": sections.evaluation(
            figures, PER_CLASS.read(), tested, classes, facts.temperature, errors.most_confused
        ),
        "mistakes": sections.mistakes(errors, MISTAKES.read(), load_images(), labels, classes),
        "inside": sections.inside(InsideFigures.read(paths.INSIDE)),
        "predict": sections.predict(int((index["subset"] == "unlabeled").sum()), entry),
        "made": made(params),
    }
    return found | {"sections": [(name, text) for name, text in sections.SECTIONS if found[name]]}


def page(content: dict[str, Any]) -> str:
    """The report: one HTML page that contains its pictures, style and script."""
    pictures = {name: rendering.picture(folder / f"{name}.png", alt) for name, (folder, alt) in PICTURES.items()}
    style, script = rendering.part("report.css"), rendering.part("report.js")
    return rendering.render("report.html.j2", **content, pictures=pictures, wide=WIDE, style=style, script=script)


def card(content: dict[str, Any]) -> str:
    """The card of the model, in Markdown."""
    return rendering.render("card.md.j2", **content)


def made(params: Params) -> dict[str, Any]:
    """How to reproduce the model: commands, hashes of inputs and outputs, parameters.

    Package versions stand in MLflow's record of the run: in the report, its bytes would depend on them.
    """
    locked = hashlib.md5(paths.WEIGHTS.read_bytes(), usedforsecurity=False).hexdigest()
    hashes = {
        "archive": Source.read(paths.SOURCE).sha256,
        "index of the images": sha256(paths.INDEX),
        "split": sha256(paths.SPLIT),
        "weights": sha256(paths.WEIGHTS),
    }
    shown = params.model_dump()
    # Folders are this machine's alone, and archives of other entries made nothing here.
    shown["fetch"]["archive"] = {params.dataset: Path(params.archive).name} if params.archive else {}
    return {
        # A file cannot name the commit that holds its own hash, so the commands look for it.
        "commands": "# the commit that locked these weights\n"
        f"git checkout $(git log --all --format=%H -S {locked} -- dvc.lock | tail -1)\n"
        "dvc repro        # make everything again, or `dvc pull` to fetch it",
        "hashes": sections.table(pd.DataFrame(hashes.items(), columns=["what", "sha256"])),
        "params": dump(shown),
    }
