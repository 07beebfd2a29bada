"""Show the mistakes on the test split and what explains them, and list labels that are probably wrong."""

import numpy as np

from darkroom.analysis.verdict import shortfall
from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import load
from darkroom.config.stage_files import Evaluation
from darkroom.config.stage_tables import DUPLICATES, MISTAKES, NEAR_DUPLICATES, PREDICTIONS, SPLIT, SUSPECTS
from darkroom.dataset.packed import labels_of, load_classes, load_images, load_index


def main() -> None:
    settings, facts = load()[0].errors, ModelFacts.read(paths.MODEL)
    torch_setup.torch_for_model(facts.train)
    from darkroom.analysis import doubts
    from darkroom.classifier.trained_network import TrainedNetwork
    from darkroom.drawing import mistake_pictures
    from darkroom.network import devices

    index, duplicates = load_index(), DUPLICATES.read()
    data = doubts.Data(
        images=load_images(),
        index=index,
        labels=labels_of(index, np.arange(len(index))),
        classes=load_classes(),
        splits=SPLIT.read().set_index("row")["split"],
        predictions=PREDICTIONS.read(),
        conflicts=duplicates[duplicates["kind"] == "conflict"],
    )
    loaded = TrainedNetwork.load(paths.MODEL.parent, devices.device_after_training(facts.train))
    classifier = loaded.with_kept_features(facts)
    found = doubts.find(data, facts, classifier, settings.train_folds)
    with replacing_folder(paths.ERRORS_PICTURES) as folder:
        layer = mistake_pictures.write(folder, settings, data, found, classifier)
    MISTAKES.write(found.mistakes)
    SUSPECTS.write(found.suspects)
    NEAR_DUPLICATES.write(found.near_duplicates)
    no_map = "" if layer else f"{facts.model.name} has no spatial feature map"
    figures = found.figures(len(data.tested()), settings.pairs, layer or f"left out: {no_map}")
    figures.write(paths.ERRORS)
    worse = shortfall(Evaluation.read(paths.EVALUATE).baselines)
    done(
        f"wrote {paths.ERRORS_TABLE} ({figures.mistakes} mistakes in {figures.images:,} test images), "
        f"{paths.SUSPECTS} ({figures.suspects.images} suspected labels), {paths.NEAR_DUPLICATES} "
        f"({figures.near_duplicates.pairs} pairs) and galleries in {paths.ERRORS_PICTURES}"
        + (f"\nno Grad-CAM: {no_map}" if no_map else "")
        + (f"\n{worse}: what it suspects means little" if worse else ""),
        "dvc repro report",
    )


if __name__ == "__main__":
    run(main)
