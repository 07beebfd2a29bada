"""The doctor's checks of this machine and its user: Python, packages, processor, GPU, disk, Kaggle's token."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from darkroom.base import paths, processor
from darkroom.base.errors import UserError
from darkroom.base.words import listed, size
from darkroom.config.catalogue import Entry
from darkroom.config.entry_files import EntrySource
from darkroom.config.params import Params
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import locked_packages
from darkroom.tools.dvc_lock import LOCK
from darkroom.tools.finding import Finding, State, state_of
from darkroom.tools.locked_packages import REQUIREMENTS

PYTHON = (3, 11)  # the oldest version that Darkroom supports
MEMORY = 2 * 2**30  # bytes of free memory; the stages after a training of MNIST take about as much
ROOM = 2**30  # bytes of disk that should stay free beside the data


def python() -> Finding:
    """Whether Python is new enough."""
    text = f"{'.'.join(map(str, sys.version_info[:3]))}, {sys.executable}"
    if sys.version_info[:2] < PYTHON:
        return Finding("problem", "python", f"{text}: Darkroom needs 3.11 or later")
    return Finding("ok", "python", text)


def packages() -> Finding:
    """Whether the installed packages are those of the lock."""
    try:
        named, amiss = locked_packages.differing(REQUIREMENTS)
    except UserError as error:
        return Finding("problem", "packages", str(error))
    if not amiss:
        return Finding("ok", "packages", f"{named} as in {REQUIREMENTS}")
    missing = any(package.installed is None for package in amiss)
    text = f"{len(amiss)} of {named} are not as in {REQUIREMENTS}: {listed(map(str, amiss))}; `make setup` mends it"
    return Finding("problem" if missing else "warning", "packages", text)


def hardware() -> Finding:
    """Processor, granted cores and free memory."""
    memory, seen, granted = psutil.virtual_memory(), processor.cores(), processor.granted_cores()
    text = (
        f"{processor.name()}, {seen} cores, {memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GB free, "
        f"portable mode {'possible' if processor.can_be_portable() else 'impossible (it needs x86-64 with AVX2)'}"
    )
    if granted < seen:
        return Finding(
            "warning", "machine", f"{text}; the container grants {granted:g} of the cores: set train.threads to that"
        )
    if memory.available < MEMORY:
        return Finding("warning", "machine", f"{text}; under {MEMORY / 2**30:g} GB is little")
    return Finding("ok", "machine", text)


def gpu(settings: Params | None, state: str, text: str) -> Finding:
    """Whether PyTorch sees the GPUs that the driver lists; `state` and `text` are the answer of the probe `pytorch`."""
    if state != "none":
        return Finding(state_of(state), "pytorch", text)
    gpus = _driver()
    if gpus:
        return Finding(
            "problem",
            "pytorch",
            f"{text}, sees no GPU, but the driver lists {gpus}: "
            + ("`make setup` without TORCH_BACKEND=cpu" if "CPU" in text else "update the driver for this CUDA"),
        )
    wanted = settings.train.device if settings is not None else "auto"
    if wanted.startswith("cuda"):
        return Finding("problem", "pytorch", f"{text}, sees no GPU, but train.device is {wanted}: set it to auto")
    return Finding("ok", "pytorch", f"{text}; there is no GPU, so the CPU trains")


def _driver() -> str:
    """GPUs, driver version and memory from nvidia-smi; empty where there is none."""
    if shutil.which("nvidia-smi") is None:
        return ""
    command = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=2, check=False)
    except subprocess.TimeoutExpired:
        return ""
    return "; ".join(answer.stdout.strip().splitlines()) if answer.returncode == 0 else ""


def disk(settings: Params, entry: Entry) -> Iterator[Finding]:
    """Whether the disk has room for a run, here and in the temporary folder."""
    try:
        need, known_from = _need(settings, entry)
    except (UserError, LookupError, TypeError, AttributeError):
        need, known_from = 0, "how much a run takes is not known"
        yield Finding("problem", str(LOCK), f"it is cut short or damaged: git checkout {LOCK}")
    for name, folder in (("disk", Path()), ("temporary", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(folder).free
        where = "here" if name == "disk" else f"in {folder}, where `python -m darkroom verify` works"
        text = f"{size(free)} free {where}; " + (f"a run takes {size(need)} {known_from}" if need else known_from)
        state: State = "ok" if free >= need + ROOM else "warning" if free >= need or name != "disk" else "problem"
        yield Finding(state, name, text if state == "ok" else f"{text}: free some")


def _need(settings: Params, entry: Entry) -> tuple[int, str]:
    """The bytes of all outputs of a run, and where that number comes from."""
    if LOCK.is_file():
        stages = read_yaml(LOCK)["stages"].values()
        total = sum(item["size"] for stage in stages for item in stage["outs"])
        recorded = {stage["params"][paths.PARAMS.name].get("dataset") for stage in stages if "params" in stage}
        if recorded == {settings.dataset} | (recorded & {None}):
            return total, "as the last one"
    sources = [Path(one).expanduser() for one in EntrySource.of(settings, entry).files]
    if sources and all(source.is_file() for source in sources):
        return 2 * sum(source.stat().st_size for source in sources), "at least, twice the archive"
    return 0, "how much this data set takes is known after its first run"


def kaggle(settings: Params, entry: Entry) -> Finding:
    """Whether Kaggle's client will find a token, which is never shown."""
    needed = EntrySource.of(settings, entry).source in ("kaggle", "competition")
    # In containers the home folder may be unknown or another user's: it then holds no token, which is no error.
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
