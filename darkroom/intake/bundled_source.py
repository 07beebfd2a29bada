"""The data set that comes with a package of the lock: handwritten digits, which need no network."""

import zipfile
from pathlib import Path

from darkroom.base.files import replacing
from darkroom.intake.stored_zip import ZIP_EPOCH


def bundled_digits(folder: Path) -> Path:
    """Write scikit-learn's 1,797 handwritten digits as a zip of PNG files, one folder a digit.

    The bytes are the same each time: no clock, and neither PNG nor zip is compressed.
    Source: Alpaydin and Kaynak, 1998, https://doi.org/10.24432/C50P49.
    """
    import cv2
    from sklearn.datasets import load_digits

    digits = load_digits()
    archive = folder / "digits.zip"
    with replacing(archive) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as packed:
        for number, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
            grey = (image * 255 / 16).round().astype("uint8")  # the scans have 17 levels
            _, png = cv2.imencode(".png", grey, [cv2.IMWRITE_PNG_COMPRESSION, 0])
            packed.writestr(zipfile.ZipInfo(f"digits/{label}/{number:04}.png", ZIP_EPOCH), png.tobytes())
    return archive
