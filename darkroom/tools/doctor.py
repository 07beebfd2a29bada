"""Is everything in order? A line for each thing that a run needs of this machine and this repository.

What takes long or may not answer is asked by `darkroom.tools.probes` meanwhile, and given up after `LIMIT` seconds.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from darkroom.base import paths
from darkroom.base.console import done
from darkroom.base.errors import UserError, without_password
from darkroom.base.torch_setup import cores
from darkroom.config import own_code
from darkroom.config.augmentations import own_functions
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params, load
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import machine
from darkroom.tracking import store

LIMIT = 8.0  # seconds for all probes, from the start
PYTHON = (3, 11)
LOCK, REQUIREMENTS, DVC = Path("dvc.lock"), Path("requirements.txt"), Path(".dvc")
LISTED = 4  # names in a line
MEMORY = 2 * 2**30  # bytes; the stages after a training of MNIST take about as much
ROOM = 2**30  # bytes of disk beyond what the data need

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One line: how it stands, what was looked at, what was found and what to do."""

    state: State
    name: str
    text: str

    def __str__(self) -> str:
        return f"{self.state:<7}  {self.name:<11}  {self.text}"


class Probe:
    """A probe at work in a process of its own."""

    def __init__(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "darkroom.tools.probes", name, *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answer(self, until: float) -> tuple[str, str]:
        """State and text; a warning where none has come by then (`time.monotonic`), a problem where it broke."""
        try:
            out, err = self._process.communicate(timeout=max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "warning", f"no answer within {LIMIT:g} s: run this again when the machine is less busy"
        finally:
            self.end()
        if self._process.returncode:
            return "problem", without_password((err.strip().splitlines() or ["it broke off without a word"])[-1])
        state, text = json.loads(out.splitlines()[-1])
        return state, text

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def run() -> bool:
    """Print all findings, each as soon as it is known; return whether none is a problem."""
    until = time.monotonic() + LIMIT
    probes: dict[str, Probe] = {}
    found: list[Finding] = []
    try:
        for finding in _findings(probes, until):
            print(finding, flush=True)
            found.append(finding)
    finally:
        for probe in probes.values():
            probe.end()
    problems, warnings = (
        [finding.name for finding in found if finding.state == state] for state in ("problem", "warning")
    )
    told = f"problems: {', '.join(problems) or 'none'}; warnings: {', '.join(warnings) or 'none'}"
    done(told, "mend that, then python -m darkroom doctor" if problems else "dvc repro")
    return not problems


def _findings(probes: dict[str, Probe], until: float) -> Iterator[Finding]:
    yield python()
    probes["pytorch"] = Probe("pytorch")
    settings: Params | None = None
    try:
        settings, entry = load()
    except UserError as error:
        yield Finding("problem", "parameters", str(error))
    if settings is not None and settings.tracking.enabled:
        probes["mlflow"] = Probe("mlflow", store.uri())
    yield from _remotes(probes)
    yield packages()
    yield hardware()
    if settings is not None:
        yield Finding("ok", "parameters", f"data set {settings.dataset}")
        yield from disk(settings, entry)
        yield kaggle(settings, entry)
        yield code(settings)
    yield from repository()
    yield locks()
    for name, probe in probes.items():
        state, text = probe.answer(until)
        yield gpu(settings, state, text) if name == "pytorch" else Finding(_state(state), name, text)
    if settings is not None and not settings.tracking.enabled:
        yield Finding("ok", "mlflow", "tracking.enabled is false: no run is recorded")


def _state(word: str) -> State:
    return "ok" if word == "ok" else "warning" if word == "warning" else "problem"


def python() -> Finding:
    """The interpreter's version."""
    text = f"{'.'.join(map(str, sys.version_info[:3]))}, {sys.executable}"
    if sys.version_info[:2] < PYTHON:
        return Finding("problem", "python", f"{text}: Darkroom needs 3.11 or later")
    return Finding("ok", "python", text)


def packages() -> Finding:
    """Installed packages against the lock."""
    try:
        named, amiss = machine.unlike_lock(REQUIREMENTS)
    except UserError as error:
        return Finding("problem", "packages", str(error))
    if not amiss:
        return Finding("ok", "packages", f"{named} as in {REQUIREMENTS}")
    missing = any(package.installed is None for package in amiss)
    text = f"{len(amiss)} of {named} are not as in {REQUIREMENTS}: {_listed(map(str, amiss))}; `make setup` mends it"
    return Finding("problem" if missing else "warning", "packages", text)


def hardware() -> Finding:
    """Processor, cores that are granted, memory that is free."""
    memory, seen, granted = psutil.virtual_memory(), cores(), machine.granted_cores()
    text = (
        f"{machine.processor()}, {seen} cores, {memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GB free, "
        f"portable mode {'possible' if machine.can_be_portable() else 'impossible (it needs x86-64 with AVX2)'}"
    )
    if granted < seen:
        return Finding(
            "warning", "machine", f"{text}; the container grants {granted:g} of the cores: set train.threads to that"
        )
    if memory.available < MEMORY:
        return Finding("warning", "machine", f"{text}; under {MEMORY / 2**30:g} GB is little")
    return Finding("ok", "machine", text)


def gpu(settings: Params | None, state: str, text: str) -> Finding:
    """What PyTorch said, against what the driver lists."""
    if state != "none":
        return Finding(_state(state), "pytorch", text)
    listed = _driver()
    if listed:
        return Finding(
            "problem",
            "pytorch",
            f"{text}, sees no GPU, but the driver lists {listed}: "
            + ("`make setup` without TORCH_BACKEND=cpu" if "CPU" in text else "update the driver for this CUDA"),
        )
    wanted = settings.train.device if settings is not None else "auto"
    if wanted.startswith("cuda"):
        return Finding("problem", "pytorch", f"{text}, sees no GPU, but train.device is {wanted}: set it to auto")
    return Finding("ok", "pytorch", f"{text}; there is no GPU, so the CPU trains")


def _driver() -> str:
    """GPUs, driver and memory as nvidia-smi tells; empty where there is none."""
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return "; ".join(answer.stdout.strip().splitlines()) if answer.returncode == 0 else ""


def disk(settings: Params, entry: Entry) -> Iterator[Finding]:
    """Free disk, here and in the temporary folder, against what the data set needs."""
    try:
        need, known_from = _need(settings, entry)
    except (UserError, LookupError, TypeError, AttributeError):
        need, known_from = 0, "how much a run takes is not known"
        yield Finding("problem", str(LOCK), f"it is cut short or damaged: git checkout {LOCK}")
    for name, folder in (("disk", Path()), ("temporary", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free
        where = "here" if name == "disk" else f"in {folder}, where `python -m darkroom verify` works"
        text = f"{_size(free)} free {where}; " + (f"a run takes {_size(need)} {known_from}" if need else known_from)
        state: State = "ok" if free >= need + ROOM else "warning" if free >= need or name != "disk" else "problem"
        yield Finding(state, name, text if state == "ok" else f"{text}: free some")


def _need(settings: Params, entry: Entry) -> tuple[int, str]:
    """Bytes of all outputs of a run, and how that is known."""
    if LOCK.is_file():
        stages = read_yaml(LOCK)["stages"].values()
        size = sum(item["size"] for stage in stages for item in stage["outs"])
        recorded = {stage["params"][paths.PARAMS.name].get("dataset") for stage in stages if "params" in stage}
        if recorded == {settings.dataset} | (recorded & {None}):
            return size, "as the last one"
    source = Path(settings.fetch.archive or entry.path or "").expanduser()
    if source.is_file():
        return 2 * source.stat().st_size, "at least, twice the archive"
    return 0, "how much this data set takes is known after its first run"


def kaggle(settings: Params, entry: Entry) -> Finding:
    """Whether Kaggle's client will find a token. What it is is never shown."""
    needed = entry.kaggle is not None and settings.fetch.archive is None
    # A home that is not known, or not this user's, as in many a container, holds no token, and is no error.
    users = Path(os.path.expanduser("~"))  # noqa: PTH111
    home = users / ".kaggle"
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR") or home)
    if not os.access(folder, os.F_OK):
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or users / ".config") / "kaggle"
    files = [home / "access_token", folder / "kaggle.json", home / "credentials.json"]
    found = [file for file in files if os.access(file, os.F_OK)]
    names = [name for name in ("KAGGLE_API_TOKEN", "KAGGLE_KEY") if os.environ.get(name)]
    for file in found:
        if file.stat().st_mode & 0o077:
            return Finding("warning", "kaggle", f"others on this machine can read {file}: chmod 600 {file}")
        if file.suffix == ".json" and not _is_json(file):
            return Finding("problem" if needed else "warning", "kaggle", f"{file} is not JSON: download it again")
    if names or found:
        return Finding("ok", "kaggle", f"a token in {', '.join([*names, *map(str, found)])}")
    if needed:
        return Finding(
            "warning",
            "kaggle",
            f"no token, and {settings.dataset} comes from Kaggle, which may want one: make it at "
            "https://www.kaggle.com/settings and set KAGGLE_API_TOKEN to it",
        )
    return Finding("ok", "kaggle", f"no token, and {settings.dataset} needs none")


def _is_json(file: Path) -> bool:
    try:
        return isinstance(json.loads(file.read_bytes()), dict)
    except (OSError, ValueError):
        return False


def code(settings: Params) -> Finding:
    """Files that Git does not have, so that experiments in a copy of the repository go without them."""
    changes = [*settings.augment, *(settings.evaluate.tta.changes or [])]
    functions = {*own_functions([item.model_dump(exclude_none=True) for item in changes])}
    functions |= {settings.model.name} if settings.model.own else set()
    try:
        modules = sorted({file for name in functions for file in own_code.needed(name)})
    except UserError as error:
        return Finding("problem", "code", str(error))
    named = [path for path in (*modules, settings.model.weights or "") if Path(path).is_file()]
    inside = [path for path in named if not Path(path).is_absolute()]
    missed = set(inside) - set(_git("ls-files", "-z", "--", *inside).split("\0"))
    untracked = [*filter(None, _git("ls-files", "-z", "--others", "--exclude-standard", "--", "*.py").split("\0"))]
    without = "which experiments with --temp or --queue go without"
    if missed:
        return Finding("problem", "code", f"Git does not have {_listed(missed)}, {without}: git add --force")
    if untracked:
        return Finding("warning", "code", f"Git does not have {_listed(untracked)}, {without}: git add, or remove")
    return Finding("ok", "code", "Git has every module")


def repository() -> Iterator[Finding]:
    """Git's identity, for experiments are commits, and whether the last run is committed."""
    if shutil.which("git") is None:
        yield Finding("problem", "git", "not installed: DVC and experiments need it")
        return
    if not _git("rev-parse", "HEAD"):
        yield Finding("problem", "git", "no commit here: run at the root of the repository, or git commit")
        return
    roles = {"name": _git("config", "user.name"), "email": _git("config", "user.email")}
    missing = [key for key, value in roles.items() if not (value or os.environ.get(f"GIT_AUTHOR_{key.upper()}"))]
    if missing:
        commands = ", ".join(f"git config user.{key} YOURS" for key in missing)
        yield Finding("problem", "git", f"experiments are commits, and Git does not know who you are: {commands}")
    else:
        yield Finding("ok", "git", f"commits are by {roles['name'] or os.environ['GIT_AUTHOR_NAME']}")
    if _git("status", "--porcelain", "--", str(LOCK)):
        yield Finding("warning", "dvc.lock", f"not as committed: git commit {LOCK} metrics")
    else:
        yield Finding("ok", "dvc.lock", "as committed" if LOCK.is_file() else "not there yet: `dvc repro` makes it")


def locks() -> Finding:
    """What a process that was killed, or one at work, holds of DVC and Git."""
    left = [path for path in [Path(_git("rev-parse", "--git-path", "index.lock"))] if path.is_file()]
    busy = _is_held(DVC / "tmp" / "lock")
    for file in (DVC / "tmp" / "rwlock", DVC / "tmp" / "exps" / "rwlock"):
        try:
            # DVC itself lets go of what a process held that is no more.
            alive = [*filter(psutil.pid_exists, _holders(file))]
        except (ValueError, AttributeError, KeyError, TypeError):
            left.append(file)  # half written
            continue
        busy = busy or any(map(_is_dvc, alive))
        left += [file] if alive and not any(map(_is_dvc, alive)) else []
    if left:
        text = f"{_listed(map(str, left))} is there, which stops DVC or Git: unless one is at work, remove it"
        return Finding("problem", "locks", text)
    if busy:
        return Finding("warning", "locks", "DVC is at work here: other commands wait for it or fail")
    return Finding("ok", "locks", "nothing is held")


def _holders(file: Path) -> set[int]:
    """Process ids in DVC's list of who reads and writes which file."""
    content = json.loads(file.read_bytes()) if file.is_file() else {}
    infos = [*content.get("write", {}).values(), *(info for many in content.get("read", {}).values() for info in many)]
    return {int(info["pid"]) for info in infos}


def _is_dvc(process: int) -> bool:
    try:
        return any("dvc" in part for part in psutil.Process(process).cmdline())
    except psutil.Error:
        return False


def _is_held(file: Path) -> bool:
    """Whether another process holds this file's lock, which the system takes back when it ends."""
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _remotes(probes: dict[str, Probe]) -> Iterator[Finding]:
    """Start a probe for each remote; a finding where there is none."""
    from dvc.config import Config
    from dvc.exceptions import DvcException

    try:
        config = Config(str(DVC.absolute()))
    except DvcException as error:
        yield Finding("problem", "dvc", f"its settings cannot be read ({str(error).splitlines()[0]})")
        return
    if not DVC.is_dir():
        yield Finding("problem", "dvc", "there is no .dvc here: run at the root of the repository, or dvc init")
        return
    for name in config["remote"]:
        probes[f"remote {name}"] = Probe("remote", name)
    if not config["remote"]:
        yield Finding("ok", "remote", "none, so outputs stay on this machine: dvc remote add -d store ADDRESS")
    elif not config["core"].get("remote"):
        yield Finding("warning", "remote", "none is the default: dvc remote default " + next(iter(config["remote"])))


def _git(*arguments: str) -> str:
    """What git prints; empty where it fails, or is not there."""
    if shutil.which("git") is None:
        return ""
    answer = subprocess.run(["git", *arguments], capture_output=True, text=True, errors="replace", check=False)
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(known[:LISTED]) + (f" and {len(known) - LISTED} more" if len(known) > LISTED else "")
