"""`darkroom.Classifier` is the trained model: Classifier.load("models").predict("my.jpg")."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darkroom.classifier.inference import Classifier, Prediction

__version__ = "2.0.0.dev0"
__all__ = ["Classifier", "Prediction", "__version__"]


def __getattr__(name: str) -> Any:
    # Only when it is asked for: it imports torch, which most stages and commands do without.
    if name in ("Classifier", "Prediction"):
        from darkroom.classifier import inference

        return getattr(inference, name)
    raise AttributeError(f"module 'darkroom' has no attribute {name!r}")
