"""One line of the list that `darkroom doctor` prints."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """A state, the name of what was checked, and what was found and what to do."""

    state: State
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.state:<7}  {self.name:<11}  {self.text}"


def state_of(word: str) -> State:
    """The state that a probe names; an unknown word is a problem."""
    return "ok" if word == "ok" else "warning" if word == "warning" else "problem"
