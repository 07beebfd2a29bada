"""What a stranger needs to make a run again: commit and changes, DVC's lock, parameters, machine and packages.

The files lie in the folder `provenance` of a run's artifacts:

- `state.json`: commit and address of the repository, DVC's experiment, and what is left out or masked below;
- `changes.diff`: for `git apply` on that commit;
- `params.yaml`, `datasets.yaml`, `dvc.yaml` as they were, and `params_used.json`, where nothing is `auto`;
- `dvc.lock`, once it speaks of the model of the run, and in `state.json` the hashes that it lacks until DVC has ended
  the stage that writes this record (`unlocked`);
- `machine.json` and `packages.txt`, of the machine that trained, or recorded a training later (`rebuilt`).
"""

import os
import platform
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from darkroom.base import git, graph, paths, processor
from darkroom.base.errors import without_password
from darkroom.base.files import md5, write_json
from darkroom.config.model_facts import ModelFacts
from darkroom.config.yaml_files import read_yaml
from darkroom.tracking import run_facts

FOLDER = "provenance"
LOCK = Path("dvc.lock")
WRITTEN = (paths.PARAMS, paths.DATASETS, paths.GRAPH)  # by people
CODE = ("darkroom", "stages", "own")  # where files that Git does not know yet can decide a result
OUTPUTS = (LOCK, "metrics", "models")  # of the pipeline, kept in Git: a rerun makes them again
MAX_FILE, MAX_DIFF = 2**18, 2**20  # bytes of one changed file, and of all changes


def write_state(folder: Path, used: Mapping[str, Any]) -> None:
    """Write to `folder` what the repository is now; `used` are the parameters as they were used."""
    # 1. The commit, and what was changed since.
    state: dict[str, Any] = {"commit": git.commit(), **run_facts.experiment()}
    state["repository"] = without_password(git.output_if_any("remote", "get-url", "origin"))
    changed, too_large = _changed_files()
    diff = _diff(changed)
    if len(diff) > MAX_DIFF:
        diff, too_large = b"", too_large + changed
    state |= {"changed": len(changed), "left_out": too_large}
    # Git passes over the first line; without it an earlier patch of the run would stay where nothing differs any more.
    (folder / "changes.diff").write_bytes(b"# what differs from the commit, for git apply\n" + diff)
    # 2. The files as people wrote them, and the parameters as they were used.
    for path in WRITTEN:
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    write_json(folder / "params_used.json", dict(used))
    # 3. DVC's lock. It is written after a stage, so that it can still be that of an earlier model.
    if lock_is_of_this_model():
        shutil.copyfile(LOCK, folder / LOCK.name)
        state["unlocked"] = _unlocked()
    # 4. No password leaves the repository.
    state["masked"] = [path.name for path in sorted(folder.iterdir()) if _mask(path)]
    write_json(folder / "state.json", state)


def write_machine(folder: Path, facts: ModelFacts) -> None:
    """Write to `folder` what this machine is, and the versions of all installed packages."""
    found: dict[str, Any] = this_machine() | {"device": facts.train.device}
    if facts.train.device.startswith("cuda"):
        import torch

        found["gpu"], found["cuda"] = torch.cuda.get_device_name(facts.train.device), torch.version.cuda
    write_json(folder / "machine.json", found)
    (folder / "packages.txt").write_text(packages(), encoding="utf-8")


def this_machine() -> dict[str, Any]:
    """What can decide a result, or explain its time: processor, cores, system and Python."""
    return {
        "processor": processor.name(),
        "cores": processor.cores(),
        "granted_cores": processor.granted_cores(),
        "machine": platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def packages() -> str:
    """The version of Python and of each installed package, a line each; no output of the pipeline holds a version."""
    # The folders' names have the versions; reading the packages' metadata would take a quarter of a second.
    folders = Path(sysconfig.get_path("purelib")).glob("*.dist-info")
    installed = sorted(("==".join(folder.stem.rsplit("-", 1)) for folder in folders), key=str.lower)
    return "\n".join([f"# Python {platform.python_version()}", *installed]) + "\n"


def _changed_files() -> tuple[list[str], list[str]]:
    """The files that differ from the commit, and are no output; and those of them too large to be recorded."""
    but = [f":(exclude){path}" for path in OUTPUTS]
    known = _git("diff", "--name-only", "--relative", "-z", "HEAD", "--", ".", *but)
    new = _git("ls-files", "--others", "--exclude-standard", "-z", "--", *CODE)
    names = [name.decode(errors="surrogateescape") for name in (known + new).split(b"\0") if name]
    large = [name for name in names if Path(name).is_file() and Path(name).stat().st_size > MAX_FILE]
    return [name for name in names if name not in large], large


def _diff(names: Sequence[str]) -> bytes:
    """The changes of these files as one patch, whose paths begin at the root of the repository."""
    if not names:
        return b""
    form = ("diff", "--binary", "--no-ext-diff", "--no-textconv", "--no-color")
    known = _git("ls-files", "-z", "--", *names) + _git("ls-tree", "-rz", "--name-only", "HEAD", "--", *names)
    old = [name for name in names if name.encode(errors="surrogateescape") in known.split(b"\0")]
    parts = [_git(*form, "--src-prefix=a/", "--dst-prefix=b/", "HEAD", "--", *old)] if old else []
    # A file that Git does not know is compared with nothing, under a name that counts from here.
    below = git.output_if_any("rev-parse", "--show-prefix")
    new = (*form, "--no-index", f"--src-prefix=a/{below}", f"--dst-prefix=b/{below}", "--", "/dev/null")
    parts += [_git(*new, name) for name in names if name not in old]
    return b"".join(parts)


def _git(*arguments: str) -> bytes:
    """What a Git command prints, as it is: a patch keeps the bytes of files of any encoding. Empty without Git."""
    if shutil.which("git") is None:
        return b""
    return subprocess.run(["git", *arguments], capture_output=True, check=False).stdout


def lock_is_of_this_model() -> bool:
    """Whether dvc.lock holds the weights that lie in models/."""
    if not LOCK.is_file() or not paths.WEIGHTS.is_file():
        return False
    outputs = read_yaml(LOCK).get("stages", {}).get("train", {}).get("outs", [])
    known = {item["path"]: item.get("md5") for item in outputs}
    return known.get(paths.WEIGHTS.as_posix()) == md5(paths.WEIGHTS)


def _unlocked() -> dict[str, Any]:
    """The stage that DVC runs now, with the md5 of each file that it has written; empty outside of DVC."""
    stage = os.environ.get("DVC_STAGE")
    if not stage:
        return {}
    _, names = graph.stages().get(stage, ([], []))
    return {"stage": stage, "outs": [{"path": name, "md5": md5(Path(name))} for name in names if Path(name).is_file()]}


def _mask(path: Path) -> bool:
    """Put `...` in place of users and passwords in addresses; whether there were any."""
    text = path.read_bytes().decode(errors="surrogateescape")
    masked = without_password(text)
    if masked != text:
        path.write_bytes(masked.encode(errors="surrogateescape"))
    return masked != text
