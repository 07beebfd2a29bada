"""Measure the model on validation and test, and keep every prediction."""

import math
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from darkroom.analysis.baselines import shortfall
from darkroom.base import paths, torch_setup
from darkroom.base.console import bar, done, run
from darkroom.base.errors import UserError
from darkroom.base.files import read_json, replacing_folder, write_csv, write_json, write_parquet, write_text
from darkroom.config.params import Params, load
from darkroom.dataset.packed import Labels, labels_of, load_classes, load_images, load_index, load_split
from darkroom.drawing import charts, style


def main() -> None:
    params, _ = load()
    facts = read_json(paths.MODEL)
    torch_setup.torch_for_model(facts["train"])
    evaluate(params, facts)


def evaluate(params: Params, facts: dict[str, Any]) -> None:
    """Write predictions, figures, tables and pictures of both splits; add them to the record of the run."""
    from darkroom.analysis import metrics, slices, voting
    from darkroom.augment import pipeline
    from darkroom.classifier.inference import Classifier
    from darkroom.config.augmentations import Augmentation
    from darkroom.network import devices
    from darkroom.network.normalisation import to_bytes_scale
    from darkroom.tracking import recorded, recording

    device = devices.place_again(facts["train"])
    classifier = Classifier.load(paths.MODEL.parent, device)
    tta = params.evaluate.tta
    changes = tta.changes
    if changes is None:
        changes = [Augmentation.model_validate(item) for item in facts["augment"]]
    border = to_bytes_scale(facts["border"]).flatten().to(device)
    change = pipeline.build(changes, border, classifier.mean.flatten())
    if tta.copies and not changes:
        raise UserError(
            f"evaluate.tta.copies is {tta.copies}, but there is nothing to change the copies by: training had no "
            "augment. List changes in evaluate.tta.changes"
        )
    images, index, classes = load_images(), load_index(), load_classes()
    batch_size = params.evaluate.batch_size
    figures: dict[str, Any] = {}
    predictions = []
    for split in ("val", "test"):
        rows = load_split(split)
        labels = labels_of(index, rows)
        step = voting.BLOCK * math.ceil(max(batch_size, 2**26 // images[0].nbytes) / voting.BLOCK)
        parts = range(0, len(rows), step)
        votes = np.concatenate(
            [
                voting.votes(
                    classifier,
                    images[rows[start : start + step]],
                    rows[start : start + step],
                    change,
                    copies=tta.copies,
                    seed=facts["train"]["seed"],
                    batch_size=batch_size,
                )
                for start in bar(what=split, unit="part", items=parts)
            ]
        )
        probabilities = voting.tempered(votes, classifier.temperature)
        ranking = metrics.ranking(labels, probabilities)
        figures[split] = metrics.summary(labels, probabilities, votes, ranking)
        predictions.append(
            pd.DataFrame(
                {
                    "row": rows,
                    "split": split,
                    "label": labels,
                    "predicted": probabilities.argmax(axis=1),
                    "confidence": probabilities.max(axis=1),
                    "loss": metrics.losses(labels, probabilities).round(6),
                    "probabilities": list(probabilities),
                }
            )
        )
    # What stands below is about the test split, whose rows, labels and probabilities are still at hand.
    report, text = metrics.report(labels, probabilities, classes)
    table = metrics.per_class(labels, probabilities, ranking, classes)
    right = probabilities.argmax(axis=1) == labels
    by_confidence = metrics.coverage(labels, probabilities)
    before, after = (metrics.reliability(labels, values) for values in (votes, probabilities))
    calibration = before.merge(after, on=["low", "high"], suffixes=("_uncalibrated", "")).round(4)
    by_property = slices.table(slices.properties(images, rows, index), right)
    matrix = metrics.confusion(labels, probabilities)
    beside = against_baselines(right, labels)
    write_json(paths.EVALUATE, figures | {"baselines": beside})
    write_json(paths.REPORT_JSON, {"split": "test", **report})
    write_text(paths.REPORT_TEXT, f"test split, {len(labels):,} images\n\n{text}")
    write_csv(paths.PER_CLASS, table)
    write_csv(paths.COVERAGE, by_confidence)
    write_csv(paths.CALIBRATION, calibration)
    write_csv(paths.SLICES, by_property)
    names = np.array(classes, dtype=object)
    pairs = pd.DataFrame({"actual": labels, "predicted": probabilities.argmax(axis=1)})
    write_csv(paths.CONFUSION, pairs.sort_values(["actual", "predicted"]).apply(lambda column: names[column]))
    write_parquet(paths.PREDICTIONS, pd.concat(predictions, ignore_index=True))
    with replacing_folder(paths.EVALUATE_PICTURES) as folder:
        for name, normalised in (("confusion", False), ("confusion_normalised", True)):
            style.save(charts.confusion(matrix, classes, normalised=normalised, split="test"), folder / f"{name}.png")
        style.save(charts.per_class(table, "test"), folder / "per_class.png")
        style.save(charts.coverage(by_confidence, "test"), folder / "coverage.png")
        style.save(charts.reliability(calibration, "test"), folder / "reliability.png")
        style.save(charts.slices(by_property, "test"), folder / "slices.png")
    recording.evaluated(params, recorded.evaluation(figures), recorded.EVALUATED)
    test = figures["test"]
    reached = (
        f"test accuracy {test['accuracy']:.2%}, 95 % interval {test['accuracy_low']:.2%} to {test['accuracy_high']:.2%}"
    )
    worse = shortfall(beside)
    done(
        f"wrote {paths.EVALUATE} ({reached}), {paths.REPORT_TEXT} and pictures in {paths.EVALUATE_PICTURES}"
        + (f"\n{worse}" if worse else ""),
        "python -m darkroom check" if worse else "dvc repro errors",
    )


def against_baselines(right: NDArray[np.bool_], labels: Labels) -> dict[str, Any]:
    """Test accuracy of each baseline beside the network's, and McNemar's test against the one that is best on val.

    `right` says which test images the network gets right.
    """
    from darkroom.analysis import metrics

    reached, predictions = read_json(paths.BASELINE), pd.read_parquet(paths.BASELINE_PREDICTIONS)
    names = [name for name in predictions if name != "row"]
    best = max(names, key=lambda name: reached[name]["val_accuracy"])
    return {
        "test_accuracy": {name: reached[name]["test_accuracy"] for name in names}
        | {"network": round(float(right.mean()), 4)},
        "best": best,
        "mcnemar": metrics.mcnemar(right, predictions[best].to_numpy() == labels),
    }


if __name__ == "__main__":
    run(main)
