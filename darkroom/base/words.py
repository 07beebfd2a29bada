"""Words for a sentence: a few names of many, a number of things, how long, how much, what share."""

import difflib
from collections.abc import Iterable, Sequence

UNITS = (("s", 1, 99.5), ("min", 60, 99.5 * 60), ("h", 3600, float("inf")))  # name, its seconds, used below so many


def listed(names: Iterable[str], at_most: int = 4, between: str = ", ") -> str:
    """The first names, and how many more there are: `a, b, c, d and 3 more`."""
    known = list(names)
    more = f"{between.rstrip(', ')} and {len(known) - at_most:,} more" if len(known) > at_most else ""
    return between.join(known[:at_most]) + more


def did_you_mean(wrong: str, known: Iterable[str], at_most: int | None = None) -> str:
    """The known name nearest to a wrong one; if none is near, the known ones, of which `at_most` are shown."""
    names = list(known)
    near = difflib.get_close_matches(wrong, names, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names[:at_most])}"


def counted(number: int, thing: str, several: str | None = None) -> str:
    """A number of things: `1 run`, `2,000 runs`; `several` is the plural if it is not `thing` with an s."""
    return f"{number:,} {thing if number == 1 else several or f'{thing}s'}"


def duration(seconds: float) -> str:
    """A time, given in seconds, to two digits or to a whole number: `0.04 s`, `4.1 min`, `120 h`."""
    unit, length = next((unit, length) for unit, length, limit in UNITS if seconds < limit)
    value = seconds / length
    return f"{value:.2g} {unit}" if value < 0.95 else f"{value:.1f} {unit}" if value < 9.95 else f"{value:,.0f} {unit}"


def size(count: int) -> str:
    """A number of bytes in millions or billions: `4.0 MB`, `1.2 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def percent(share: float) -> str:
    """A share in per cent; one just below 1 gets as many digits as distinguish it from 100 %."""
    return f"{share:.0%}" if share < 0.995 else f"{share:.2%}" if share < 0.99995 else f"{100 * share:.6g}%"


def by(shape: Sequence[int]) -> str:
    """A shape: `28x28x1`."""
    return "x".join(map(str, shape))
