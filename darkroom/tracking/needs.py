"""What modules need to run elsewhere, read from their imports: files of this project, and other packages."""

import sys
from collections.abc import Sequence
from importlib.metadata import packages_distributions, version
from pathlib import Path

from darkroom.base.imports import files_of, imported

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("darkroom", "own")


def needs(sources: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files of Darkroom and of own/ that modules need, below `ROOT`; and pinned requirements, by name.

    Imports in functions count, for they will be made; those under TYPE_CHECKING do not.
    """
    files: set[Path] = set()
    others: set[str] = set()
    waiting = list(sources)
    while waiting:
        for name in imported(waiting.pop(), ROOT):
            if name.partition(".")[0] not in PACKAGES:
                others.add(name.partition(".")[0])
                continue
            found = set(files_of(name, ROOT)) - files
            files |= found
            waiting += found
    distributions = packages_distributions()
    # Several share the name mlflow, which MLflow itself adds to the requirements of its models. What own code imports
    # where it can, and can do without, is no distribution here.
    known = {distributions[name][0] for name in (others - {"mlflow"}) & distributions.keys() - sys.stdlib_module_names}
    # A build's own mark, as in 2.15.0+cpu, is left out: no index has it.
    return sorted(files), [f"{name}=={version(name).partition('+')[0]}" for name in sorted(known)]
