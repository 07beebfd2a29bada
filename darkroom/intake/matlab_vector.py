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


def _read(data: bytes, variable: str | None) -> np.ndarray | str:
    """What `vector` answers; raises whatever SciPy raises on a damaged file."""
    from scipy.io import loadmat, whosmat  # type: ignore[import-untyped]  # slow to import, and needed here alone

    try:
        shapes = {name: (shape, kind) for name, shape, kind in whosmat(io.BytesIO(data))}
    except NotImplementedError:
        return "is a MATLAB file of version 7.3 (HDF5), which is not read: save it with `save -v7`, or as CSV"
    vectors = [name for name, (shape, kind) in shapes.items() if kind in NUMERIC and math.prod(shape) == max(shape)]
    listed = ", ".join(map(repr, vectors[:NAMED])) or "none"
    if variable and variable not in vectors:
        return f"has no vector of numbers {variable!r}; its vectors are: {listed}"
    if not variable and len(vectors) != 1:
        return f"holds {len(vectors)} vectors of numbers ({listed}): name one after the file, as in `labels.mat#labels`"
    name = variable or vectors[0]
    if not 0 < math.prod(shapes[name][0]) <= MAX_NUMBERS:
        return f"has {math.prod(shapes[name][0]):,} numbers in {name!r}, of 1 to {MAX_NUMBERS:,} that are read"
    return np.ravel(loadmat(io.BytesIO(data), variable_names=[name])[name])


def main() -> int:
    """Write the vector to stdout as .npy, or the reason why there is none."""
    result = _read(sys.stdin.buffer.read(), sys.argv[1] if len(sys.argv) > 1 else None)
    if isinstance(result, str):
        sys.stdout.buffer.write(result.encode())
        return REFUSED
    np.save(sys.stdout.buffer, result, allow_pickle=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
