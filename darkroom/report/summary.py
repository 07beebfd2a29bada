"""What the last run of the pipeline reached, in a few lines."""

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.stage_files import Evaluation, Figures, ModelFacts


def headline(test: Figures) -> str:
    """What the model reaches on test, in one line."""
    return f"{test.accuracy:.2%} of {test.images:,} test images are classified right (95 % interval {interval(test)})"


def interval(figures: Figures) -> str:
    """The 95 % interval of the accuracy."""
    return f"{figures.accuracy_low:.2%} to {figures.accuracy_high:.2%}"


def in_words() -> str:
    """One line with the test accuracy, then where to look and what to do next. Raises UserError before any run."""
    if not paths.EVALUATE.is_file() or not paths.MODEL.is_file():
        raise UserError("nothing has been evaluated yet: `dvc repro` runs the pipeline")
    from darkroom.analysis.verdict import shortfall

    evaluated, model = Evaluation.read(paths.EVALUATE), ModelFacts.read(paths.MODEL)
    figures, worse = evaluated.test, shortfall(evaluated.baselines)
    following = "dvc exp run -S train.lr=0.001, make ui to compare runs, python -m darkroom predict PICTURE"
    return (
        f"{model.dataset}: {headline(figures)}, macro F1 {figures.macro_f1:.4f}\n"
        + (f"{worse}\n" if worse else "")
        + f"look at: {paths.REPORT}, which holds everything; {paths.CARD}, the card of the model\n"
        f"next: {'python -m darkroom check, which says what may be wrong' if worse else following}"
    )
