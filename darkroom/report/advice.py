"""What a person can do next, most useful first: each step is a sentence, and the command to type."""

from typing import NamedTuple

from darkroom.analysis.verdict import remedy, shortfall
from darkroom.config.audit_figures import AuditFigures
from darkroom.config.params import Train
from darkroom.config.stage_files import Curves, ErrorFigures, Evaluation


class Step(NamedTuple):
    """One thing to do; `command` may be empty where a sentence says it all."""

    words: str
    command: str = ""


def steps(figures: Evaluation, errors: ErrorFigures, curves: Curves, audit: AuditFigures, train: Train) -> list[Step]:
    """What the results ask for: wrong networks first, then wrong data, then better training; then its use."""
    found = []
    worse = shortfall(figures.baselines)
    if worse:
        command, _, why = remedy(figures.baselines, train).partition(", ")
        found.append(Step(f"Find out why {worse}. Try this, {why}.", command))
    lost = sum(audit.rejected.values())
    if lost:
        found.append(
            Step(
                f"Look why {lost:,} of {audit.images + lost:,} files were rejected: the table «Left out» below says it."
            )
        )
    if errors.suspects.images and not worse:
        found.append(
            Step(
                f"Look at the {errors.suspects.images:,} labels that may be wrong, and decide on each: wrong labels "
                "cost accuracy twice, in training and in the figures above.",
                "python -m darkroom review",
            )
        )
    found += of_curves(curves.fit, train)
    low, high = figures.test.accuracy_low, figures.test.accuracy_high
    found.append(
        Step(
            f"Try another setting. The interval is {100 * (high - low):.1f} points wide, so the comparison "
            "says whether a difference is more than chance.",
            "dvc exp run -S train.lr=0.001\npython -m darkroom compare",
        )
    )
    found.append(Step("Use it on pictures of your own, or a folder of them.", "python -m darkroom predict PICTURE"))
    return found


def of_curves(fit: str, train: Train) -> list[Step]:
    """What the verdict on the curves (`analysis.verdict.fit_in_words`) asks for; nothing after a sound fit."""
    longer = f"dvc exp run -S train.epochs={2 * train.epochs}"
    remedies = {
        "unstable": ("The training is unstable: take a smaller learning rate.", f"train.lr={train.lr / 3:.2g}"),
        "over-fitting": (
            "The network learns its training images by heart: more of them help most, then `augment` in params.yaml, "
            "then weight decay.",
            f"train.weight_decay={max(0.01, 10 * train.weight_decay):.2g}",
        ),
    }
    found = [Step(words, f"dvc exp run -S {knob}") for sign, (words, knob) in remedies.items() if sign in fit]
    if "still improving" in fit:
        found.append(Step("The validation loss was still falling: train longer.", longer))
    elif "under-fitting" in fit:
        found.append(
            Step("The network has not learned its training images: train longer, or take a larger one.", longer)
        )
    return found
