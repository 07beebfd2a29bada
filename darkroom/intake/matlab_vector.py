"""A vector of numbers in a MATLAB file, read in a process of its own: SciPy's reader can crash on a damaged file.

This file is also the program of that process (`python matlab_vector.py VARIABLE < file`), and imports no room then.
"""

import io
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np

NUMERIC = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)} | {"double", "single", "logical"}
MAX_NUMBERS = 20_000_000
NAMED = 20  # variables that a message lists
HEADER = 128  # bytes of a MATLAB file before its variables
MAX_SECONDS = 600
NAMES_ALONE = "--names"  # no name of a variable
REFUSED = 3  # the exit status when stdout says why


def vector(data: bytes, variable: str | None) -> np.ndarray | str:
    """The numbers of a variable, or of the only vector in the file; or else a clause that says why there are none."""
    damaged = "cannot be read as a MATLAB file: it is damaged, or none"
    if len(data) < HEADER:
        return damaged
    if variable and not re.fullmatch("[A-Za-z0-9_]{1,63}", variable):
        return f"has no vector of numbers {variable[:63]!r}: MATLAB's names are of letters, digits and _"
    command = [sys.executable, "-P", str(Path(__file__).resolve()), *([variable] if variable else [])]
    try:
        ended = subprocess.run(command, input=data, capture_output=True, check=False, timeout=MAX_SECONDS)
    except subprocess.TimeoutExpired:
        return damaged
    if ended.returncode == REFUSED:
        return ended.stdout.decode()
    return np.load(io.BytesIO(ended.stdout), allow_pickle=False) if ended.returncode == 0 else damaged


def vectors(data: bytes) -> list[str]:
    """The names of the vectors of numbers in a file; none where it cannot be read."""
    command = [sys.executable, "-P", str(Path(__file__).resolve()), NAMES_ALONE]
    try:
        ended = subprocess.run(command, input=data, capture_output=True, check=False, timeout=MAX_SECONDS)
    except subprocess.TimeoutExpired:
        return []
    return ended.stdout.decode().split() if ended.returncode == 0 else []


def _read(data: bytes, variable: str | None) -> np.ndarray | str:
    """What `vector` answers; raises whatever SciPy raises on a damaged file."""
    from scipy.io import loadmat  # type: ignore[import-untyped]  # slow to import, and needed here alone

    try:
        sizes = _sizes(data)
    except NotImplementedError:
        return "is a MATLAB file of version 7.3 (HDF5), which is not read: save it with `save -v7`, or as CSV"
    listed = ", ".join(map(repr, list(sizes)[:NAMED])) or "none"
    if variable and variable not in sizes:
        return f"has no vector of numbers {variable!r}; its vectors are: {listed}"
    if not variable and len(sizes) != 1:
        return f"holds {len(sizes)} vectors of numbers ({listed}): name one after the file, as in `labels.mat#labels`"
    name = variable or next(iter(sizes))
    if not 0 < sizes[name] <= MAX_NUMBERS:
        return f"has {sizes[name]:,} numbers in {name!r}, of 1 to {MAX_NUMBERS:,} that are read"
    return np.ravel(loadmat(io.BytesIO(data), variable_names=[name])[name])


def _sizes(data: bytes) -> dict[str, int]:
    """How many numbers each vector holds, by its name."""
    from scipy.io import whosmat

    shapes = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(data))}
    vectors = {name: shape for name, (shape, kind) in shapes.items() if kind in NUMERIC}
    return {name: math.prod(shape) for name, shape in vectors.items() if math.prod(shape) == max(shape)}


def main() -> int:
    """Write the vector to stdout as .npy, or the reason why there is none; or the names of all vectors."""
    if sys.argv[1:] == [NAMES_ALONE]:
        print(*_sizes(sys.stdin.buffer.read()))
        return 0
    result = _read(sys.stdin.buffer.read(), sys.argv[1] if len(sys.argv) > 1 else None)
    if isinstance(result, str):
        sys.stdout.buffer.write(result.encode())
        return REFUSED
    np.save(sys.stdout.buffer, result, allow_pickle=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
