"""Draw the curves of the training and its augmented images, and say in words what the curves show."""

import numpy as np

from darkroom.analysis.verdict import fit_in_words
from darkroom.base import paths
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_files import Curves, TrainingFigures
from darkroom.config.stage_tables import HISTORY
from darkroom.drawing import galleries, style, training_charts


def main() -> None:
    facts, trained, history = ModelFacts.read(paths.MODEL), TrainingFigures.read(paths.TRAIN), HISTORY.read()
    words = fit_in_words(history)
    Curves(fit=words).write(paths.CURVES)
    before, after = np.load(paths.AUGMENTED)
    changed = "before and after augmentation" if facts.augment else "as they are, for augment is empty"
    title = f"Training images {changed}, {len(before)} of one batch"
    with replacing_folder(paths.TRAIN_PICTURES) as folder:
        boundary, best = facts.train.freeze_epochs, trained.best_epoch
        curves = training_charts.curves(history, best, boundary=boundary, augmented=bool(facts.augment or facts.part))
        style.save(curves, folder / "curves.png")
        style.save(galleries.before_after(before, after, columns=8, title=title), folder / "augmented.png")
    done(f"{words}\nwrote {paths.CURVES}, and pictures in {paths.TRAIN_PICTURES}", "dvc repro evaluate")


if __name__ == "__main__":
    run(main)
