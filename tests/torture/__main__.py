"""Run every part, print its rows, and write the table of docs/reliability.md: python -m tests.torture [PART...]."""

import argparse
import importlib
import subprocess
import sys
import time
from datetime import date

from darkroom.base import processor
from tests.torture import table

# Of the whole time, the share of each part.
PARTS = {"inputs": 0.15, "settings": 0.1, "network": 0.15, "kills": 0.4, "faults": 0.2, "nodes": 0.2}
MINUTES = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS), default=[])
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"for all parts together ({MINUTES:g})")
    parser.add_argument("--seed", type=int, default=0, help="of every draw (0)")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    chosen = {name: share for name, share in PARTS.items() if name in options.parts or not options.parts}
    rows = []
    for name, share in chosen.items():
        started = time.monotonic()
        part = importlib.import_module(f"tests.torture.{name}")
        for row in part.rows(60 * options.minutes * share / sum(chosen.values()), options.seed):
            print(f"{name}: {row.what}: {row.held} of {row.tried} held", flush=True)
            for failure in row.failures:
                print(f"  {failure}", flush=True)
            rows.append(row)
        print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)
    if not options.parts:
        commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True)
        when = f"{date.today():%d %B %Y}, commit {commit.stdout.strip()}, seed {options.seed}"
        table.write(rows, f"{when}, {options.minutes:g} minutes on {processor.cores()} cores ({processor.name()}):")
        print("wrote docs/reliability.md")
    sys.exit(any(row.held < row.tried for row in rows))


if __name__ == "__main__":
    main()
