import os
import pty
import sys

import pytest

from darkroom.base.errors import UserError
from darkroom.tools import draft_answers
from darkroom.tools.draft_answers import Left, answered, ask, given, refuse
from tests.tools.drafts import asking, question

GROUP, LABEL = question("group", "patient", "none"), question("label", "dx", "type")


def never(*_):
    pytest.fail("nothing is to be asked")


@pytest.fixture
def typed(monkeypatch):
    """What a person types, a line for each time they are asked."""

    def types(*lines):
        rest = iter(lines)

        def read(prompt):
            line = next(rest)
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr("builtins.input", read)

    return types


def test_words_of_choose_are_read():
    assert given(["group=patient_id", "label=a=b"]) == {"group": "patient_id", "label": "a=b"}
    assert given(["a=b", "a=b"]) == {"a": "b"}


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["group"], "must have the form NAME=WORD"),
        (["=a"], "must have the form"),
        (["a=b", "a=c"], "answers a twice, b and c"),
    ],
)
def test_a_choose_of_another_form_is_one_sentence(texts, said):
    with pytest.raises(UserError, match=said):
        given(texts)


def test_where_nothing_is_open_nothing_is_asked():
    assert answered(asking(), {}, never).questions == ()


def test_answers_decide_also_what_they_open_themselves():
    drafted = asking(LABEL, dx=[GROUP])
    assert answered(drafted, {"label": "dx", "group": "none"}, never).entry["classes"] == {
        "label": "dx",
        "group": "none",
    }


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (
            {"grop": "none"},
            "--choose grop=none: this is not asked of this archive; asked is --choose group=patient, --choose",
        ),
        ({"group": "driver"}, "--choose group=driver: allowed are --choose group=patient and --choose group=none"),
        (
            {"group": "none", "label": "x"},
            "--choose label=x: this is not asked of this archive; asked is --choose group",
        ),
    ],
)
def test_an_answer_that_does_not_fit_is_one_sentence(answers, said):
    with pytest.raises(UserError) as raised:
        answered(asking(GROUP), answers, refuse)
    assert str(raised.value).startswith(said)


def test_an_answer_where_nothing_is_asked_is_one_sentence():
    with pytest.raises(UserError, match="--choose a=b: this is not asked of this archive; nothing is: leave it out"):
        answered(asking(), {"a": "b"}, never)


def test_what_stays_open_is_shown_with_the_options_that_decide(capsys):
    with pytest.raises(UserError) as raised:
        answered(asking(GROUP, LABEL), {}, refuse)
    assert str(raised.value) == (
        "2 questions are open: run again with --choose group=patient or --choose group=none; --choose label=dx or "
        "--choose label=type, or at a terminal without --yes to be asked"
    )
    shown = capsys.readouterr().out
    assert shown.startswith("understood so far, with the first answer to what is open:\n")
    assert "  2  type  take type" in shown


def test_a_person_answers_with_a_number_or_a_word(typed, capsys):
    typed("7", "", "0", "²", "driver", "2", "dx")
    assert answered(asking(GROUP, LABEL), {}, ask).entry["classes"] == {"group": "none", "label": "dx"}
    assert capsys.readouterr().out.count("understood so far") == 1


def test_a_person_is_asked_only_what_choose_leaves_open(typed):
    typed("1")
    assert answered(asking(GROUP, LABEL), {"group": "none"}, ask).entry["classes"] == {"group": "none", "label": "dx"}


@pytest.mark.parametrize("line", ["q", " q ", EOFError(), KeyboardInterrupt()], ids=repr)
def test_a_person_may_leave(line, typed):
    typed("1", line)
    with pytest.raises(Left):
        answered(asking(GROUP, LABEL), {}, ask)


def test_a_person_answers_at_a_real_terminal(monkeypatch):
    terminal, side = pty.openpty()
    with os.fdopen(side) as ours, os.fdopen(terminal, "wb", buffering=0) as person:
        monkeypatch.setattr(sys, "stdin", ours)
        person.write(b"9\n1\n")
        assert sys.stdin.isatty()
        assert dict(draft_answers.ask(asking(GROUP)({}), {})) == {"group": "patient"}
        person.write(b"\x04")
        with pytest.raises(Left):
            draft_answers.ask(asking(GROUP)({}), {})
