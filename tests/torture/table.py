"""The table of docs/reliability.md, made by the runs themselves."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- begin: written by `make torture` -->", "<!-- end -->"


class Row(NamedTuple):
    """One kind of trial: how many were tried, how many ended as they must, what is asked of them."""

    what: str
    tried: int
    held: int
    asked: str
    failures: tuple[str, ...] = ()  # of each that did not hold: what was done, and what came of it


def markdown(rows: Iterable[Row]) -> str:
    lines = ["| what | tried | held | what is asked |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.tried:,} | {row.held:,} | {row.asked} |" for row in rows]
    return "\n".join(lines)


def write(rows: Iterable[Row], heading: str) -> None:
    """Put the table under its heading (date, commit, machine) between the two marks of the page."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{heading}\n\n{markdown(rows)}\n{END}{after}", encoding="utf-8")
