"""What was found on a GPU, as tables of Markdown."""

from collections.abc import Sequence
from typing import Any

from benchmarks.on_gpu.part import Row


def markdown(report: Row) -> str:
    """All of a report."""
    about, parts = report["machine"], report["parts"]
    lines = [
        f"# {about.get('card', 'No GPU')}, torch {about.get('torch')}",
        "",
        f"{report['date']}; {report['seconds']:.0f} s of {60 * report['settings']['minutes']:.0f}; "
        + "; ".join(f"{name} {cell(value)}" for name, value in about.items() if name not in ("card", "torch")),
    ]
    for group in dict.fromkeys(part["group"] for part in parts):
        of_group = [part for part in parts if part["group"] == group]
        rows = [_shown(row) for part in of_group for row in part["rows"]]
        lines += ["", f"## {group[0].upper()}{group[1:]}", "", *(_table(rows) if rows else [])]
        for part in of_group:
            for kind, words in (("error", "failed"), ("left_out", "left out")):
                if part[kind]:
                    lines += ["", f"{part['name']} {words}: {cell(part[kind])}"]
    lines += ["", "Seconds: " + ", ".join(f"{part['name']} {part['seconds']:.0f}" for part in parts)]
    return "\n".join(lines) + "\n"


def in_a_line(part: Row) -> str:
    """How a part went."""
    said = f"{part['seconds']:.1f} s, {len(part['rows'])} rows"
    failures = [row["test"] for row in part["rows"] if row.get("passed") is False]
    failures += [row["error"] for row in part["rows"] if row.get("error")]
    for kind, words in (("error", "FAILED"), ("left_out", "left out")):
        if part[kind]:
            said += f", {words}: {cell(part[kind])[:200]}"
    return said + "".join(f", FAILED: {cell(one)[:200]}" for one in failures)


def failed(report: Row) -> bool:
    """Whether a part, a row or a test failed."""
    rows = [row for part in report["parts"] for row in part["rows"]]
    return any(part["error"] for part in report["parts"]) or any(
        row.get("error") or row.get("passed") is False for row in rows
    )


def _shown(row: Row) -> Row:
    """A row as its table has it; a test's figures are in one column, for each has others."""
    if "test" not in row:
        return row
    result = {True: "passed", False: "FAILED", None: ""}[row["passed"]]
    figures = ", ".join(
        f"{name} {cell(value)}" for name, value in row.items() if name not in ("test", "passed") and value is not None
    )
    return {"test": row["test"], "result": result, "figures": figures}


def _table(rows: Sequence[Row]) -> list[str]:
    """The columns are all that rows have, in the order in which they come first, but for those always empty."""
    names = list(dict.fromkeys(name for row in rows for name, value in row.items() if value is not None))
    lines = [names, ["---"] * len(names), *([cell(row.get(name)) for name in names] for row in rows)]
    return [f"| {' | '.join(line)} |" for line in lines]


def cell(value: Any) -> str:
    """A value in a cell: three significant digits of a small number, whole ones of a large one."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {cell(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(cell, value))
    return " ".join(str(value).split()).replace("|", "/")
