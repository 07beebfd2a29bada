"""Ties what the JPEG decoder writes on standard error to the file that it means.

libjpeg goes on after damage, makes up what is missing, and writes a line to file descriptor 2, without a name. So that
sound files cost nothing, that descriptor leads to a file whose length is looked at after many pictures; if it has
grown, each of them is decoded once more, alone.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2
import numpy as np

from darkroom.base.console import silent_libraries
from darkroom.pictures.notes import BadImage

ENDS_EARLY = "premature end of data segment"  # libjpeg's words


@contextmanager
def decoder_warnings() -> Iterator[None]:
    """Keep the decoders' warnings in an unnamed file, for `warned_since`; what Python writes is still shown."""
    with tempfile.TemporaryFile() as file, silent_libraries(file.fileno()):
        yield


def mark() -> int:
    """The present place in the warnings, for `warned_since`; outside of `decoder_warnings`, a terminal has none."""
    return os.fstat(2).st_size


def warned_since(place: int) -> bool:
    """Whether a decoder in any thread has written a warning since `mark` gave `place`."""
    return mark() > place


def warning_of(data: bytes) -> str:
    """What the decoder says about a JPEG that it decodes all the same; "" for a sound one, and for other formats.

    The formats other than JPEG have checksums, or fail. No other thread may decode meanwhile: its warnings would be
    taken for this file's. libjpeg tells the first fault of a file alone. Raises BadImage if the data end early.
    """
    if data[:2] != b"\xff\xd8":
        return ""
    with tempfile.TemporaryFile() as file:
        before = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            with suppress(cv2.error):
                cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
        finally:
            os.dup2(before, 2)
            os.close(before)
        file.seek(0)
        said = " ".join(file.read().decode("utf-8", "replace").split())
    if ENDS_EARLY in said:
        raise BadImage("its data end early: a part of the picture is missing")
    return said
