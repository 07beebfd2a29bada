"""One line of the doctor's list."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line: how it stands, what was looked at, what was found and what to do."""

    state: State
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.state:<7}  {self.name:<11}  {self.text}"


def state_of(word: str) -> State:
    """The state that a probe names; what is none of them is a problem."""
    return "ok" if word == "ok" else "warning" if word == "warning" else "problem"
