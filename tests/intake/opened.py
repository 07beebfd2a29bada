"""What the tests of containers share: a container from bytes, and its pictures."""

import io

from darkroom.intake.archive import Budget, Limits
from darkroom.intake.contained import Asked, Container


def container(content, path, files=None, **asked):
    """A container; `files` lie beside it."""
    files = files or {}
    stream = io.BufferedReader(io.BytesIO(content))
    beside = lambda paths: next(((path, files[path]) for path in paths if path in files), None)  # noqa: E731
    return Container(path, stream, Asked(**asked), Budget(path, Limits()), beside)


def same(found, images):
    """Whether the pictures are these, count x height x width (x channels)."""
    assert len(found) == len(images)
    assert [one.name.rpartition("/")[2] for one in found] == [str(number) for number in range(len(images))]
    return all((one.values.squeeze() == image.squeeze()).all() for one, image in zip(found, images, strict=True))
