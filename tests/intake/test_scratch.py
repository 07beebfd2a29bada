import io

import numpy as np
import pytest

from darkroom.intake.scratch import Scratch


def test_a_write_that_takes_a_part_goes_on_with_the_rest():
    class Reluctant(io.BytesIO):
        def write(self, content):
            return super().write(memoryview(content).cast("B")[:5])

        def read(self, size):
            return super().read(min(size, 7))

    file, images = Reluctant(), np.arange(24, dtype=np.uint8).reshape(4, 6)
    scratch = Scratch(file, 6)
    scratch.append(list(images))
    scratch._spill()
    assert file.getvalue() == images.tobytes()
    target = io.BytesIO()
    scratch.copy(np.array([2, 3, 0]), target)
    assert target.getvalue() == images[[2, 3, 0]].tobytes()
    file.truncate(20)
    with pytest.raises(OSError, match="shorter than what was written"):
        scratch.copy(np.array([3]), target)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_pictures_come_back_in_any_order(monkeypatch, count):
    monkeypatch.setattr("darkroom.intake.scratch.SCRATCH", 12)  # two pictures wait in memory
    images = np.arange(6 * count, dtype=np.uint8).reshape(count, 6)
    scratch = Scratch(io.BytesIO(), 6)
    for image in images:
        scratch.append([image])
    scratch.close()
    order = np.random.default_rng(count).permutation(count)
    target = io.BytesIO()
    scratch.copy(order, target)
    assert target.getvalue() == images[order].tobytes()
