"""A page with many classified pictures, the least certain first: where to look before the answers are used."""

import heapq
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from darkroom.base.errors import printable
from darkroom.base.files import write_text
from darkroom.classifier.opening import Opened

if TYPE_CHECKING:
    from darkroom.classifier.inference import Prediction

SHEET = Path("darkroom-predictions.html")  # in the caller's folder
MANY = 10  # pictures from which on a page is worth it
KEPT = 500  # pictures on it
SIDE = 96  # pixels that the longer side of a kept picture has at most: that of `report.rendering.THUMBNAIL`


class PredictionSheet:
    """Collects predictions; of those, the least certain are kept with their pictures, so that memory is bounded."""

    def __init__(self) -> None:
        self.seen = 0
        self._kept: list[tuple[float, int, str, NDArray[np.uint8], Prediction]] = []  # a heap, the surest first

    def add(self, pictures: dict[str, Opened], found: "list[Prediction]") -> None:
        """Add some pictures, by name, with what was predicted of them."""
        for (name, opened), prediction in zip(pictures.items(), found, strict=True):
            self.seen += 1
            # What is unlike the training images is less certain than any probability says.
            sureness = prediction.probabilities[0] - _is_unlike(prediction)
            if len(self._kept) == KEPT and -sureness <= self._kept[0][0]:
                continue
            entry = -sureness, -self.seen, name, _shrunk(opened.stored), prediction
            (heapq.heappush if len(self._kept) < KEPT else heapq.heapreplace)(self._kept, entry)

    def write(self, file: Path) -> None:
        """Write the page to a file; all it shows is inside."""
        from darkroom.report import rendering  # Jinja, which few pictures do not need

        items = [
            {
                "uri": rendering.thumbnail(image),
                "name": printable(name),
                "classes": list(zip(prediction.classes, prediction.probabilities, strict=True)),
                "unlike": _is_unlike(prediction),
                "reasons": "; ".join(prediction.reasons),
            }
            for _, _, name, image, prediction in sorted(self._kept, key=lambda entry: (-entry[0], -entry[1]))
        ]
        content = {"items": items, "seen": self.seen, "style": rendering.part("report.css")}
        write_text(file, rendering.render("predictions.html.j2", **content))


def _is_unlike(prediction: "Prediction") -> bool:
    return prediction.unlike is not None and prediction.unlike > 1


def _shrunk(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width, channels = image.shape
    share = SIDE / max(height, width)
    if share >= 1:
        return image.copy()
    size = max(1, round(width * share)), max(1, round(height * share))
    shrunk = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.uint8).reshape(*shrunk.shape[:2], channels)
