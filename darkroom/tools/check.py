"""One line of the check-list before a training."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """What one check found; `passed` is None for a note, which is neither good nor bad."""

    name: str
    passed: bool | None
    text: str

    def __str__(self) -> str:
        word = {True: "pass", False: "FAIL", None: "note"}[self.passed]
        return f"{word}  {self.name:<13}  {self.text}"
