"""The corpus of hostile 7z archives and of DICOM, HEIC and AVIF files, each through the stages that read data."""

import shutil

import pytest

from tests import hostile, hostile_media

CASES = hostile_media.cases()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    hostile.prepare(folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_it_is_told_or_handled(prepared, tmp_path, monkeypatch, name):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    hostile.check(name, CASES[name])
