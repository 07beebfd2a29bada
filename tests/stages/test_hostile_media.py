"""The corpus of hostile 7z archives and of DICOM, HEIC and AVIF files, each through the stages that read data."""

import pytest

from tests import hostile, hostile_media

CASES = hostile_media.cases()


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_or_handled(hostile_place, name):
    hostile.check(name, CASES[name])
