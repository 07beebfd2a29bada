"""Reads archives that libFuzzer invents, guided by the code that they reach: what is not told in one sentence is a bug.

Needs atheris, which is no dependency; with it in a folder of its own:

    pip install --no-deps --target=FOLDER atheris
    PYTHONPATH=FOLDER python -m tests.torture.fuzz_archive CORPUS -max_total_time=600 -rss_limit_mb=2048 -timeout=20

CORPUS is a folder for the archives that reach new code; an empty one is filled with those of tests/hostile.py.
A crash leaves its archive in the working folder as crash-*, and is tried again by naming that file.
"""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(
    include=["darkroom.intake.archive", "darkroom.intake.zip_reader", "darkroom.intake.tar_reader"]
):
    from darkroom.intake import archive

from darkroom.base.errors import UserError
from darkroom.intake.zip_reader import BadMember
from tests import hostile, make

LIMITS = archive.Limits(members=1000, bytes=2**26)


def read(path, data):
    """Read every file of an archive with these bytes, in a file as the stages have it."""
    path.write_bytes(data)
    try:
        for file in archive.files(path, wanted=lambda _: True, may_hold=lambda _: True, limits=LIMITS):
            try:
                content = file.read()
            except BadMember as problem:
                assert make.is_one_line(str(problem)), problem  # noqa: PT017
            else:
                assert len(content) == file.size, "a file has another size than was counted"
    except UserError as problem:
        assert make.is_one_line(str(problem)), problem  # noqa: PT017


def fill(corpus):
    """Put the archives of the corpus, without those too long for a fuzzer, into an empty folder."""
    corpus.mkdir(parents=True, exist_ok=True)
    if not any(corpus.iterdir()):
        for number, case in enumerate(hostile.cases().values()):
            content = case.archive()
            if len(content) <= 2**14:
                (corpus / f"{number:04}").write_bytes(content)


def main() -> None:
    for name in sys.argv[1:]:
        if not name.startswith("-") and not Path(name).is_file():
            fill(Path(name))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "archive"
        atheris.Setup(sys.argv, lambda data: read(place, data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
