"""Show the mistakes on the test split and what they come from, and name labels that are probably wrong."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from darkroom.analysis import mistakes, suspects
from darkroom.analysis.baselines import shortfall
from darkroom.base import paths, torch_setup
from darkroom.base.console import done, progress, run
from darkroom.base.files import replacing_folder
from darkroom.config.params import Errors, Params, load
from darkroom.config.stage_files import (
    Confused,
    ErrorFigures,
    Evaluation,
    ModelFacts,
    NearDuplicateCounts,
    SuspectCounts,
)
from darkroom.config.stage_tables import DUPLICATES, MISTAKES, NEAR_DUPLICATES, PREDICTIONS, SPLIT, SUSPECTS
from darkroom.dataset import near_duplicates
from darkroom.dataset.packed import (
    Images,
    Labels,
    Rows,
    chunks,
    labels_of,
    load_classes,
    load_images,
    load_index,
    load_split,
)
from darkroom.drawing import charts, galleries, style

if TYPE_CHECKING:
    from darkroom.classifier.trained_network import TrainedNetwork
    from darkroom.dataset.neighbours import Nearest

NONE = "no mistakes"


def main() -> None:
    params, _ = load()
    facts = ModelFacts.read(paths.MODEL)
    torch_setup.torch_for_model(facts.train)
    errors(params, facts)


def errors(params: Params, facts: ModelFacts) -> None:
    """Write tables and pictures of mistakes, suspects and near-duplicates; add them to the record of the run."""
    from darkroom.classifier.trained_network import TrainedNetwork
    from darkroom.dataset.neighbours import AT_MOST, evenly
    from darkroom.network import devices

    settings, classes, images, index = params.errors, load_classes(), load_images(), load_index()
    splits = SPLIT.read().set_index("row")["split"]
    labels = labels_of(index, np.arange(len(index)))
    classifier = TrainedNetwork.load(paths.MODEL.parent, devices.place_again(facts.train))
    predictions = PREDICTIONS.read()
    tested = predictions[predictions["split"] == "test"]

    table = mistakes.table(tested, index, classes)
    training, asked = evenly(load_split("train")), evenly(np.sort(predictions["row"].to_numpy(np.int64)))
    near = _nearest(classifier, images, table["row"].to_numpy(np.int64)[:AT_MOST], training)
    table = mistakes.with_neighbours(table, near, labels, classes)
    pairs = mistakes.pairs(table)
    copies = near_duplicates.pairs(
        asked,
        near_duplicates.versions(images, asked),
        training,
        near_duplicates.versions(images, training),
        near_duplicates.scale(images),
    )
    copies = near_duplicates.table(copies, index, splits, labels, classes)
    learned = [suspects.by_learning(predictions)]
    if settings.train_folds:
        learned.append(suspects.by_learning(_held_out(facts, images, index, labels, settings.train_folds, classifier)))
    conflicts = DUPLICATES.read()
    conflicts = conflicts[conflicts["kind"] == "conflict"]
    reasons = suspects.by_reason(
        pd.concat(learned, ignore_index=True),
        suspects.by_copies([group.tolist() for _, group in conflicts.groupby("group")["row"]], labels),
        suspects.by_near_copies(copies, labels),
    )
    quality = pd.concat(learned).set_index("row")["quality"]
    doubted = suspects.table(reasons, quality, index, splits, classes, facts.dataset)
    with replacing_folder(paths.ERRORS_PICTURES) as folder:
        _draw_mistakes(folder, settings, images, table, pairs)
        layer = _explain(folder, settings, classifier, images, table, near, labels)
        first = doubted.head(settings.suspects)
        title = f"The {len(first)} worst of {len(doubted):,} suspected labels (label → suggestion, split, quality)"
        style.save(
            charts.image_grid(images[first["row"].to_numpy(np.int64)], suspects.captions(first), columns=8, title=title)
            if len(first)
            else galleries.nothing("Suspected labels", "no suspects"),
            folder / "suspects.png",
        )
    MISTAKES.write(table)
    SUSPECTS.write(doubted)
    NEAR_DUPLICATES.write(copies)
    ErrorFigures(
        split="test",
        images=len(tested),
        mistakes=len(table),
        error_rate=round(len(table) / max(1, len(tested)), 4),
        most_confused=[Confused.model_validate(pair) for pair in pairs.head(settings.pairs).to_dict("records")],
        grad_cam=layer or f"left out: {facts.model.name} has no spatial feature map",
        suspects=SuspectCounts(
            images=len(doubted),
            by_split={name: int((doubted["split"] == name).sum()) for name in ("train", "val", "test")},
            by_reason={why: len(rows) for why, rows in reasons.items()},
        ),
        near_duplicates=NearDuplicateCounts(
            pairs=len(copies),
            under_two_labels=int((~copies["same_label"].astype(bool)).sum()),
            val_and_test_images=len(asked),
            training_images=len(training),
        ),
    ).write(paths.ERRORS)
    without = "" if layer else f"\nno Grad-CAM: {facts.model.name} has no spatial feature map"
    worse = shortfall(Evaluation.read(paths.EVALUATE).baselines)
    if worse:
        without += f"\n{worse}: what it suspects means little"
    done(
        f"wrote {paths.ERRORS_TABLE} ({len(table)} mistakes in {len(tested):,} test images), {paths.SUSPECTS} "
        f"({len(doubted)} suspected labels), {paths.NEAR_DUPLICATES} ({len(copies)} pairs) and galleries in "
        f"{paths.ERRORS_PICTURES}{without}",
        "python -m darkroom check"
        if worse
        else f"look at {paths.ERRORS_PICTURES}/suspects.png; put the rows of {paths.SUSPECTS} that you agree with into "
        f"{paths.CORRECTIONS}, and `dvc repro`"
        if len(doubted)
        else "python -m darkroom predict PICTURE, or dvc exp run -S train.lr=0.001",
    )


def _nearest(classifier: "TrainedNetwork", images: Images, asked: Rows, training: Rows) -> "Nearest":
    """The training images nearest to these rows, by the features that the last layer sees."""
    from darkroom.dataset.neighbours import NEAREST, nearest

    if not len(asked):
        return nearest(np.zeros((0, 1), np.float32), [], NEAREST)
    parts = progress(chunks(images, training), what="nearest", unit="part")
    return nearest(
        np.concatenate([classifier.features(part) for _, part in chunks(images, asked)]),
        ((rows, classifier.features(part)) for rows, part in parts),
        NEAREST,
    )


def _held_out(
    facts: ModelFacts, images: Images, index: pd.DataFrame, labels: Labels, count: int, classifier: "TrainedNetwork"
) -> pd.DataFrame:
    """Predictions for the training images, by models that did not see them."""
    from darkroom.analysis import held_out

    rows = {name: load_split(name) for name in ("train", "val")}
    pixels = index["sha256"].to_numpy()[rows["train"]]
    of_split = {name: labels[rows[name]] for name in rows}
    found = held_out.probabilities(facts, images, rows, of_split, pixels, count, classifier.mean.device)
    return pd.DataFrame(
        {
            "row": rows["train"],
            "label": of_split["train"],
            "predicted": found.argmax(axis=1),
            "probabilities": list(found),
        }
    )


def _draw_mistakes(folder: Path, settings: Errors, images: Images, table: pd.DataFrame, pairs: pd.DataFrame) -> None:
    """The worst mistakes, and those of the most confused pairs of classes."""
    worst = table.head(settings.worst)
    title = f"The {len(worst)} worst of {len(table)} mistakes, test split (true → predicted, confidence)"
    style.save(
        charts.image_grid(images[worst["row"]], mistakes.captions(worst), columns=8, title=title)
        if len(worst)
        else galleries.nothing("The worst mistakes, test split", NONE),
        folder / "worst.png",
    )
    chosen = mistakes.of_pairs(table, pairs.head(settings.pairs), settings.per_pair)
    title = "Most confused pairs of classes, test split, worst first"
    style.save(charts.gallery_rows(images, chosen, columns=settings.per_pair, title=title), folder / "pairs.png")


def _explain(
    folder: Path,
    settings: Errors,
    classifier: "TrainedNetwork",
    images: Images,
    table: pd.DataFrame,
    near: "Nearest",
    labels: Labels,
) -> str | None:
    """The worst mistakes beside their nearest training images, and with Grad-CAM; gives the layer of the latter."""
    from darkroom.analysis import gradcam

    shown = table.head(settings.explained)
    rows = shown["row"].to_numpy(np.int64)
    layer = gradcam.last_map(classifier.network, classifier.shape)
    headings = {
        "neighbours": "their nearest training images\nby what the last layer sees (red: predicted class, blue: true)",
        "gradcam": "where the evidence lies (Grad-CAM)",
    }
    titles = {name: f"The {len(shown)} worst mistakes, test split, and {what}" for name, what in headings.items()}
    if not len(shown):
        for name in ["neighbours"] + (["gradcam"] if layer else []):
            style.save(galleries.nothing(titles[name], NONE), folder / f"{name}.png")
        return layer
    found = near.rows[: len(shown)]
    names = [[classifier.classes[labels[row]] for row in of if row >= 0] for of in found]
    figure = galleries.neighbours(images, shown, found, names, titles["neighbours"])
    style.save(figure, folder / "neighbours.png")
    if layer:
        numbers = {name: number for number, name in enumerate(classifier.classes)}
        predicted, true = (
            gradcam.evidence(classifier, layer, images[rows], np.array([numbers[name] for name in shown[column]]))
            for column in ("predicted", "true")
        )
        style.save(galleries.evidence(images, shown, predicted, true, titles["gradcam"]), folder / "gradcam.png")
    return layer


if __name__ == "__main__":
    run(main)
