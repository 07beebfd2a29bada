"""Archives of tiny pictures for the tests of drafts, by the names of their files."""

import numpy as np

from darkroom.intake.archive import Limits
from darkroom.pictures.decoding import png
from darkroom.tools.draft_entry import draft
from darkroom.tools.survey_archive import survey
from tests.make import zip_of

PICTURE = png(np.full((8, 8, 3), (200, 30, 40), np.uint8))
OTHER = png(np.full((8, 8, 3), (20, 130, 40), np.uint8))
FACTS = {"channels": 3, "image_size": 8, "resize": "squash"}


def pictures(*folders, count=6, name="{}.png"):
    """Names of pictures in each folder."""
    return [f"{folder}/{name.format(number)}".lstrip("/") for folder in folders for number in range(count)]


def table(rows, header):
    return "\n".join([header, *rows]) + "\n"


def drafted(tmp_path, files, chosen=None):
    """The draft of an archive, as `packed`."""
    return draft(surveyed(tmp_path, files), chosen or {})


def surveyed(tmp_path, files):
    """What an archive holds, as `packed`."""
    return survey(packed(tmp_path, files), Limits())


def packed(tmp_path, files):
    """A zip of pictures given by their names, all different, or of a mapping of names to contents."""
    content = files if isinstance(files, dict) else dict.fromkeys(files)
    archive = tmp_path / "archive.zip"
    members = [
        (path, (data or PICTURE) + path.encode() if data in (None, PICTURE, OTHER) else data)
        for path, data in content.items()
    ]
    archive.write_bytes(zip_of(members))
    return archive


def with_tables(names, **tables):
    return dict.fromkeys(names) | {
        name.replace("__", "/").replace("_csv", ".csv").replace("_txt", ".txt"): text for name, text in tables.items()
    }
