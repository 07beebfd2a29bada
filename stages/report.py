"""Write the report, one page with everything in it, and the model's card.

It comes last, so it also adds to the record of the run what `curves` and the stages since `evaluate` have made, each
of which would spend seconds on the import of MLflow, and what `evaluate` has made, in case that did not run again for a
new record.
"""

import hashlib
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import yaml

from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.base.files import sha256, write_text
from darkroom.config.params import Params, load
from darkroom.config.stage_files import (
    AuditFigures,
    Curves,
    ErrorFigures,
    Evaluation,
    InsideFigures,
    ModelFacts,
    Source,
    TrainingFigures,
)
from darkroom.config.stage_tables import HISTORY, MISTAKES, PER_CLASS, PREDICTIONS, SPLIT_TABLE
from darkroom.dataset.packed import labels_of, load_classes, load_images, load_index, load_split
from darkroom.report import rendering, sections, summary
from darkroom.tracking import recorded, recording

PACKAGES = (
    "torch",
    "torchvision",
    "lightning-fabric",
    "numpy",
    "opencv-python-headless",
    "scikit-learn",
    "dvc",
    "mlflow",
)
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
    "dead": (paths.INSIDE_PICTURES, "Bars: share of dead filters by layer"),
    "contact_sheet": (paths.PREDICT_PICTURES, "Unlabelled images with predicted class and confidence"),
}


def main() -> None:
    params, entry = load(images=len(load_split("train")))
    facts, figures = ModelFacts.read(paths.MODEL), Evaluation.read(paths.EVALUATE)
    errors, seen, classes = ErrorFigures.read(paths.ERRORS), InsideFigures.read(paths.INSIDE), load_classes()
    tested = PREDICTIONS.read("split", "label", "predicted")
    index = load_index("label")
    content: dict[str, Any] = {
        "title": params.dataset,
        "headline": summary.headline(figures.test),
        "data": sections.data(
            Source.read(paths.SOURCE), AuditFigures.read(paths.AUDIT), SPLIT_TABLE.read(), entry.shape, classes
        ),
        "training": sections.training(
            TrainingFigures.read(paths.TRAIN),
            Curves.read(paths.CURVES),
            HISTORY.read(),
            facts,
            paths.LAYERS.read_text(encoding="utf-8"),
        ),
        "evaluation": sections.evaluation(
            figures,
            PER_CLASS.read(),
            tested[tested["split"] == "test"],
            classes,
            facts.temperature,
            errors.most_confused,
        ),
        "mistakes": sections.mistakes(
            errors, MISTAKES.read(), load_images(), labels_of(index, np.arange(len(index))), classes
        ),
        "inside": sections.inside(seen),
        "predict": sections.predict(pd.read_csv(paths.SUBMISSION, dtype=str)),
        "made": made(params),
    }
    content["sections"] = [(name, text) for name, text in sections.SECTIONS if content[name]]
    pictures = {name: rendering.picture(folder / f"{name}.png", alt) for name, (folder, alt) in PICTURES.items()}
    page = rendering.render(
        "report.html.j2",
        **content,
        pictures=pictures,
        style=rendering.part("report.css"),
        script=rendering.part("report.js"),
    )
    write_text(paths.REPORT, page)
    write_text(paths.CARD, rendering.render("card.md.j2", **content))
    recording.evaluated(
        params, recorded.evaluation(figures) | recorded.later(errors, seen), [*recorded.EVALUATED, *recorded.LATER]
    )
    done(
        f"wrote {paths.REPORT} ({len(page.encode()) / 1e6:.1f} MB, all in one page) and {paths.CARD}",
        f"open {paths.REPORT} in a browser",
    )


def made(params: Params) -> dict[str, Any]:
    """How to make it again: commands, sums of what went in and came out, versions, parameters."""
    locked = hashlib.md5(paths.WEIGHTS.read_bytes(), usedforsecurity=False).hexdigest()
    hashes = {
        "archive": Source.read(paths.SOURCE).sha256,
        "index of the images": sha256(paths.INDEX),
        "split": sha256(paths.SPLIT),
        "weights": sha256(paths.WEIGHTS),
    }
    return {
        # The commit itself cannot stand in a file that the commit holds the sum of.
        "commands": "# the commit that locked these weights\n"
        f"git checkout $(git log --all --format=%H -S {locked} -- dvc.lock | tail -1)\n"
        "dvc repro        # make everything again, or `dvc pull` to fetch it",
        "hashes": sections.table(pd.DataFrame(hashes.items(), columns=["what", "sha256"])),
        "versions": sections.table(
            # A build's own mark, as in 2.15.0+cpu, is left out: the bytes must not depend on it.
            pd.DataFrame([(name, version(name).partition("+")[0]) for name in PACKAGES], columns=["package", "version"])
        ),
        "params": yaml.safe_dump(params.model_dump(), sort_keys=False, allow_unicode=True),
    }


if __name__ == "__main__":
    run(main)
