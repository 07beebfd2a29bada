"""Measure the model on validation and test, and keep every prediction."""

from typing import Any

import numpy as np
import pandas as pd

from darkroom import paths, plots, runtime
from darkroom.console import UserError, bar, done, run
from darkroom.dataset import labels_of, load_classes, load_images, load_index, load_split
from darkroom.files import read_json, replacing_folder, write_csv, write_json, write_parquet, write_text
from darkroom.params import Params, load

RECORDED = {"val": "best_val", "test": "test"}


def main() -> None:
    params, _ = load()
    facts = read_json(paths.MODEL)
    portable = facts["train"]["portable"]
    runtime.torch_for(threads=facts["train"]["threads"] if portable else 0, portable=portable)
    evaluate(params, facts)


def evaluate(params: Params, facts: dict[str, Any]) -> None:
    """Write predictions, figures, tables and pictures of both splits; add them to the record of the run."""
    from darkroom import augment, devices, metrics, tracking, voting
    from darkroom.changes import Augmentation
    from darkroom.inference import Classifier, to_bytes_scale

    device = devices.choose_device("auto", portable=facts["train"]["portable"])
    classifier = Classifier.load(paths.MODEL.parent, device)
    tta = params.evaluate.tta
    changes = tta.changes
    if changes is None:
        changes = [Augmentation.model_validate(item) for item in facts["augment"]]
    border = to_bytes_scale(facts["border"]).flatten().to(device)
    change = augment.build(changes, border, classifier.mean.flatten())
    if tta.copies and not changes:
        raise UserError(
            f"evaluate.tta.copies is {tta.copies}, but there is nothing to change the copies by: training had no "
            "augment. List changes in evaluate.tta.changes"
        )
    images, index, classes = load_images(), load_index(), load_classes()
    batch_size = params.evaluate.batch_size
    figures, predictions = {}, []
    for split in ("val", "test"):
        rows = load_split(split)
        labels = labels_of(index, rows)
        step = max(batch_size, 2**26 // images[0].nbytes)
        parts = range(0, len(rows), step)
        probabilities = np.concatenate(
            [
                voting.probabilities(
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
        figures[split] = metrics.summary(labels, probabilities)
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
    # What stands below is about the test split, whose labels and probabilities are still at hand.
    report, text = metrics.report(labels, probabilities, classes)
    table = metrics.per_class(report, classes)
    matrix = metrics.confusion(labels, probabilities)
    write_json(paths.EVALUATE, figures)
    write_json(paths.REPORT_JSON, {"split": "test", **report})
    write_text(paths.REPORT_TEXT, f"test split, {len(labels):,} images\n\n{text}")
    write_csv(paths.PER_CLASS, table)
    names = np.array(classes, dtype=object)
    pairs = pd.DataFrame({"actual": labels, "predicted": probabilities.argmax(axis=1)})
    write_csv(paths.CONFUSION, pairs.sort_values(["actual", "predicted"]).apply(lambda column: names[column]))
    write_parquet(paths.PREDICTIONS, pd.concat(predictions, ignore_index=True))
    with replacing_folder(paths.EVALUATE_PICTURES) as folder:
        for name, normalised in (("confusion", False), ("confusion_normalised", True)):
            plots.save(plots.confusion(matrix, classes, normalised=normalised, split="test"), folder / f"{name}.png")
        plots.save(plots.per_class(table, "test"), folder / "per_class.png")
    tracking.evaluated(
        params,
        # The run already has `val_accuracy`, epoch by epoch.
        {f"{prefix}_{name}": figures[split][name] for split, prefix in RECORDED.items() for name in figures[split]},
        [paths.EVALUATE, paths.REPORT_TEXT, paths.REPORT_JSON, paths.PER_CLASS, paths.EVALUATE_PICTURES],
    )
    reached = f"test accuracy {figures['test']['accuracy']:.2%}"
    done(
        f"wrote {paths.EVALUATE} ({reached}), {paths.REPORT_TEXT} and pictures in {paths.EVALUATE_PICTURES}",
        "dvc repro errors",
    )


if __name__ == "__main__":
    run(main)
