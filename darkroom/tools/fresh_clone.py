"""A clone of one commit in a temporary folder, in which DVC runs the pipeline from its first stage.

The clone has its own DVC cache, and nothing of it is recorded in MLflow.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

from darkroom.base import git, paths
from darkroom.base.errors import UserError
from darkroom.config import entry_files
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params
from darkroom.tools import dvc_lock
from darkroom.tools.dvc_lock import Stage
from darkroom.tracking import store

STARTS = re.compile(r"Running stage '([^']+)':")  # what DVC prints before it runs a stage
PATIENCE = 10  # seconds that a stage gets to end when it is told to


@contextmanager
def cloned(commit: str, purpose: str, keep: bool = False) -> Iterator[Path]:
    """Clone the repository of the working folder at a commit; yield the folder of the project in the clone.

    It lies in a temporary folder with `purpose` in its name, which is deleted at the end unless `keep`. Raises
    UserError outside of Git.
    """
    top, below = (git.output("rev-parse", what) for what in ("--show-toplevel", "--show-prefix"))
    # A Git hook sets these variables: with them, commands for the clone would act on this repository.
    for name in git.output("rev-parse", "--local-env-vars").splitlines():
        os.environ.pop(name, None)
    # `timeout` and job schedulers send SIGTERM: it must clean up like Ctrl+C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    prefix = f"darkroom-{purpose}-"
    with nullcontext(mkdtemp(prefix=prefix)) if keep else TemporaryDirectory(prefix=prefix) as folder:
        # Two folders down, so that relative paths that begin with ../ stay inside `folder`.
        clone = Path(folder, "of", "commit")
        git.output("clone", "--quiet", "--shared", "--no-checkout", top, str(clone))
        git.output("-C", str(clone), "checkout", "--quiet", "--detach", commit)
        root = clone / below
        (root / ".dvc" / "config.local").write_text("[cache]\n    dir = cache\n[core]\n    site_cache_dir = tmp/site\n")
        # Pretrained weights lie there by their hashes, so that none are fetched a second time.
        if (fetched := paths.root() / ".pretrained").is_dir():
            (root / fetched.name).symlink_to(fetched)
        yield root


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
    of_entry, fetch = (producers.get(path.as_posix()) for path in (paths.ENTRY_SOURCE, paths.RAW))
    if of_entry is None or fetch is None:
        return []
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


def rebuild(root: Path, recorded: dict[str, Stage], taken: list[str], advice: str) -> Iterator[str]:
    """Run the recorded stages in the clone except those in `taken`; yield the name of each after it has succeeded.

    The user sees the stages' standard error, with their progress bars. Raises UserError with `advice` where a stage
    fails.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "MLFLOW_"))}
    environment[store.SWITCH] = "off"
    # Unbuffered, so that DVC's line on a stage arrives when it starts.
    environment |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    given = {path for name in taken for path in dvc_lock.outputs(recorded[name])}
    targets = [
        name
        for name, stage in recorded.items()
        if name not in taken and any(dvc_lock.is_within(item["path"], given) for item in stage.get("deps", []))
    ]
    command = [sys.executable, "-m", "dvc", "repro", "--force", "--no-run-cache"]
    command += ["--downstream", *targets] if taken else recorded
    process = subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, text=True, errors="replace", start_new_session=True
    )
    assert process.stdout is not None
    running, left = "", [name for name in recorded if name not in taken]
    count = len(left)
    try:
        for line in process.stdout:
            if found := STARTS.match(line):
                if running in left:
                    left.remove(running)
                    yield running
                if not left:
                    return  # nothing is recorded of what follows
                running = found[1]
                print(f"{count - len(left) + 1:>2} of {count}  {running}", flush=True)
        if process.wait():
            raise UserError(f"{f'stage {running}' if running else 'DVC'} fails in the clone, as said above{advice}")
        if running in left:
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


def cache() -> Path:
    """The folder of DVC's cache, as configured here. Raises UserError outside a DVC repository."""
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    answer = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if answer.returncode:
        raise UserError("`dvc cache dir` fails: run this at the root of the repository")
    return Path(answer.stdout.rstrip("\n"))
