import shutil

import pytest

from darkroom.intake.disk import check_room
from tests.intake.fetched import refusal


@pytest.mark.parametrize(("needed", "fits"), [(0, True), (-5, True), (4_000_000, True), (4_000_001, False)])
def test_what_does_not_fit_is_told_beforehand(tmp_path, monkeypatch, needed, fits):
    usage = shutil.disk_usage(tmp_path)._replace(free=4_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    if fits:
        check_room(tmp_path, needed, "the copy")
    else:
        assert refusal(lambda: check_room(tmp_path, needed, "the copy")) == (
            f"the copy takes 4.0 MB, and the disk of {tmp_path} has 4.0 MB free: "
            "free some space and run again, or keep the repository on a larger disk"
        )
