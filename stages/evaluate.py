"""Measure the model on validation and test, and keep every prediction."""

import numpy as np
import pandas as pd

from darkroom.analysis.verdict import shortfall
from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder, write_csv, write_json, write_text
from darkroom.config.params import Params, load
from darkroom.config.stage_files import Baselines, Evaluation, ModelFacts
from darkroom.config.stage_tables import BASELINE_PREDICTIONS, PER_CLASS, PREDICTIONS
from darkroom.dataset.packed import load_classes, load_images, load_index
from darkroom.drawing import charts, style


def main() -> None:
    params, _ = load()
    facts = ModelFacts.read(paths.MODEL)
    torch_setup.torch_for_model(facts.train)
    evaluate(params, facts)


def evaluate(params: Params, facts: ModelFacts) -> None:
    """Write predictions, figures, tables and pictures of both splits; add them to the record of the run."""
    from darkroom.analysis import evaluation, metrics, slices
    from darkroom.classifier.trained_network import TrainedNetwork
    from darkroom.network import devices
    from darkroom.tracking import recorded, recording

    classifier = TrainedNetwork.load(paths.MODEL.parent, devices.place_again(facts.train))
    images, index, classes = load_images(), load_index(), load_classes()
    val = evaluation.measure(classifier, images, index, "val", facts, params.evaluate)
    val_figures, predictions = val.figures(), [val.predictions("val")]
    del val  # of many images and classes it takes much memory
    test = evaluation.measure(classifier, images, index, "test", facts, params.evaluate)
    beside = evaluation.beside_baselines(test, Baselines.read(paths.BASELINE), BASELINE_PREDICTIONS.read())
    figures = Evaluation(val=val_figures, test=test.figures(), baselines=beside)
    figures.write(paths.EVALUATE)
    PREDICTIONS.write(pd.concat([*predictions, test.predictions("test")], ignore_index=True))
    report, text = metrics.report(test.labels, test.probabilities, classes)
    write_json(paths.REPORT_JSON, {"split": "test", **report})
    write_text(paths.REPORT_TEXT, f"test split, {len(test.rows):,} images\n\n{text}")
    per_class = metrics.per_class(test.labels, test.probabilities, test.ranking, classes)
    coverage, calibration = metrics.coverage(test.labels, test.probabilities), test.calibration()
    by_property = slices.table(slices.properties(images, test.rows, index), test.right)
    PER_CLASS.write(per_class)
    write_csv(paths.COVERAGE, coverage)
    write_csv(paths.CALIBRATION, calibration)
    write_csv(paths.SLICES, by_property)
    names = np.array(classes, dtype=object)
    pairs = pd.DataFrame({"actual": test.labels, "predicted": test.predicted})
    write_csv(paths.CONFUSION, pairs.sort_values(["actual", "predicted"]).apply(lambda column: names[column]))
    matrix = metrics.confusion(test.labels, test.probabilities)
    with replacing_folder(paths.EVALUATE_PICTURES) as folder:
        for name, normalised in (("confusion", False), ("confusion_normalised", True)):
            style.save(charts.confusion(matrix, classes, normalised=normalised, split="test"), folder / f"{name}.png")
        style.save(charts.per_class(per_class, "test"), folder / "per_class.png")
        style.save(charts.coverage(coverage, "test"), folder / "coverage.png")
        style.save(charts.reliability(calibration, "test"), folder / "reliability.png")
        style.save(charts.slices(by_property, "test"), folder / "slices.png")
    recording.evaluated(params, recorded.evaluation(figures), recorded.EVALUATED)
    reached, worse = figures.test, shortfall(beside)
    done(
        f"wrote {paths.EVALUATE} (test accuracy {reached.accuracy:.2%}, 95 % interval {reached.accuracy_low:.2%} to "
        f"{reached.accuracy_high:.2%}), {paths.REPORT_TEXT} and pictures in {paths.EVALUATE_PICTURES}"
        + (f"\n{worse}" if worse else ""),
        "python -m darkroom check" if worse else "dvc repro errors",
    )


if __name__ == "__main__":
    run(main)
