"""The stage itself: one page and one card, the same on every machine, and a summary that is shown once."""

import contextlib
import re
from importlib.metadata import version

import pytest

from darkroom.base import paths
from darkroom.config.stage_files import Evaluation
from darkroom.report import summary
from stages import curves, errors, inside, predict, report
from tests.report.test_page import PACKAGES


@pytest.fixture(scope="module")
def finished(evaluated):
    with contextlib.chdir(evaluated):
        for stage in (curves, errors, inside, predict):
            stage.main()
    return evaluated


@pytest.fixture
def here(finished, copy_of):
    return copy_of(finished)


def test_it_ends_with_the_summary_and_notes_that_it_was_shown(here, capsys):
    (here / summary.SHOWN).parent.mkdir(parents=True)
    report.main()
    said = capsys.readouterr().out
    assert said.startswith("wrote metrics/report.html (")
    assert said.endswith(summary.in_words() + "\n")
    assert (here / summary.SHOWN).is_file()


def test_the_page_and_the_card_hold_the_result_and_every_section(here):
    report.main()
    page, card = paths.REPORT.read_text(), paths.CARD.read_text()
    headline = summary.headline(Evaluation.read(paths.EVALUATE))
    assert headline in page
    assert headline in card
    for heading in ("Data", "Training", "Evaluation", "Mistakes", "Inside the model", "How it was made"):
        assert f">{heading}</h2>" in page, heading
    assert page.count('src="data:image/') > 10
    assert not re.search(r"(src|href)=\"https?:", page)


def test_the_bytes_are_the_same_on_every_machine(here, monkeypatch):
    report.main()
    first = paths.REPORT.read_bytes(), paths.CARD.read_bytes()
    report.main()
    assert (paths.REPORT.read_bytes(), paths.CARD.read_bytes()) == first
    for content in first:
        text = re.sub(r"data:image/[^\"]*", "", content.decode())
        assert str(here) not in text
        # Of versions with two dots none can stand there by chance.
        found = [name for name in PACKAGES if version(name).partition("+")[0] in text]
        assert not found
