"""One line of the check-list that `darkroom check` prints before a training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """The result of one check; `passed` is None for a note, which is neither good nor bad."""

    name: str
    passed: bool | None
    text: str

    def __str__(self) -> str:
        word = {True: "pass", False: "FAIL", None: "note"}[self.passed]
        return f"{word}  {self.name:<13}  {self.text}"
