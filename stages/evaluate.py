"""Measure the model on the splits val and test, and keep every prediction."""

import pandas as pd

from darkroom.analysis.verdict import remedy, shortfall
from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.stage_files import Baselines, Evaluation
from darkroom.config.stage_tables import BASELINE_PREDICTIONS, PREDICTIONS
from darkroom.dataset.packed import load_classes, load_images, load_index


def main() -> None:
    settings, facts = load()[0].evaluate, ModelFacts.read(paths.MODEL)
    torch_setup.torch_for_model(facts.train)
    from darkroom.analysis import evaluation, evaluation_tables
    from darkroom.classifier.trained_network import TrainedNetwork
    from darkroom.drawing import evaluation_pictures
    from darkroom.network import devices

    loaded = TrainedNetwork.load(paths.MODEL.parent, devices.device_after_training(facts.train))
    classifier = loaded.with_kept_features(facts)
    images, index, classes = load_images(), load_index(), load_classes()
    val = evaluation.measure(classifier, images, index, "val", facts, settings)
    val_figures, predictions = val.figures(), [val.predictions("val")]
    del val  # with many images and classes it holds much memory
    test = evaluation.measure(classifier, images, index, "test", facts, settings)
    beside = evaluation.compare_with_baselines(test, Baselines.read(paths.BASELINE), BASELINE_PREDICTIONS.read())
    figures = Evaluation(val=val_figures, test=test.figures(), baselines=beside)
    tables = evaluation_tables.make(test, images, index, classes)
    figures.write(paths.EVALUATE)
    PREDICTIONS.write(pd.concat([*predictions, test.predictions("test")], ignore_index=True))
    tables.write()
    with replacing_folder(paths.EVALUATE_PICTURES) as folder:
        evaluation_pictures.write(folder, tables, classes)
    reached, worse = figures.test, shortfall(beside)
    done(
        f"wrote {paths.EVALUATE} (test accuracy {reached.accuracy:.2%}, 95 % interval {reached.accuracy_low:.2%} to "
        f"{reached.accuracy_high:.2%}), {paths.REPORT_TEXT} and pictures in {paths.EVALUATE_PICTURES}"
        + (f"\n{worse}" if worse else ""),
        remedy(beside, facts.train) if worse else "dvc repro errors",
    )


if __name__ == "__main__":
    run(main)
