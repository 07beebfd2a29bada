"""Darkroom beside the usual way, measured on this machine: python -m benchmarks [NAME ...] [--repeats N] [--quick].

With real MNIST it needs some 5 GB in the temporary folder (TMPDIR), for what is written stays until the end.
Deleting it takes a minute, and for some minutes after that new files may be slow to make (table.Setting.folder says
why): a second run right after the first favours us.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import archives, data_path, dvc_tree, epoch, extract, settings
from benchmarks.table import Setting
from darkroom.console import UserError, run

BENCHMARKS = {
    module.__name__.rpartition(".")[2]: module.run for module in (extract, data_path, epoch, settings, dvc_tree)
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Darkroom beside the usual way.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to run: {', '.join(BENCHMARKS)} (all)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="runs of each side, the best counts (3)")
    parser.add_argument("--quick", action="store_true", help="few pictures: shows that it runs, measures little")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        raise UserError(f"there is no benchmark {unknown[0]!r}: known are {', '.join(BENCHMARKS)}")
    if options.repeats < 1:
        raise UserError(f"--repeats is {options.repeats}, but must be 1 or more")
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as folder:
        archive, title = archives.choose(Path(folder), quick=options.quick)
        for name in options.names or BENCHMARKS:
            started = time.perf_counter()
            for table in BENCHMARKS[name](Setting(archive, title, Path(folder), options.repeats)):
                print(f"{table}\n")
            print(f"({name} took {time.perf_counter() - started:.0f} s)\n", flush=True)


if __name__ == "__main__":
    run(main)
