import json

import pandas as pd
import pytest

from darkroom.base import paths
from stages import audit, entry, extract, fetch
from tests import make


def run(project, files, **settings):
    project.add(path="x", unlabeled="more", **settings)
    project.set(extract__max_rejected=1)
    project.archive(make.zip_of(files))
    entry.main()
    fetch.main()
    extract.main()
    audit.main()
    return json.loads(paths.AUDIT.read_text(encoding="utf-8"))


def outputs():
    files = [paths.AUDIT, paths.DUPLICATES, *paths.AUDIT_PICTURES.iterdir()]
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture
def files():
    files = make.pictures(("cat", "dog"), each=4)
    files["train/cat/copy.png"] = files["train/cat/0.png"]
    files["train/dog/other.png"] = files["train/cat/1.png"]
    files["train/dog/blank.png"] = make.encode(make.pixels() * 0)
    files["train/dog/broken.png"] = b"text"
    return files


def test_the_findings_are_written(project, files, capsys):
    found = run(project, files)
    assert (found["images"], found["blank"]) == (11, 1)
    assert sum(found["rejected"].values()) == 1
    assert found["duplicates"] == {"groups": 2, "images": 4}
    assert found["conflicts"] == {"groups": 1, "images": 2}
    table = pd.read_csv(paths.DUPLICATES)
    assert table.loc[table["kind"] == "conflict", "path"].tolist() == ["train/cat/1.png", "train/dog/other.png"]
    assert sorted(path.name for path in paths.AUDIT_PICTURES.iterdir()) == [
        "balance.png",
        "means.png",
        "samples.png",
    ]  # all pictures have one size, which needs no picture
    assert "(4 copies, 2 of them under two labels)" in capsys.readouterr().out


def test_the_same_data_give_the_same_bytes(project, files):
    run(project, files)
    first = outputs()
    audit.main()
    assert outputs() == first


@pytest.mark.parametrize("settings", [{"channels": 3}, {"image_size": [5, 9]}, {"classes": {"cat": "$1 and $2 " * 30}}])
def test_any_shape_and_name_can_be_audited(project, files, settings):
    assert run(project, files, **settings)["classes"] == 2


def test_the_shapes_and_what_resize_does_to_them_are_said(project, files, capsys):
    wide = {f"train/cat/wide{at}.png": make.picture(50 + at, 10, 30) for at in range(20)}
    found = run(project, files | wide)["shapes"]
    assert (found["landscape"], found["square"], found["resize"]) == (20, 11, "squash")
    assert (found["change"]["median"], found["stored"]) == (3.0, [8, 8])
    said = capsys.readouterr().out
    assert "shapes: 20 landscape, 11 square; width over height 1.00 to 3.00" in said
    assert "warning: half of the pictures are distorted 3.00 times or more: `resize: crop`" in said
    audited = run(project, files | wide, resize="crop")["shapes"]
    assert (audited["resize"], audited["change"]["over_half"]) == ("crop", 20)
    assert "warning: crop cuts off more than half of 20 pictures of 31" in capsys.readouterr().out


def test_unlabelled_images_are_audited_too(project, files):
    found = run(project, files | {"more/1.png": make.picture(70, 9, 30), "more/2.png": files["train/cat/0.png"]})
    assert found["unlabelled"] == 2
    assert found["width"]["max"] == 30
    assert found["duplicates"] == {"groups": 2, "images": 5}
