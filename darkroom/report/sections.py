"""The sections of the report: each function puts results of the pipeline into words, figures and tables."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from darkroom.base.words import by, counted, listed
from darkroom.config.audit_figures import AuditFigures
from darkroom.config.catalogue import Entry, Resize
from darkroom.config.model_facts import ModelFacts, Pretrained
from darkroom.config.stage_files import (
    ConfusedPair,
    Curves,
    ErrorFigures,
    Evaluation,
    InsideFigures,
    Source,
    TrainingFigures,
)
from darkroom.config.stage_tables import HIDDEN
from darkroom.dataset import shapes
from darkroom.dataset.packed import SPLITS, Images, Labels
from darkroom.report.rendering import thumbnail
from darkroom.report.summary import interval

SECTIONS = [
    ("data", "Data"),
    ("training", "Training"),
    ("evaluation", "Evaluation"),
    ("mistakes", "Mistakes"),
    ("inside", "Inside the model"),
    ("predict", "Unlabelled images"),
    ("made", "How it was made"),
]
MATRIX_CLASSES = 40  # up to so many classes, the confusion matrix is a table of clickable cells
PAIRS = 20  # most confused pairs that are listed
GALLERY, GALLERY_BYTES = 1000, 3_000_000  # limits: mistakes shown, and characters of their data URIs
FIGURES = {
    "images": "Images",
    "accuracy": "Accuracy",
    "accuracy_low": "Accuracy, 95 % interval from",
    "accuracy_high": "Accuracy, 95 % interval to",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "weighted_f1": "Weighted F1",
    "top3_accuracy": "Top-3 accuracy",
    "cohen_kappa": "Cohen's kappa",
    "quadratic_kappa": "Quadratic kappa, for ordered classes alone",
    "roc_auc": "ROC AUC, one against the rest, mean of the classes",
    "average_precision": "Average precision, mean of the classes",
    "log_loss": "Log loss, nats",
    "ece": "Expected calibration error",
    "ece_uncalibrated": "Expected calibration error before the temperature",
}
BROUGHT: dict[Resize, str] = {
    "squash": "are brought to it whatever their proportions",
    "crop": "are cropped to their middle",
    "pad": "are laid on black",
}
COLUMNS = {"f1": "F1", "roc_auc": "ROC AUC", "average_precision": "average precision"}
# What the pictures of the inside show, for those that a network does not have.
WHAT = {
    "filters.png": "filters of the first layer",
    "kernels.png": "kernels of a deeper layer",
    "activations.png": "activation maps",
    "dead.png": "dead channels",
}
LEFT_OUT = "left out: "  # begins the reason that stands in errors.json in place of the layer of Grad-CAM

Table = dict[str, list[Any]]


def table(rows: pd.DataFrame, names: Sequence[str] | None = None) -> Table:
    """A table for a page: `head` (column names) and `body` (rows of text)."""
    lines = [[text(value) for value in line] for line in rows.itertuples(index=False)]
    return {"head": list(names or rows.columns), "body": lines}


def text(value: Any) -> str:
    """A value as readable text; a missing one becomes an empty text."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if value and abs(value) < 0.001 else f"{value:,.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def data(
    dataset: str, entry: Entry, source: Source, audit: AuditFigures, split: pd.DataFrame, classes: list[str]
) -> dict[str, Any]:
    """The section on the data set."""
    height, width, channels = entry.shape
    kind = "grey" if channels == 1 else "colour"
    counts = split[[*SPLITS, "left_out"]].sum()
    divided, left_out = max(1, counts[[*SPLITS]].sum()), counted(int(counts["left_out"]), "labelled image")
    kinds, change = shapes.in_words(audit.shapes)
    facts = {
        "Title": entry.title,
        "Origin": source.origin,
        "Licence": entry.license,
        "Images": f"{audit.images:,} ({audit.labelled:,} labelled)",
        "Shapes": kinds,
        "Resize": change,
        "Classes": f"{audit.classes:,}",
        "Train, val, test": ", ".join(f"{counts[name]:,} ({counts[name] / divided:.1%})" for name in SPLITS),
        "Left out": f"{left_out}, with the pixels or the group of one in val or test" if counts["left_out"] else "",
        "Smallest class": f"{audit.smallest_class.name} ({audit.smallest_class.images:,})",
        "Largest class": f"{audit.largest_class.name} ({audit.largest_class.images:,})",
    }
    left = {
        **{f"rejected: {reason}": count for reason, count in audit.rejected.items()},
        **{f"passed over: {reason}": count for reason, count in audit.passed_over.items() if reason != HIDDEN},
    }
    found = {
        **{f"{'file' if count == 1 else 'files'} {what}": count for what, count in left.items()},
        "images have copies with equal pixels": audit.duplicates.images,
        "images have a copy under another label": audit.conflicts.images,
        "images are blank": audit.blank,
    }
    return {
        "words": f"{entry.title or dataset}: {audit.labelled:,} labelled images of "
        f"{audit.classes:,} classes, stored as {width} x {height} pixels, {kind}.",
        "input": f"{width} x {height} pixels, {kind}; pictures of other sizes {BROUGHT[entry.resize]}",
        "facts": [(name, value) for name, value in facts.items() if value],
        "findings": [f"{count:,} {what}" for what, count in found.items() if count]
        or ["Nothing to report: no rejected files, no copies, no contradicting labels, no blank images."],
        "split": table(split, [name.replace("_", " ") for name in split.columns]),
        "classes": classes,
        "class_names": listed(classes, 20),
    }


def training(
    trained: TrainingFigures, curves: Curves, history: pd.DataFrame, facts: ModelFacts, layers: str
) -> dict[str, Any]:
    """The section on the training. `layers` is the text of the table of the network's layers."""
    model, settings = facts.model, facts.train
    name = f"{model.name} {model.layers}" if model.name == "cnn" else model.name
    share = f" A quick look: trained on {100 * settings.fraction:.3g}% of the training images (train.fraction)."
    quick_look = share if settings.fraction < 1 else ""
    seen = f" It sees {by(facts.seen[1::-1])} pixels of each image: a random part in training, else the middle."
    part = seen if facts.part else ""
    start = ", started from pretrained weights" if facts.pretrained else ""
    return {
        "pretrained": _pretrained(facts.pretrained),
        "words": f"{name} with {trained.parameters:,} parameters{start}; {settings.optimizer}, learning rate "
        f"{settings.lr:g}, batches of {settings.batch_size}, {trained.epochs} epochs, the weights of epoch "
        f"{trained.best_epoch} kept.{part}{quick_look} What the curves show: {curves.fit}.",
        "augmented": bool(facts.augment or facts.part),
        "layers": layers,
        "history": table(history.rename(columns=lambda name: name.replace("_", " "))),
    }


def _pretrained(found: Pretrained | None) -> str:
    """Source, licence and hash of the weights that the training started from; nothing where they were random."""
    if found is None:
        return ""
    source = found.source or f"weights {found.weights}"
    return (
        f"The training started from {source} (licence: {found.license or 'not stated'}; sha256 {found.sha256}). "
        "A model that is made from weights is bound by their licence too."
    )


def evaluation(
    figures: Evaluation,
    per_class: pd.DataFrame,
    predictions: pd.DataFrame,
    classes: list[str],
    temperature: float,
    pairs: list[ConfusedPair],
) -> dict[str, Any]:
    """The section on the evaluation. `predictions` are those of the test split: label, predicted (class numbers)."""
    test, val, baselines = figures.test, figures.val, figures.baselines
    cards = [
        (
            "accuracy",
            f"{test.accuracy:.2%}",
            f"95 % interval {interval(test)}",
        ),
        ("macro F1", f"{test.macro_f1:.4f}", "every class counts alike"),
        ("calibration error", f"{test.ece:.4f}", f"{test.ece_uncalibrated:.4f} before the temperature"),
    ]
    if test.top3_accuracy is not None:
        cards.insert(2, ("top-3 accuracy", f"{test.top3_accuracy:.2%}", "the true class among the first three"))
    rows = [(label, getattr(val, name), getattr(test, name)) for name, label in FIGURES.items()]
    simple = pd.DataFrame(
        [(name.replace("_", " "), value) for name, value in baselines.test_accuracy.items()],
        columns=["method", "accuracy, test"],
    )
    test_of = baselines.mcnemar
    weakest = per_class[per_class["images"] > 0].sort_values("f1", kind="stable").head(5)
    return {
        "cards": [{"name": f"{name}, test", "value": value, "note": note} for name, value, note in cards],
        "words": f"Beside the best simple method, {baselines.best.replace('_', ' ')}: "
        f"{test_of.only_ours_right:,} test images are right here alone, {test_of.only_other_right:,} there alone "
        f"(McNemar's exact test: p = {test_of.p_value:.2g}).",
        "figures": table(pd.DataFrame(rows, dtype=object), ["figure", "val", "test"]),
        "baselines": table(simple.sort_values("accuracy, test", ascending=False, kind="stable")),
        "per_class": table(per_class.rename(columns=COLUMNS)),
        "weakest": table(weakest[["class", "precision", "recall", "f1", "images"]])["body"],
        "matrix": _matrix(predictions, classes) if len(classes) <= MATRIX_CLASSES else None,
        "pairs": [pair.model_dump() for pair in pairs[:PAIRS]],
        "calibration": f"Probabilities are softmax of logits over a temperature of {temperature:g}, fitted on val. On "
        f"test the expected calibration error is {test.ece:.4f}, and {test.ece_uncalibrated:.4f} without it.",
    }


def _matrix(predictions: pd.DataFrame, classes: list[str]) -> dict[str, Any]:
    counts = pd.crosstab(predictions["label"], predictions["predicted"])
    counts = counts.reindex(index=range(len(classes)), columns=range(len(classes)), fill_value=0)
    rows = []
    for true, name in enumerate(classes):
        line = counts.to_numpy()[true].tolist()
        cells = [
            {"name": other, "count": count, "share": round(count / max(1, sum(line)), 4), "right": true == at}
            for at, (other, count) in enumerate(zip(classes, line, strict=True))
        ]
        rows.append({"name": name, "cells": cells})
    return {"classes": classes, "rows": rows}


def mistakes(
    errors: ErrorFigures, wrong: pd.DataFrame, images: Images, labels: Labels, classes: list[str]
) -> dict[str, Any]:
    """The section on the mistakes on test, worst first, with thumbnails of as many as the limits allow.

    `wrong` is metrics/errors.csv. `images` and `labels` are those of the whole data set.
    """
    shown: list[dict[str, Any]] = []
    taken = 0
    for item in wrong.head(GALLERY).to_dict("records"):
        uri = thumbnail(images[item["row"]])
        taken += len(uri)
        if taken > GALLERY_BYTES:
            break
        names = {name: item[name] for name in ("path", "true", "predicted")}
        counts = Counter(classes[labels[row]] for row in item["neighbour_rows"]).most_common()
        near = ", ".join(f"{name} ({count})" for name, count in counts)
        figures = {name: item[name] for name in ("confidence", "loss")}
        shown.append({"uri": uri, "neighbours": near} | names | figures)
    count, total = errors.mistakes, errors.images
    left_out = f" The {len(shown):,} worst are shown." if len(shown) < count else ""
    suspects, copies = errors.suspects, errors.near_duplicates
    without = errors.grad_cam.startswith(LEFT_OUT)
    return {
        "no_grad_cam": f"No Grad-CAM: {errors.grad_cam.removeprefix(LEFT_OUT)}." if without else "",
        "words": f"{count:,} of {total:,} test images are classified wrong ({errors.error_rate:.2%}).{left_out}"
        if count
        else f"None of {total:,} test images is classified wrong.",
        "shown": shown,
        # The filters name the classes of all mistakes, shown or not: a cell of the matrix selects by them.
        "true": _names(wrong["true"]),
        "predicted": _names(wrong["predicted"]),
        "suspects": f"Labels that are suspected to be wrong: {suspects.images:,} (metrics/suspects.csv). Images of "
        f"val or test that are nearly equal to one of train: {copies.pairs:,} (metrics/near_duplicates.csv). "
        "Rows of suspects.csv that you agree with go into data/corrections.csv; the next dvc repro honours them.",
    }


def inside(found: InsideFigures) -> dict[str, Any]:
    """The section on the inside of the model."""
    accuracy = found.accuracy
    words = (
        f"By the five nearest training images in the features of the last layer, "
        f"{accuracy.nearest_neighbours:.2%} of {found.test_images:,} test images are classified right; by the "
        f"network itself {accuracy.head:.2%}."
    )
    for layers, what in (
        (found.dead_channels, "filters never answer on val."),
        (found.idle_channels, "channels of smooth activations, which are never quite dead, hardly vary on val."),
    ):
        if layers:
            count = sum(layer.dead for layer in layers.values())
            words += f" {count:,} of {sum(layer.channels for layer in layers.values()):,} {what}"
    return {"words": words, "left_out": [(WHAT.get(name, name), why) for name, why in found.left_out.items()]}


def predict(unlabelled: int, entry: Entry) -> str:
    """One sentence on the unlabelled images, of which there are so many; empty where there are none."""
    if not unlabelled:
        return ""
    if entry.sample is None:
        return f"{unlabelled:,} unlabelled images were classified, into data/submission.csv."
    return (
        f"{unlabelled:,} unlabelled images; data/submission.csv holds the predictions that {entry.sample.sample} asks "
        "for, in its form."
    )


def _names(found: Iterable[str]) -> list[str]:
    return sorted(set(found), key=lambda name: (len(name), name) if name.isdecimal() else (10**6, name))
