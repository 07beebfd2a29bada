"""What the tests of sources and of downloads share: an archive, and what is left behind by one that is fetched."""

import zipfile

from tests import make

ARCHIVE = make.zip_of({"train/a/1.png": make.picture(1, 60, 60)}, zipfile.ZIP_STORED)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refusal(action):
    sentence = make.refusal(action)
    assert sentence is not None
    assert make.is_one_line(sentence)
    return sentence


def no_download_waits(project):
    return not [path for path in (project.folder / ".downloads").iterdir() if path.suffix != ".lock"]


def no_waiting_bytes(project):
    return not [path for path in (project.folder / ".downloads").rglob("*.zip") if path.stat().st_size]
