"""Where params.yaml, and the data set's entry in datasets.yaml, differ from the last commit.

A value that `dvc exp run -S` sets stays in the file and reaches every later run, even one of another data set. The
first stage that DVC runs prints the differences, for a stage that DVC skips can print nothing. It also tells which
stage will fail for want of data.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from darkroom.base import git, missing_data
from darkroom.base.errors import printable, without_password
from darkroom.base.paths import DATASETS, PARAMS

# It names the process of DVC that ran the last first stage. Git and DVC's hashes pass over this folder.
MARK = Path(".dvc/tmp/darkroom-begun")


def print_differences() -> None:
    """Print the differences, a line for each file, in the first stage that a `dvc repro` or `dvc exp run` runs.

    A stage that is run by hand prints nothing, else it would repeat the lines at each try. Nothing is printed, and no
    error raised, if Git or a file is missing or damaged: the stage itself judges its files.
    """
    if "DVC_STAGE" in os.environ:
        with suppress(Exception):
            if _is_first(process := _dvc()):
                for line in differences():
                    print(printable(without_password(line)))
                for line in missing_data.warnings(os.environ["DVC_STAGE"], process.cmdline()):
                    print(f"warning: {line}", file=sys.stderr)


def _dvc() -> Any:
    """The process of DVC that runs this stage."""
    import psutil  # here, as ruamel.yaml below: every stage and command imports this module, few need the two

    # A shell may stand between DVC and its stage, so DVC is the nearest ancestor without DVC_STAGE.
    process: Any = psutil.Process().parent()
    while "DVC_STAGE" in process.environ():
        process = process.parent()
    return process


def _is_first(process: Any) -> bool:
    """Whether this is the first call in this run of DVC. Leaves a mark that names DVC's process."""
    known = MARK.read_text(encoding="utf-8").split() if MARK.is_file() else []
    MARK.write_text(f"{process.pid} {process.create_time()}", encoding="utf-8")
    # The system gives a process's number again, so the start times must agree, which are known to a second or two.
    return known[:1] != [str(process.pid)] or abs(float(known[1]) - process.create_time()) > 5


def differences() -> Iterator[str]:
    """Yield a line for params.yaml and one for the data set's entry, if they differ from the last commit."""
    params, datasets = PARAMS.read_bytes(), DATASETS.read_bytes()
    # HEAD is the user's own commit even in the copies that `--temp` and `--queue` make.
    old_params, old_datasets = git.contents(f"HEAD:./{path.as_posix()}" for path in (PARAMS, DATASETS))
    content = _read(params) if (params, datasets) != (old_params, old_datasets) else {}
    if old_params not in (None, params) and (found := list(_differing_keys(content, _read(old_params)))):
        yield f"{PARAMS} differs from the last commit: {', '.join(found)}"
    if old_datasets not in (None, datasets):
        name = content["dataset"]
        entry, old_entry = _read(datasets)[name], _read(old_datasets).get(name)
        if old_entry is None:
            yield f"{DATASETS} differs from the last commit: the entry {name} is not committed"
        elif found := list(_differing_keys({name: entry}, {name: old_entry})):
            yield f"{DATASETS} differs from the last commit: {', '.join(found)}"


def _read(text: bytes) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(text)  # as DVC does


def _differing_keys(now: dict[str, Any], before: dict[str, Any]) -> Iterator[str]:
    """Yield each dotted key whose value differs, with both values."""
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
    """The value as YAML would have it, in one line of at most 60 characters."""
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
