"""What params.yaml, and the data set's entry in datasets.yaml, say otherwise than the last commit.

A value that `dvc exp run -S` sets stays in the file: it reaches every later run, also that of another data set. A stage
that DVC skips cannot speak of it, so the first one that runs does.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from darkroom.base.errors import printable, without_password
from darkroom.base.paths import DATASETS, PARAMS

# In the copies of `--temp` and `--queue` this is a folder of theirs. Git and DVC's hashes pass it over.
MARK = Path(".dvc/tmp/darkroom-begun")


def tell() -> None:
    """Print what differs, a line for each file, in the first stage that a `dvc repro` or `dvc exp run` runs.

    Nothing in a stage that is run by hand: it has no first one before it, and would say the same at each try. Nothing
    where Git or a file is missing or damaged, and never an error: the stage itself has the say on its files.
    """
    if "DVC_STAGE" in os.environ:
        with suppress(Exception):
            if _is_first():
                for line in differences():
                    print(printable(without_password(line)))


def _is_first() -> bool:
    """Whether no stage of this run of DVC has asked before. It leaves a mark that names DVC's process."""
    import psutil  # here, as ruamel.yaml below: every stage and command imports this module, few need them

    # A shell may stand between DVC and its stage; DVC itself is the nearest that has not been told of a stage.
    process: Any = psutil.Process().parent()
    while "DVC_STAGE" in process.environ():
        process = process.parent()
    known = MARK.read_text(encoding="utf-8").split() if MARK.is_file() else []
    MARK.write_text(f"{process.pid} {process.create_time()}", encoding="utf-8")
    # Numbers of processes are used again; the time of the start is known to a second or two.
    return known[:1] != [str(process.pid)] or abs(float(known[1]) - process.create_time()) > 5


def differences() -> Iterator[str]:
    """A line for params.yaml and one for the data set's entry, where they differ from the last commit."""
    params, datasets = PARAMS.read_bytes(), DATASETS.read_bytes()
    old_params, old_datasets = _committed(PARAMS, DATASETS)
    content = _read(params) if (params, datasets) != (old_params, old_datasets) else {}
    if old_params not in (None, params) and (found := list(_changes(content, _read(old_params)))):
        yield f"{PARAMS} differs from the last commit: {', '.join(found)}"
    if old_datasets not in (None, datasets):
        name = content["dataset"]
        entry, old_entry = _read(datasets)[name], _read(old_datasets).get(name)
        if old_entry is None:
            yield f"{DATASETS} differs from the last commit: the entry {name} is not committed"
        elif found := list(_changes({name: entry}, {name: old_entry})):
            yield f"{DATASETS} differs from the last commit: {', '.join(found)}"


def _committed(*paths: Path) -> Iterator[bytes | None]:
    """The content of each file in the last commit; None for one that is not in it.

    HEAD is the user's own commit also in the copies of `--temp` and `--queue`, where DVC puts its changes beside it.
    """
    asked = "".join(f"HEAD:./{path.as_posix()}\n" for path in paths)
    left = subprocess.run(
        ["git", "cat-file", "--batch"], input=asked.encode(), capture_output=True, check=True, timeout=10
    ).stdout
    for _ in paths:
        head, _, left = left.partition(b"\n")
        if head.endswith(b" missing"):
            yield None
        else:
            size = int(head.split()[-1])
            yield left[:size]
            left = left[size + 1 :]


def _read(text: bytes) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)  # as DVC does


def _changes(now: dict[str, Any], before: dict[str, Any]) -> Iterator[str]:
    """Each dotted key whose value differs, with both values."""
    new, old = dict(_leaves(now)), dict(_leaves(before))
    for key in new | old:
        if key not in old:
            yield f"{key} {_shown(new[key])} (not committed)"
        elif key not in new:
            yield f"{key} left out (committed: {_shown(old[key])})"
        elif new[key] != old[key]:
            yield f"{key} {_shown(new[key])} (committed: {_shown(old[key])})"


def _leaves(content: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _shown(value: Any) -> str:
    """A value as it would stand in the file, in one line."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
