"""What the words after `darkroom review` and `darkroom summary` ask for."""

import pytest

from darkroom.report import summary
from darkroom.tools import changes, commands, review


@pytest.fixture
def asked(monkeypatch):
    found = []
    monkeypatch.setattr(review, "run", lambda *words, **options: found.append((*words, options)))
    monkeypatch.setattr(changes, "in_words", lambda revision: f"since {revision}")
    monkeypatch.setattr(summary, "in_words", lambda: "reached")

    def run(*words):
        found.clear()
        commands.main(words)
        return found

    return run


def test_words_become_what_is_reviewed(asked):
    assert asked("review") == [(7870, None, {"browser": True})]
    assert asked("review", "--port", "80", "--who", "Ada", "--no-browser") == [(80, "Ada", {"browser": False})]


def test_a_summary_is_of_now_or_of_what_changed(asked, capsys):
    asked("summary")
    asked("summary", "--against", "HEAD~1")
    assert capsys.readouterr().out == "reached\nsince HEAD~1\n"
