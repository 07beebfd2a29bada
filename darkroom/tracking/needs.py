"""What modules need to run on another machine, read from their imports: files of this project, and packages."""

import sys
from collections.abc import Sequence
from importlib.metadata import packages_distributions, version
from pathlib import Path

from darkroom.base.imports import files_of, imported

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("darkroom", "own")


def needs(sources: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The files of Darkroom and of own/ that `sources` need, below `ROOT`; and pinned requirements, sorted by name.

    Imports inside functions count, because they will run; those under TYPE_CHECKING do not.
    """
    # 1. Follow the imports through the files of this project.
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
    # 2. Name the distributions of the other packages. MLflow adds itself to a model's requirements, and several
    #    distributions hold a package of its name. An optional import of own code may belong to no distribution here.
    distributions = packages_distributions()
    known = {distributions[name][0] for name in (others - {"mlflow"}) & distributions.keys() - sys.stdlib_module_names}
    # 3. Pin the versions, without a build's local part as in 2.15.0+cpu: package indexes do not know it.
    return sorted(files), [f"{name}=={version(name).partition('+')[0]}" for name in sorted(known)]
