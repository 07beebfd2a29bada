"""The doctor's checks of this repository: code that Git lacks, Git's identity, uncommitted results, locks."""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from darkroom.base import git, paths
from darkroom.base.errors import UserError
from darkroom.base.words import counted, listed, size
from darkroom.config import own_code
from darkroom.config.augmentations import own_functions
from darkroom.config.params import Params
from darkroom.config.stage_tables import INDEX
from darkroom.tools.dvc_lock import LOCK
from darkroom.tools.finding import Finding
from darkroom.tracking.at_work import is_held

DVC = Path(".dvc")
RESULTS = (str(LOCK), "metrics", "models")  # of the pipeline, as far as Git has them
# What grows beside the code; each of the others has a line of its own.
LARGE = (
    paths.RAW, paths.DATA, paths.PRETRAINED, paths.MODEL.parent, DVC / "cache", DVC / "tmp", Path("mlartifacts"),
    Path(".downloads"), Path(".pretrained"), Path(".folds"),
)  # fmt: skip
TOLD = 10**6  # bytes of a folder whose size is told


def code(settings: Params) -> Finding:
    """Whether Git has all code: experiments with --temp or --queue run in a copy that has only Git's files."""
    changes = [*settings.augment, *(settings.evaluate.tta.changes or [])]
    functions = {*own_functions([item.model_dump(exclude_none=True) for item in changes])}
    functions |= {settings.model.name} if settings.model.own else set()
    try:
        modules = sorted({file for name in functions for file in own_code.needed(name)})
    except UserError as error:
        return Finding("problem", "code", str(error))
    named = [path for path in (*modules, settings.model.weights or "") if Path(path).is_file()]
    inside = [path for path in named if not Path(path).is_absolute()]
    missed = set(inside) - set(git.output_if_any("ls-files", "-z", "--", *inside).split("\0"))
    untracked = [
        *filter(None, git.output_if_any("ls-files", "-z", "--others", "--exclude-standard", "--", "*.py").split("\0"))
    ]
    without = "which experiments with --temp or --queue go without"
    if missed:
        return Finding("problem", "code", f"Git does not have {listed(sorted(missed))}, {without}: git add --force")
    if untracked:
        return Finding("warning", "code", f"Git does not have {listed(untracked)}, {without}: git add, or remove")
    return Finding("ok", "code", "Git has every module")


def repository() -> Iterator[Finding]:
    """Whether Git knows its user (experiments are commits), and whether the last run is committed."""
    if shutil.which("git") is None:
        yield Finding("problem", "git", "not installed: DVC and experiments need it")
        return
    if not git.output_if_any("rev-parse", "HEAD"):
        yield Finding("problem", "git", "no commit here: run at the root of the repository, or git commit")
        return
    roles = {"name": git.output_if_any("config", "user.name"), "email": git.output_if_any("config", "user.email")}
    missing = [key for key, value in roles.items() if not (value or os.environ.get(f"GIT_AUTHOR_{key.upper()}"))]
    if missing:
        commands = ", ".join(f"git config user.{key} YOURS" for key in missing)
        yield Finding("problem", "git", f"experiments are commits, and Git does not know who you are: {commands}")
    else:
        yield Finding("ok", "git", f"commits are by {roles['name'] or os.environ['GIT_AUTHOR_NAME']}")
    changed = _changed()
    if changed:
        text = f"not as committed: {', '.join(changed)}; git add {' '.join(_places(changed))}, then git commit"
        yield Finding("warning", "commit", f"{text}; or git checkout -- FILE takes one back")
    elif LOCK.is_file():
        yield Finding("ok", "commit", "parameters and results are as committed")
    else:
        yield Finding("ok", "dvc.lock", "not there yet: `dvc repro` makes it")


def _changed() -> list[str]:
    """All files that differ from the last commit, and new ones among the results, which belong to a commit too."""
    tracked = git.output_if_any("diff", "--name-only", "--relative", "-z", "HEAD").split("\0")
    new = git.output_if_any("ls-files", "--others", "--exclude-standard", "-z", "--", *RESULTS).split("\0")
    return sorted({*filter(None, tracked + new)})


def _places(files: Iterable[str]) -> list[str]:
    """The files, and for those in a folder of results the folder."""
    return list(dict.fromkeys(next((one for one in RESULTS if file.startswith(f"{one}/")), file) for file in files))


def locks() -> Finding:
    """Whether locks of DVC or Git are held, by a running process or by one that was killed."""
    left = [path for path in [Path(git.output_if_any("rev-parse", "--git-path", "index.lock"))] if path.is_file()]
    busy = is_held(DVC / "tmp" / "lock")
    for file in (DVC / "tmp" / "rwlock", DVC / "tmp" / "exps" / "rwlock"):
        try:
            # DVC itself releases the locks of processes that have ended.
            alive = [*filter(psutil.pid_exists, _holders(file))]
        except (ValueError, AttributeError, KeyError, TypeError):
            left.append(file)  # only half of it was written
            continue
        busy = busy or any(map(_is_dvc, alive))
        left += [file] if alive and not any(map(_is_dvc, alive)) else []
    if left:
        text = f"{listed(map(str, left))} is there, which stops DVC or Git: unless one is at work, remove it"
        return Finding("problem", "locks", text)
    if busy:
        return Finding("warning", "locks", "DVC is at work here: other commands wait for it or fail")
    return Finding("ok", "locks", "nothing is held")


def kept() -> Iterator[Finding]:
    """What lies beside the pipeline's outputs and may be removed; packed data that the first version made."""
    try:
        columns = set(pq.read_schema(paths.INDEX).names)
    except (OSError, pa.ArrowException):  # none yet, or damaged: the stages judge it
        columns = set(INDEX.columns)
    if missing := [name for name in INDEX.columns if name not in columns]:
        text = (
            f"{paths.DATA} was made by an earlier version ({paths.INDEX} has no {listed(missing)}): dvc repro extract"
        )
        yield Finding("warning", "data", text)
    root = paths.root()
    left = [folder for folder in (root / ".checkpoints").glob("*/") if not is_held(folder / "lock")]
    if left:
        yield Finding(
            "ok",
            "checkpoints",
            f"{counted(len(left), 'training')} cut off, {size(_bytes(left))}: one goes on when started again with "
            "the parameters, data and code that it had, so never after an update; to remove all, while none runs: "
            "rm -r .checkpoints/*/",
        )
    if decoded := _bytes([root / ".decoded"]):
        text = f"{size(decoded)} in .decoded, so that other labels decode nothing again: rm -r .decoded loses only time"
        yield Finding("ok", "decoded", text)
    if features := _bytes([paths.features()]):
        text = (
            f"{size(features)} of at most {size(paths.FEATURES_LIMIT)} in .features, what frozen networks made of "
            "pictures: rm -r .features loses only time"
        )
        yield Finding("ok", "features", text)
    sizes = {path: _bytes([root / path]) for path in LARGE}
    if told := [f"{path} {size(count)}" for path, count in sizes.items() if count >= TOLD]:
        text = "what DVC links from its cache takes its room once"
        yield Finding("ok", "sizes", f"{', '.join(told)}; {text}")


def _bytes(folders: Iterable[Path]) -> int:
    """The bytes of all files below folders, which may change meanwhile."""
    total = 0
    for folder in folders:
        for file in folder.rglob("*"):
            with suppress(OSError):
                total += file.lstat().st_size
    return total


def _holders(file: Path) -> set[int]:
    """The process ids in DVC's list of which process reads or writes which file."""
    content = json.loads(file.read_bytes()) if file.is_file() else {}
    infos = [*content.get("write", {}).values(), *(info for many in content.get("read", {}).values() for info in many)]
    return {int(info["pid"]) for info in infos}


def _is_dvc(process: int) -> bool:
    try:
        return any("dvc" in part for part in psutil.Process(process).cmdline())
    except psutil.Error:
        return False
