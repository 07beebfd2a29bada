"""What is open, and what was answered, while a draft is made."""

from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.base.errors import UserError
from darkroom.base.words import did_you_mean


@dataclass(frozen=True)
class Open:
    """A question with its answers: the word and the text of each, the first being taken until it is answered."""

    name: str
    text: str
    options: tuple[tuple[str, str], ...]


class Asking:
    """Answers by the name of their question, and the questions that came up."""

    def __init__(self, chosen: dict[str, str]) -> None:
        self.chosen = chosen
        self.asked: dict[str, Open] = {}

    def pick(self, name: str, text: str, options: Sequence[tuple[str, str]]) -> int:
        """The place of the answer among the options. Raises UserError for an answer that is none of them."""
        self.asked[name] = Open(name, text, tuple(options))
        words = [word for word, _ in options]
        answer = self.chosen.get(name)
        if answer is None:
            return 0
        if answer not in words:
            raise UserError(f"{answer!r} is no answer to {name} ({text}): {did_you_mean(answer, words)}")
        return words.index(answer)

    def open(self) -> list[Open]:
        """The questions that nobody has answered. Raises UserError for an answer to a question that did not come up."""
        for name in self.chosen:
            if name not in self.asked:
                known = did_you_mean(name, self.asked) if self.asked else "nothing is open"
                raise UserError(f"nothing asks for {name!r}: {known}")
        return [one for name, one in self.asked.items() if name not in self.chosen]
