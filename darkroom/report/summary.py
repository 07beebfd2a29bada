"""What the last run of the pipeline reached, in a few lines.

The stage `report` ends with them; `make repro` shows them where DVC skips that stage.
"""

from pathlib import Path

from darkroom.analysis.verdict import remedy, shortfall
from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_files import ErrorFigures, Evaluation, Figures

SHOWN = Path(".dvc/tmp/summary-shown")  # exists if `report` has shown the summary; the Makefile looks for it


def in_words() -> str:
    """The test accuracy, where to look, and what to do next, in lines. Raises UserError before the first run."""
    if not paths.EVALUATE.is_file() or not paths.MODEL.is_file():
        raise UserError("nothing has been evaluated yet: `dvc repro` runs the pipeline")
    evaluated, model = Evaluation.read(paths.EVALUATE), ModelFacts.read(paths.MODEL)
    worse = shortfall(evaluated.baselines)
    suspects = ErrorFigures.read(paths.ERRORS).suspects.images if paths.ERRORS.is_file() else 0
    lines = [f"{model.dataset}: {headline(evaluated)}, macro F1 {evaluated.test.macro_f1:.4f}"]
    if worse:
        lines.append(worse)
    lines.append(f"look at: {paths.REPORT}, which holds everything; {paths.CARD}, the card of the model")
    if worse:
        lines.append(f"next: {remedy(evaluated.baselines, model.train)}")
        return "\n".join(lines)
    if suspects:
        lines.append(
            f"         {paths.ERRORS_PICTURES}/suspects.png, {suspects:,} labels that may be wrong: `darkroom review` "
            f"goes through them, and what you decide goes into {paths.CORRECTIONS}"
        )
    lines.append("next: dvc exp run -S train.lr=0.001, make ui to compare runs, python -m darkroom predict PICTURE")
    return "\n".join(lines)


def headline(figures: Evaluation) -> str:
    """The test accuracy with its interval, in one line."""
    test = figures.test
    return f"{test.accuracy:.2%} of {test.images:,} test images are classified right (95 % interval {interval(test)})"


def interval(figures: Figures) -> str:
    """The 95 % interval of the accuracy."""
    return f"{figures.accuracy_low:.2%} to {figures.accuracy_high:.2%}"


def note_shown() -> None:
    """Leave a note that the summary has been shown, in DVC's temporary folder if there is one."""
    note = paths.root() / SHOWN
    if note.parent.is_dir():
        note.touch()
