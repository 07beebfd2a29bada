"""The note of a run, which MLflow shows above its figures: the data, the training, and what came of it, a line each."""

from collections.abc import Mapping
from typing import Any

from darkroom.base.words import counted
from darkroom.config.model_facts import ModelFacts

TAG = "mlflow.note.content"
RESULT = ("test_accuracy", "test_accuracy_low", "test_accuracy_high", "test_images")
NEXT = "  \n"  # ends a line in Markdown without ending the paragraph


def begun(facts: ModelFacts, images: Mapping[str, int]) -> str:
    """The note of a training that begins; `images` are the numbers by split."""
    sizes = ", ".join(f"{number:,} {split}" for split, number in images.items())
    start = (
        f"from {facts.pretrained.source}" if facts.pretrained is not None and facts.pretrained.file else "from scratch"
    )
    settings = facts.train
    lines = [
        f"**{facts.dataset}**: {counted(len(facts.classes), 'class', 'classes')} of images of {facts.height} x "
        f"{facts.width}: {sizes}",
        f"**{facts.model.name}**: {facts.parameters:,} parameters, trained {start}, at most "
        f"{counted(settings.epochs, 'epoch')} of {settings.optimizer}",
        "not evaluated yet",
    ]
    return NEXT.join(lines)


def evaluated(present: str, figures: Mapping[str, float]) -> str:
    """The note with the result in its last line; as it is where a person has written another one, or nothing is known.

    A later evaluation writes its result over that of an earlier one.
    """
    first, *others = present.split(NEXT)
    if len(others) != 2 or not first.startswith("**") or not figures.keys() >= set(RESULT):
        return present
    accuracy, low, high, images = (figures[name] for name in RESULT)
    result = (
        f"{accuracy:.2%} of {images:,.0f} test images are classified right "
        f"(95 % interval {low:.2%} to {high:.2%}); report.html among the artifacts shows everything"
    )
    return NEXT.join([first, others[0], result])


def of(run: Any) -> str:
    """The present note of a run; empty if there is none."""
    return str(run.data.tags.get(TAG, ""))
