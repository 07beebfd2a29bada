"""Rebuild the committed state in a fresh clone, and compare every output with the committed `dvc.lock`.

The clone lies in a temporary folder with its own DVC cache and MLflow store, which is deleted at the end. The rebuild
stops at the first stage with other bytes, because later stages inherit them.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from darkroom.base import git, paths, processor
from darkroom.base.errors import UserError
from darkroom.base.words import listed
from darkroom.config import entry_files
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params, load
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import differences, dvc_lock, locked_packages
from darkroom.tools.dvc_lock import LOCK, Stage
from darkroom.tools.locked_packages import REQUIREMENTS

STARTS = re.compile(r"Running stage '([^']+)':")  # what DVC prints before it runs a stage
LISTED = 5  # files that are listed of an output
PATIENCE = 10  # seconds that a stage gets to end when it is told to


def run() -> bool:
    """Verify the checked-out commit; return whether every output has the bytes that its dvc.lock records.

    Raises UserError outside of Git, without a committed dvc.lock, and where a stage fails in the clone.
    """
    commit, top, below = (git.output("rev-parse", what) for what in ("HEAD", "--show-toplevel", "--show-prefix"))
    changed = git.output("status", "--porcelain", "--untracked-files=all", "--", ".").splitlines()
    if changed:
        print(f"warning: the commit is verified, without what is not committed here: {listed(_names(changed))}")
    # A Git hook sets these variables: with them, commands for the clone would act on this repository.
    for name in git.output("rev-parse", "--local-env-vars").splitlines():
        os.environ.pop(name, None)
    # `timeout` and job schedulers send SIGTERM: it must clean up like Ctrl+C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    with TemporaryDirectory(prefix="darkroom-verify-") as folder:
        # 1. Clone the commit, two folders down, so that relative paths that begin with ../ stay inside `folder`.
        clone = Path(folder, "of", "commit")
        git.output("clone", "--quiet", "--shared", "--no-checkout", top, str(clone))
        git.output("-C", str(clone), "checkout", "--quiet", "--detach", commit)
        root = clone / below
        (root / ".dvc" / "config.local").write_text("[cache]\n    dir = cache\n[core]\n    site_cache_dir = tmp/site\n")
        recorded = dvc_lock.recorded_stages(root, commit)
        # 2. Bring the archive, if its source is not on this machine.
        settings, entry = load(root / paths.PARAMS, root / paths.DATASETS)
        cache = _cache()
        taken = take_archive(root, recorded, settings, entry, cache)
        names = [name for name in recorded if name not in taken]
        print(f"rebuilding {len(names)} stages of commit {commit[:7]} in {folder}, which is deleted at the end")
        # 3. Rebuild stage by stage, up to the first one with other bytes.
        same, stale = 0, []
        for name in _rebuild(root, recorded, taken):
            names.remove(name)
            was, now = recorded[name], read_yaml(root / LOCK)["stages"][name]
            differing = dvc_lock.differing_outputs(was, now)
            why = dvc_lock.changed_inputs(was, now)
            if differing:
                print(f"{name} is the first stage with other bytes: {len(differing)} of its {len(was['outs'])} outputs")
                for line in by_how_much(root, differing, was, now, cache):
                    print(f"  {line}")
                print("what may be the reason:")
                for line in [*why, *likely_causes(now, settings, changed)]:
                    print(f"  {line}")
                return False
            same += len(was["outs"])
            stale += [name] if why else []
    if names:
        raise UserError(f"DVC left out {listed(names)}: nothing is known of their outputs")
    if stale:
        print(f"warning: dvc.lock is older than what {listed(stale)} read: `dvc repro`, then commit dvc.lock")
    print(
        f"{same} outputs of {len(recorded) - len(taken)} stages: the same bytes as in dvc.lock of commit {commit[:7]}, "
        f"{time.monotonic() - started:.0f} s, {processor.name()}, {_mode(settings)}"
    )
    return True


def take_archive(root: Path, recorded: dict[str, Stage], settings: Params, entry: Entry, cache: Path) -> list[str]:
    """Bring the archive into the clone if its source is not on this machine; return the stages that need not run.

    A source on this machine is read again. An archive that would be downloaded, or is gone, comes from the DVC cache,
    if that has it with the recorded hash; else the stage `fetch` runs, and says what is wrong with its source.
    """
    # 1. The source is on this machine: make a relative path valid in the clone.
    wanted = entry_files.EntrySource.of(settings, entry)
    here = [Path(source) for source in wanted.files if Path(source).expanduser().exists()]
    if wanted.source == "bundled":
        return []
    if here and len(here) == len(wanted.files):
        for source in here:
            there = root / source
            if not source.expanduser().is_absolute() and not there.exists():
                if not Path(os.path.normpath(there)).is_relative_to(root.parents[1]):
                    raise UserError(
                        f"{source} leads too far up for a clone elsewhere: name the archive by an absolute path"
                    )
                there.parent.mkdir(parents=True, exist_ok=True)
                there.symlink_to(source.absolute())
        return []
    # 2. It is not: copy the archive from the cache.
    producers = {path: name for name, stage in recorded.items() for path in dvc_lock.outputs(stage)}
    of_entry, fetch = producers[paths.ENTRY_SOURCE.as_posix()], producers[paths.RAW.as_posix()]
    entry_files.write(settings, entry, root)
    if dvc_lock.differing_files(root, recorded[of_entry]):
        return []
    files = dvc_lock.files_of(cache, dvc_lock.outputs(recorded[fetch])[paths.RAW.as_posix()])
    if files is None or not all(dvc_lock.object_of(cache, digest).is_file() for digest in files.values()):
        return []
    for name, digest in files.items():
        (root / paths.RAW / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(dvc_lock.object_of(cache, digest), root / paths.RAW / name)
    print(f"{paths.RAW} is not fetched anew: the DVC cache holds it with the recorded hash")
    return [of_entry, fetch]


def _rebuild(root: Path, recorded: dict[str, Stage], taken: list[str]) -> Iterator[str]:
    """Run all stages in the clone except those in `taken`; yield the name of each one after it has succeeded.

    The user sees the stages' standard error, with their progress bars. Raises UserError where a stage fails.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    # Unbuffered, so that DVC's line on a stage arrives when it starts.
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    given = {path for name in taken for path in dvc_lock.outputs(recorded[name])}
    targets = [
        name
        for name, stage in recorded.items()
        if name not in taken and any(dvc_lock.is_within(item["path"], given) for item in stage["deps"])
    ]
    command = [sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache"]
    command += ["--downstream", *targets] if taken else []
    process = subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True, errors="replace", start_new_session=True
    )
    assert process.stdout is not None
    running, number = "", 0
    try:
        for line in process.stdout:
            if found := STARTS.match(line):
                if running:
                    yield running
                running, number = found[1], number + 1
                print(f"{number:>2} of {len(recorded) - len(taken)}  {running}", flush=True)
        if process.wait():
            raise UserError(
                f"{f'stage {running}' if running else 'DVC'} fails in the clone, as said above: mend it, commit, and "
                "verify again"
            )
        yield running
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End DVC and the stage that it runs, before their folder is deleted."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(subprocess.TimeoutExpired, ProcessLookupError):
            if process.poll() is None:
                os.killpg(process.pid, number)
                process.wait(PATIENCE)


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
            old = cached if cached.is_file() else _from_commit(root, path)
            yield f"{path}: {differences.between(old, root / path)}" if old else f"{path}: no copy of what it was"
        if len(files) > LISTED:
            yield f"and {len(files) - LISTED} more in {output}"


def _from_commit(root: Path, path: Path) -> Path | None:
    """A copy of the file as committed, before the stage wrote it; None where Git does not have it."""
    answer = subprocess.run(["git", "show", f"HEAD:./{path.as_posix()}"], cwd=root, capture_output=True, check=False)
    copy = root / ".dvc" / "tmp" / f"was{path.suffix}"
    copy.write_bytes(answer.stdout)
    return None if answer.returncode else copy


def likely_causes(stage: Stage, settings: Params, changed: list[str]) -> Iterator[str]:
    """Sentences on why equal inputs may have given other bytes here."""
    involved = [*dvc_lock.outputs(stage), *(item["path"] for item in stage.get("deps", []))]
    if dvc_lock.is_within(paths.WEIGHTS.as_posix(), involved):
        if not settings.train.portable:
            yield (
                "train.portable is false: bits are equal only on equal processors with equal numbers of threads and "
                "equal precision (docs/parameters.md)"
            )
        elif not processor.can_be_portable():
            yield f"portable mode is for x86-64 processors with AVX2, and {processor.name()} is none"
    _, amiss = locked_packages.differing(REQUIREMENTS) if REQUIREMENTS.is_file() else (0, [])
    if amiss:
        yield f"packages are not those of {REQUIREMENTS}: {listed(map(str, amiss))}; `make setup` installs them"
    if changed:
        yield f"{LOCK} was written with changes that are not committed: {listed(_names(changed))}"
    yield f"another processor wrote {LOCK}: this one is {processor.name()}"


def _mode(settings: Params) -> str:
    return "portable mode" if settings.train.portable else "not in portable mode"


def _names(changed: Iterable[str]) -> list[str]:
    """The paths in lines of `git status --porcelain`."""
    return [line[3:] for line in changed]


def _cache() -> Path:
    """The folder of DVC's cache, as configured here. Raises UserError outside a DVC repository."""
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    answer = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if answer.returncode:
        raise UserError("`dvc cache dir` fails: run this at the root of the repository")
    return Path(answer.stdout.rstrip("\n"))
