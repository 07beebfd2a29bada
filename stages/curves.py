"""Draw the training's curves and some augmented images, and say in words what the curves show."""

import numpy as np

from darkroom.analysis.verdict import fit_in_words
from darkroom.base import paths, torch_setup
from darkroom.base.console import done, run
from darkroom.base.files import replacing_folder
from darkroom.config.stage_files import Curves, ModelFacts, TrainingFigures
from darkroom.config.stage_tables import HISTORY
from darkroom.dataset.packed import Images, load_images, load_split
from darkroom.drawing import galleries, style, training_charts

SHOWN = 32  # images in the picture of augmented images


def main() -> None:
    facts, trained, history = ModelFacts.read(paths.MODEL), TrainingFigures.read(paths.TRAIN), HISTORY.read()
    words = fit_in_words(history)
    Curves(fit=words).write(paths.CURVES)
    before, after = augmented(facts)
    changed = "before and after augmentation" if facts.augment else "as they are, for augment is empty"
    title = f"Training images {changed}, {len(before)} of one batch"
    with replacing_folder(paths.TRAIN_PICTURES) as folder:
        boundary, best = facts.train.freeze_epochs, trained.best_epoch
        curves = training_charts.curves(history, best, boundary=boundary, augmented=bool(facts.augment))
        style.save(curves, folder / "curves.png")
        style.save(galleries.before_after(before, after, columns=8, title=title), folder / "augmented.png")
    done(f"{words}\nwrote {paths.CURVES}, and pictures in {paths.TRAIN_PICTURES}", "dvc repro evaluate")


def augmented(facts: ModelFacts) -> tuple[Images, Images]:
    """Some training images as stored, and as augmented (both uint8, N x height x width x channels)."""
    images, rows = load_images(), load_split("train")
    if not facts.augment:  # torch is not needed; its import would take seconds
        chosen = images[np.random.default_rng(facts.train.seed).permutation(rows)[:SHOWN]]
        return chosen, chosen
    torch = torch_setup.torch_for_model(facts.train)
    from darkroom.augment import pipeline
    from darkroom.augment.randomness import seed_of, whole

    generator = torch.Generator().manual_seed(seed_of(facts.train.seed, 0))
    positions = torch.randperm(len(rows), generator=generator)[:SHOWN]
    chosen = images[rows[positions.numpy()]]
    border, mean = (torch.tensor(values).mul(255) for values in (facts.border, facts.mean))  # on the scale of the bytes
    change = pipeline.build(facts.augment, border, mean)
    stored = torch.from_numpy(chosen).permute(0, 3, 1, 2).float()
    changed = change(stored, whole(generator, positions, torch.device("cpu"))).permute(0, 2, 3, 1)
    return chosen, changed.round().clamp(0, 255).to(torch.uint8).numpy()


if __name__ == "__main__":
    run(main)
