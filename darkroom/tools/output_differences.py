"""By how much the outputs of a stage differ from what was recorded of them, and what may be the reason."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from darkroom.base import paths, processor
from darkroom.base.files import md5
from darkroom.config.params import Params
from darkroom.tools import differences, dvc_lock
from darkroom.tools.dvc_lock import Stage

LISTED = 5  # files that are listed of an output


def by_how_much(root: Path, differing: list[str], was: Stage, now: Stage, cache: Path) -> Iterator[str]:
    """A line for each file that differs, with the difference if the DVC cache or the commit has the earlier version."""
    for output in differing:
        # By name, the files of a folder; a single file has the empty name.
        before, after = (
            dvc_lock.files_of(place, dvc_lock.outputs(stage).get(output, ""))
            for place, stage in ((cache, was), (root / ".dvc" / "cache", now))
        )
        if before is None or after is None:
            yield f"{output}: the DVC cache has no copy of what it was, so by how much is not known"
            continue
        files = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
        for name in files[:LISTED]:
            path = Path(output, name)
            if name not in before or name not in after:
                yield f"{path}: {'was not there' if name in after else 'is missing'}"
                continue
            cached = dvc_lock.object_of(cache, before[name])
            old = cached if cached.is_file() else _from_commit(root, path, before[name])
            yield f"{path}: {differences.between(old, root / path)}" if old else f"{path}: no copy of what it was"
        if len(files) > LISTED:
            yield f"and {len(files) - LISTED} more in {output}"


def _from_commit(root: Path, path: Path, digest: str) -> Path | None:
    """A copy of the file as committed, before the stage wrote it; None where that has another md5 than recorded."""
    answer = subprocess.run(["git", "show", f"HEAD:./{path.as_posix()}"], cwd=root, capture_output=True, check=False)
    copy = root / ".dvc" / "tmp" / f"was{path.suffix}"
    copy.write_bytes(answer.stdout)
    return copy if md5(copy) == digest else None


def by_its_mode(stage: Stage, settings: Params) -> Iterator[str]:
    """A sentence where a stage makes or reads weights in a mode that gives other bits on other processors."""
    involved = [*dvc_lock.outputs(stage), *(item["path"] for item in stage.get("deps", []))]
    if dvc_lock.is_within(paths.WEIGHTS.as_posix(), involved):
        if not settings.train.portable:
            yield (
                "train.portable is false: bits are equal only on equal processors with equal numbers of threads and "
                "equal precision (docs/parameters.md)"
            )
        elif not processor.can_be_portable():
            yield f"portable mode is for x86-64 processors with AVX2, and {processor.name()} is none"


def mode(settings: Params) -> str:
    """The mode in a word or two, for the line that ends a comparison."""
    return "portable mode" if settings.train.portable else "not in portable mode"
