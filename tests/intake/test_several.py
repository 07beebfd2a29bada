import zipfile

import pytest

from darkroom.intake.several import check_names, pack_several
from tests.intake.fetched import ARCHIVE, refusal


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["a.zip", "a.zip"], "two archives are called a.zip: the paths inside them would mix, so rename one"),
        (["a.zip", "A.ZIP"], "a.zip and A.ZIP: the paths inside them would mix, so rename one"),
        (["a.zip", "b.zip", "a.tar.gz"], "a.zip and a.tar.gz: the paths inside them would mix"),
        (["a.zip", "page.html"], "page.html cannot be one of several archives: allowed are .zip, .tar, .tar.gz"),
        (["a.zip", ""], "an address without a file cannot be one of several archives"),
    ],
)
def test_names_that_mix_or_are_of_no_use_are_told(names, says):
    assert says in refusal(lambda: check_names(names))


def test_names_that_differ_are_right():
    check_names(["a.zip", "b.tar.gz", "labels.mat", "labels.csv", "train-images-idx3-ubyte.gz"])


def test_the_archives_become_members_and_the_sentence_says_how_their_files_are_called(tmp_path, capsys):
    for name in ("b.tar.gz", "a.zip", "labels.csv"):
        (tmp_path / name).write_bytes(ARCHIVE)
    files = [(name, tmp_path / name) for name in ("b.tar.gz", "labels.csv", "a.zip")]
    brought = pack_several(files, tmp_path)
    assert brought == tmp_path / "archives.zip"
    with zipfile.ZipFile(brought) as packed:
        assert packed.namelist() == ["a.zip", "b.tar.gz", "labels.csv"]
        assert packed.read("a.zip") == ARCHIVE
    assert capsys.readouterr().out == (
        "packed a.zip, b.tar.gz, labels.csv as archives.zip: "
        "patterns name the files of a.zip, b.tar.gz as a/..., b/...\n"
    )
    first = brought.read_bytes()
    assert pack_several(files[::-1], tmp_path).read_bytes() == first
