"""Answers to what a draft leaves open: those given with --choose, and those of a person at a terminal."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn

from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed
from darkroom.tools import draft_text
from darkroom.tools.entry_draft import Draft, Question

# Has a draft with an open question and the answers so far; returns one more answer, or raises.
Ask = Callable[[Draft, Mapping[str, str]], Mapping[str, str]]
FORM = "NAME=WORD"
LEAVE = "q"


class Left(Exception):
    """The person has left a question unanswered: nothing is to be written."""


def given(texts: Sequence[str]) -> dict[str, str]:
    """The words of --choose, by the names of their questions. Raises UserError for one of another form."""
    answers: dict[str, str] = {}
    for text in texts:
        name, _, word = text.partition("=")
        if not (name and word):
            raise UserError(f"--choose {text} must have the form {FORM}, as in --choose group=patient_id")
        if answers.setdefault(name, word) != word:
            raise UserError(f"--choose answers {name} twice, {answers[name]} and {word}: leave one out")
    return answers


def answered(draft: Callable[[Mapping[str, str]], Draft], answers: Mapping[str, str], ask: Ask) -> Draft:
    """The draft when nothing is open any more; an answer may close other questions, and open new ones.

    Raises UserError for an answer to what is not asked, or with a word that is not allowed.
    """
    chosen: dict[str, str] = {}
    asked: dict[str, Question] = {}
    found = draft(chosen)
    while found.questions:
        asked |= {one.name: one for one in found.questions}
        new = {one.name: answers[one.name] for one in found.questions if one.name in answers.keys() - chosen.keys()}
        for name, word in new.items():
            _check_word(asked[name], word)
        if not new:
            _check_names(answers, asked.values())
            new = dict(ask(found, chosen))
        chosen |= new
        found = draft(chosen)
    _check_names(answers, asked.values())
    return found


def _check_word(question: Question, word: str) -> None:
    allowed = [choice.word for choice in question.choices]
    if word not in allowed:
        raise UserError(f"--choose {question.name}={word}: allowed are {' and '.join(_options(question))}")


def _check_names(answers: Mapping[str, str], asked: Iterable[Question]) -> None:
    """Raise UserError if an answer is to a question that is not asked."""
    known = {one.name: one for one in asked}
    for name, word in answers.items():
        if name not in known:
            options = [option for question in known.values() for option in _options(question)]
            what = f"asked is {listed(options, 8)}" if options else "nothing is: leave it out"
            raise UserError(f"--choose {name}={word}: this is not asked of this archive; {what}")


def _options(question: Question) -> list[str]:
    return [f"--choose {question.name}={choice.word}" for choice in question.choices]


def refuse(found: Draft, chosen: Mapping[str, str]) -> NoReturn:
    """Show all readings of what is open, and raise UserError with the options that decide."""
    show(found)
    for question in found.questions:
        print("\n".join(["", *draft_text.question(question)]))
    options = "; ".join(" or ".join(_options(question)) for question in found.questions)
    verb = "is" if len(found.questions) == 1 else "are"
    raise UserError(
        f"{counted(len(found.questions), 'question')} {verb} open: run again with {options}, or at a terminal without "
        "--yes to be asked"
    )


def ask(found: Draft, chosen: Mapping[str, str]) -> Mapping[str, str]:
    """Ask a person the first open question. Raises Left at q, Ctrl+C and the end of the input."""
    question = found.questions[0]
    words = [choice.word for choice in question.choices]
    if not chosen:
        show(found)
    print("\n".join(["", *draft_text.question(question)]))
    while True:
        try:
            typed = input(f"1 to {len(words)}, or {LEAVE} to leave: ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            raise Left from None
        if typed == LEAVE:
            raise Left
        if typed.isascii() and typed.isdigit() and 1 <= int(typed[:9]) <= len(words):
            return {question.name: words[int(typed) - 1]}
        if typed in words:
            return {question.name: typed}


def show(found: Draft) -> None:
    """Print what was understood."""
    print("\n".join(draft_text.understood(found)))
