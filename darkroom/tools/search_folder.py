"""The folder in which a search trains: a clone at the search's commit, whose stages DVC runs in one warm process.

The user's own files stay as they are, and may change meanwhile. The clone shares objects with the repository, and
DVC's cache, checkpoints and MLflow's store with the project. DVC itself decides which stages run, and records them:
only the command of a stage is not started anew, but runs in a fork of a process that has imported everything.
"""

import contextlib
import io
import logging
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from darkroom.base import git, paths
from darkroom.base.errors import UserError
from darkroom.base.files import remove, replacing, write_text
from darkroom.config.yaml_files import dump, read_yaml
from darkroom.tools.dvc_lock import LOCK
from darkroom.tools.search_file import set_value

FOLDERS = Path(".dvc/tmp/search")
MOST = 64  # processes of one repository that search at a time
NO_LOCK: dict[str, Any] = {"schema": "2.0", "stages": {}}
CODE = ("darkroom", "stages", *map(str, (paths.OWN, paths.GRAPH, paths.DATASETS, paths.CORRECTIONS)))

RunStage = Callable[[str], object]


def check_committed() -> str:
    """The commit of the code. Raises UserError where files that decide a training differ from it."""
    changed = git.output("status", "--porcelain", "--untracked-files=all", "--", *CODE).splitlines()
    if changed:
        raise UserError(
            f"{changed[0][3:]} is not committed: the trials of a search run one commit, so that each can be made "
            "again; commit it first (params.yaml may differ)"
        )
    return git.output("rev-parse", "HEAD")


class Folder:
    """A working folder of one search process, at `commit`, with `params`, the text of params.yaml without a trial."""

    def __init__(self, commit: str, params: str) -> None:
        self._commit, self._params = commit, params
        self._lock, self.top = _free()
        self.root = self.top / git.output("rev-parse", "--show-prefix")
        self.log = self.top.with_suffix(".log")
        self._refs = f"refs/exps/{commit[:2]}/{commit[2:]}"
        self._git_dir = Path(git.output("rev-parse", "--absolute-git-dir"))
        self._before: list[str] = []  # the stages that lead to `train`
        self._begun = ""  # dvc.lock before any trial
        self._later: list[str] = []

    def prepare(self) -> None:
        """Clone, bring the data into the folder, and note which stages lead to `train`. Raises UserError."""
        if not (self.top / ".git").is_dir():
            with replacing(self.top) as partial:
                git.output("clone", "--quiet", "--no-checkout", "--shared", str(Path.cwd()), str(partial))
        for left in (self.top / ".git").glob("*.lock"):  # of a process that was killed here
            remove(left)
        if not git.output_if_any("cat-file", "-t", self._commit):
            raise UserError(f"the search began with commit {self._commit[:7]}, which is not here: git fetch it")
        _run_git("-C", str(self.top), "checkout", "--quiet", "--force", "--detach", self._commit)
        _run_git("-C", str(self.top), "read-tree", f"--index-output={self.top / '.git' / 'trial'}", self._commit)
        with self._dvc(Path.cwd()) as repo:
            cache = repo.cache.local_cache_dir
        with self._dvc(self.root) as repo, repo.config.edit("local") as config:
            config.setdefault("cache", {})["dir"] = cache
        # The locked state of the user's folder knows what is in the cache, perhaps of another data set.
        if LOCK.is_file():
            write_text(self.root / LOCK, LOCK.read_text(encoding="utf-8"))
        write_text(self.root / paths.PARAMS, self._params)
        with self._dvc(self.root) as repo:
            (train,) = repo.stage.collect("train")
            self._before = [stage.addressing for stage in repo.stage.collect("train", with_deps=True) if stage != train]
            upstream = {stage: repo.stage.collect(stage.addressing, with_deps=True) for stage in repo.index.stages}
            later = [stage for stage in upstream if train in upstream[stage] and stage != train]
            self._later = [out.def_path for stage in later for out in stage.outs if not out.use_cache]
            repo.checkout(["train"], with_deps=True, force=True, allow_missing=True)

    def make_data(self, run_stage: RunStage) -> None:
        """Let DVC run what `train` depends on and is not there yet."""
        self._begun = self._lock_text()
        self.begin({})
        self._reproduce(self._before, run_stage)
        self._begun = self._lock_text()

    def begin(self, values: Mapping[str, Any], of: str = "") -> None:
        """Put the parameters of a trial in place, and the files of the experiment `of`, if it is named and known.

        No figures of later stages are there, for those would be of another training.
        """
        for path in self._later:
            remove(self.root / path)
        if of and (revision := self.revision(of)):
            _run_git("-C", str(self.top), "checkout", "--quiet", "--force", revision, "--", ".")
            with self._dvc(self.root) as repo:
                repo.checkout(["train"], with_deps=True, force=True, allow_missing=True)
            self._write_params(values)
            return
        write_text(self.root / LOCK, self._begun)
        self._write_params(values)

    def reproduce(self, target: str, run_stage: RunStage) -> None:
        """Let DVC bring `target` up to date; `run_stage` runs a stage whose turn it is. Raises what that raises."""
        if target == "train":  # a trial changes nothing before these two
            self._reproduce(["pretrained", "train"], run_stage, single_item=True)
        else:
            self._reproduce([target], run_stage)

    def revision(self, name: str) -> str:
        """The revision of the experiment of this name in the user's repository; empty where there is none."""
        return git.output_if_any("rev-parse", "--verify", "--quiet", f"{self._refs}/{name}")

    def save(self, name: str) -> str:
        """Keep the state of the folder as the DVC experiment `name` of the user's repository; return its revision.

        DVC's own command does the same in 2.5 CPU seconds, for it locks all once more.
        """
        own = {
            "GIT_DIR": str(self._git_dir),
            "GIT_WORK_TREE": str(self.top),
            "GIT_INDEX_FILE": str(self.top / ".git" / "trial"),
        }
        with self._dvc(self.root) as repo:
            locked = read_yaml(self.root / LOCK)["stages"]
            outs = [
                out.fs_path for stage in repo.index.stages if stage.addressing in locked for out in stage.outs
                if not out.use_cache and Path(out.fs_path).exists()
            ]  # fmt: skip
        files = [str(self.root / LOCK), str(self.root / paths.PARAMS), *outs]
        _run_git("-C", str(self.top), "add", "--update", "--", ".", **own)
        _run_git("-C", str(self.top), "add", "--force", "--", *files, **own)
        tree = _run_git("-C", str(self.top), "write-tree", **own)
        message = f"dvc: commit experiment {name}"
        revision = _run_git("-C", str(self.top), "commit-tree", tree, "-p", self._commit, "-m", message, **own)
        git.output("update-ref", f"{self._refs}/{name}", revision)
        return revision

    def release(self) -> None:
        """Let another process have the folder."""
        self._lock.release()

    def _write_params(self, values: Mapping[str, Any]) -> None:
        """params.yaml as `dvc exp run -S` would leave it."""
        from dvc.utils.serialize import modify_yaml

        write_text(self.root / paths.PARAMS, self._params)
        with modify_yaml(str(self.root / paths.PARAMS)) as content:
            for key, value in values.items():
                set_value(content, key, value)

    def _lock_text(self) -> str:
        lock = self.root / LOCK
        return lock.read_text(encoding="utf-8") if lock.is_file() else dump(NO_LOCK)

    def _reproduce(self, targets: Sequence[str], run_stage: RunStage, **options: Any) -> None:
        import dvc.stage.run

        # Of a process that was killed here; the lock of this folder says that no other is at work.
        remove(self.root / ".dvc" / "tmp" / "rwlock")
        failed: list[BaseException] = []

        def run(stage: Any, dry: bool = False, run_env: Any = None) -> None:
            try:
                run_stage(stage.addressing)
            except BaseException as error:
                failed.append(error)
                raise

        theirs, dvc.stage.run.cmd_run = dvc.stage.run.cmd_run, run
        try:
            with self._dvc(self.root) as repo:
                repo.reproduce(list(targets), **options)
        except Exception as error:
            if failed:
                raise failed[0] from None
            raise UserError(f"DVC cannot run {targets[-1]} in {self.root}: {_causes(error)}") from None
        finally:
            dvc.stage.run.cmd_run = theirs

    @contextlib.contextmanager
    def _dvc(self, folder: Path) -> Iterator[Any]:
        """DVC's repository at `folder`, as the working folder; it prints into the log of the search."""
        os.environ.setdefault("DVC_NO_ANALYTICS", "1")
        from dvc.repo import Repo

        for name in ("dvc", "dvc_data", "dvc_objects"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
            repo = Repo(str(folder))
            try:
                yield repo
            finally:
                repo.close()


def _free() -> tuple[FileLock, Path]:
    """The first folder in which no process works, and its lock, which is held until this process ends."""
    FOLDERS.mkdir(parents=True, exist_ok=True)
    for number in range(MOST):
        place = FOLDERS.absolute() / f"work-{number}"
        lock = FileLock(place.with_suffix(".lock"))
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=0)
            return lock, place
    raise UserError(f"{MOST} processes search in this repository: wait for one to end")


def _run_git(*arguments: str, **environment: str) -> str:
    """What a Git command prints, with these variables. Raises UserError if it fails."""
    answer = subprocess.run(
        ["git", *arguments], capture_output=True, text=True, errors="replace", check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    if answer.returncode:
        raise UserError(f"git {arguments[2]} fails in a search: {answer.stderr.strip().splitlines()[-1:]}")
    return answer.stdout.strip()


def _causes(error: BaseException) -> str:
    told = []
    cause: BaseException | None = error
    while cause is not None:
        told.append(str(cause).splitlines()[0] if str(cause) else type(cause).__name__)
        cause = cause.__cause__
    return ": ".join(told)
