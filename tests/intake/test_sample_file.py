"""The sample is found in the archive, and extract says what it understood of it."""

import gzip

import pyarrow as pa
import pytest

from darkroom.intake import sample_file
from darkroom.intake.archive import Limits
from tests import make
from tests.intake.fetched import refusal

TEXT = b"id,label\r\n1,cat\r\n"


def read(tmp_path, files, submission):
    source = tmp_path / "a.zip"
    source.write_bytes(make.zip_of(files))
    return sample_file.read(source, make.entry(submission=submission), Limits())


@pytest.mark.parametrize(
    ("files", "asked", "path"),
    [
        ({"s.csv": TEXT}, "s.csv", "s.csv"),
        ({"deep/in/s.csv": TEXT, "deep/xs.csv": b""}, "s.csv", "deep/in/s.csv"),
        ({"s.csv.zip": make.zip_of({"s.csv": TEXT})}, "s.csv", "s.csv/s.csv"),
        ({"s.tsv.gz": gzip.compress(TEXT, mtime=0)}, "s.tsv.gz", "s.tsv.gz"),
        ({"s.csv": TEXT}, {"sample": "s.csv", "probability": "x"}, "s.csv"),
    ],
)
def test_its_bytes_are_those_in_the_archive(tmp_path, files, asked, path):
    assert read(tmp_path, {"train/1.png": b""} | files, asked) == (path, TEXT)


def test_without_a_sample_the_archive_is_not_read(tmp_path):
    for submission in (None, {"id": "a", "label": "b"}):
        assert sample_file.read(tmp_path / "missing.zip", make.entry(submission=submission), Limits()) == ("", b"")


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"sample.csv": TEXT}, "holds no such file: did you mean sample.csv?"),
        ({"a/samples.csv": TEXT, "b/samples.csv": TEXT}, "may be a/samples.csv or b/samples.csv: give the whole path"),
    ],
)
def test_a_sample_that_is_not_there_is_told(tmp_path, files, says):
    assert says in refusal(lambda: read(tmp_path, files, "samples.csv"))


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(TEXT, mtime=0)[:-9]])
def test_a_damaged_gz_is_told(tmp_path, content):
    said = refusal(lambda: read(tmp_path, {"s.csv.gz": content}, "s.csv.gz"))
    assert said.startswith("the sample submission s.csv.gz cannot be unpacked")


def test_a_sample_beyond_the_limit_is_told_and_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(sample_file, "MAX_BYTES", 1000)
    said = refusal(lambda: read(tmp_path, {"s.csv.gz": gzip.compress(bytes(10**7))}, "s.csv.gz"))
    assert said == "the sample submission s.csv.gz has more than 0.0 MB: cut it down"


INDEX = pa.table({"path": ["train/9.png", "new/1.png", "new/2.png", "new/3.png"],
                  "subset": ["train", "unlabeled", "unlabeled", "unlabeled"]})  # fmt: skip


def test_what_is_understood_and_what_is_left_out():
    told = sample_file.in_words(TEXT, make.entry(submission="s.csv"), ["cat", "dog"], INDEX)
    assert told == (
        ["submission as s.csv: 1 row; one label a picture; its ids are paths or names of files"],
        ["2 pictures without label have no row in s.csv, the first being 'new/2.png': predict leaves them out"],
    )
    assert sample_file.in_words(b"", make.entry(), ["cat", "dog"], INDEX) == ([], [])


def test_the_sample_is_not_passed_over_and_not_unused():
    csv = "not read as a picture: .csv"
    over = [(".", csv, 2, "a.csv"), (".", "other", 1, "x"), ("deep", csv, 1, "deep/s.csv")]
    told = ["s.csv names the pictures and is not used: x", "b.csv names the pictures and is not used: x"]
    assert sample_file.without("deep/s.csv", over, told) == (over[:2], told)
    assert sample_file.without("s.csv", over, told) == ([(".", csv, 1, "a.csv"), *over[1:]], told[1:])
    assert sample_file.without("", over, told) == (over, told)
