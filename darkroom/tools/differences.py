"""How a file differs from an earlier version of it: figures of tables and JSON, weights, else bytes."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from darkroom.base.words import listed
from darkroom.tools.experiments import dotted

SHOWN = 5  # differences of one file that are listed
LONGEST = 60  # characters of a value
PIECE = 2**24  # bytes that are compared at a time


def between(was: Path, now: Path) -> str:
    """In one line, how `now` differs from `was`; the suffix of `now` says what both are.

    Raises OSError where one of them cannot be read.
    """
    describe = {".json": _json, ".csv": _csv, ".parquet": _parquet, ".safetensors": _weights}.get(now.suffix, _bytes)
    try:
        return describe(was, now) or _bytes(was, now)
    except OSError:
        raise
    except Exception:  # each reader raises its own; a file that is not what its suffix says still has bytes
        return _bytes(was, now)


def figures(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The values that differ between two nested mappings, each as `key was this, is that`."""
    before, after = dotted(was), dotted(now)
    keys = [key for key in {**before, **after} if _differ(before.get(key, "absent"), after.get(key, "absent"))]
    return [f"{key} was {_short(before.get(key, 'absent'))}, is {_short(after.get(key, 'absent'))}" for key in keys]


def _json(was: Path, now: Path) -> str:
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in (was, now))
    told = figures(
        before if isinstance(before, dict) else {"": before}, after if isinstance(after, dict) else {"": after}
    )
    return listed(told, SHOWN, between="; ")


def _csv(was: Path, now: Path) -> str:
    tables = []
    for path in (was, now):
        with path.open(encoding="utf-8", newline="") as stream:
            tables.append(list(csv.reader(stream)))
    return _table(*tables)


def _parquet(was: Path, now: Path) -> str:
    from pyarrow import parquet

    tables = []
    for path in (was, now):
        table = parquet.read_table(path)
        tables.append([table.column_names, *zip(*(column.to_pylist() for column in table.columns), strict=True)])
    return _table(*tables)


def _table(was: list[Any], now: list[Any]) -> str:
    """The difference of two tables, whose first row holds the names of the columns."""
    if list(was[0]) != list(now[0]):
        return f"columns were {_short(', '.join(was[0]))}, are {_short(', '.join(now[0]))}"
    if len(was) != len(now):
        return f"{len(was) - 1:,} rows were, {len(now) - 1:,} are"
    told = []
    for place, name in enumerate(was[0]):
        pairs = [(row, one[place], other[place]) for row, (one, other) in enumerate(zip(was, now, strict=True))]
        unequal = [pair for pair in pairs if _differ(*pair[1:])]
        if unequal:
            row, before, after = unequal[0]
            told.append(
                f"{name} of {len(unequal):,} of {len(was) - 1:,} rows (row {row} was {_short(before)}, "
                f"is {_short(after)})"
            )
    return listed(told, SHOWN, between="; ")


def _weights(was: Path, now: Path) -> str:
    from safetensors import safe_open

    with safe_open(was, "numpy") as before, safe_open(now, "numpy") as after:
        names = list(before.keys())
        if sorted(names) != sorted(after.keys()):
            return f"tensors were {_short(', '.join(names))}, are {_short(', '.join(after.keys()))}"
        unequal, gaps = 0, {"none with fractions": 0.0}
        for name in names:
            one, other = before.get_tensor(name), after.get_tensor(name)
            if one.shape != other.shape:
                return f"{name} was of shape {one.shape}, is of {other.shape}"
            if one.tobytes() != other.tobytes():
                unequal += 1
                if one.dtype.kind == "f":  # without the counters of batch norms, which are whole numbers
                    gaps[name] = float(np.abs(one.astype(np.float64) - other.astype(np.float64)).max())
    worst = max(gaps, key=lambda name: gaps[name])
    return f"{unequal} of {len(names)} tensors, by at most {gaps[worst]:.3g} (in {worst})" if unequal else ""


def _bytes(was: Path, now: Path) -> str:
    sizes = was.stat().st_size, now.stat().st_size
    unequal = sum(_unequal_bytes(was, now)) + abs(sizes[0] - sizes[1])
    of = f"{sizes[1]:,} bytes" if sizes[0] == sizes[1] else f"{sizes[1]:,} bytes, which were {sizes[0]:,}"
    return f"{unequal:,} of {of}"


def _unequal_bytes(was: Path, now: Path) -> Iterator[int]:
    """For each piece of both files, up to the end of the shorter one: the number of bytes that differ."""
    with was.open("rb") as before, now.open("rb") as after:
        while (one := before.read(PIECE)) and (other := after.read(PIECE)):
            common = min(len(one), len(other))
            yield int(np.count_nonzero(np.frombuffer(one, np.uint8, common) != np.frombuffer(other, np.uint8, common)))


def _differ(one: Any, other: Any) -> bool:
    """Whether two values differ; two NaN do not."""
    return bool(one != other) and (one == one or other == other)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
