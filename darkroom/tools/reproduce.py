"""Make a recorded run again in a fresh clone, and compare every output with the hash that the run recorded.

Unlike `verify`, it goes on after an output with other bytes, and says of each one whether it is the same.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from darkroom.base import git, paths, processor
from darkroom.base.errors import UserError
from darkroom.base.files import read_json
from darkroom.base.words import counted, listed
from darkroom.config.params import Params, load
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import dvc_lock, fresh_clone, output_differences
from darkroom.tools.dvc_lock import LOCK, Stage
from darkroom.tools.recorded_run import WRITTEN, RecordedRun
from darkroom.tracking import provenance

MACHINE = {"processor": "processor", "machine": "architecture", "cores": "cores", "python": "Python"}
LISTED = 8  # packages, or outputs of a stage, that are named


def run(record: RecordedRun, keep: bool = False) -> bool:
    """Make the run again; return whether every output has the recorded bytes. With `keep`, the clone stays.

    Raises UserError where this clone lacks the commit or a change, and where a stage fails.
    """
    commit, started = record.state["commit"], time.monotonic()
    _check_commit(record)
    _introduce(record)
    other = list(other_machine(record.folder))
    for line in other or ["packages and processor are those of the record"]:
        print(line)
    with fresh_clone.cloned(commit, "reproduce", keep) as root:
        # 1. The files of the run.
        lay_out(record, root)
        settings, entry = load(root / paths.PARAMS, root / paths.DATASETS)
        # 2. The archive, if its source is not on this machine.
        cache = fresh_clone.cache()
        taken = fresh_clone.take_archive(root, record.stages, settings, entry, cache)
        left = [name for name in record.stages if name not in taken]
        print(f"making {len(left)} stages again in {root}, which {'is kept' if keep else 'is deleted at the end'}")
        # 3. Stage by stage.
        same, differing = 0, 0
        reasons: list[str] = []
        for name in fresh_clone.rebuild(root, record.stages, taken, f": it ran in {record.title}"):
            left.remove(name)
            was, now = record.stages[name], read_yaml(root / LOCK)["stages"][name]
            others = compared(root, was, now, cache)
            same, differing = same + len(was["outs"]) - len(others), differing + len(others)
            if others and not reasons:  # later stages inherit what differs in the first one
                inputs = dvc_lock.changed_inputs(was, now) if "deps" in was else []
                reasons = [f"stage {name} is the first that differs", *inputs]
                reasons += output_differences.by_its_mode(now, settings)
    if left:
        raise UserError(f"DVC left out {listed(left)}: nothing is known of their outputs")
    return _conclude(
        record, (same, differing), [*reasons, *other], f"{time.monotonic() - started:.0f} s, {_here(settings)}"
    )


def _check_commit(record: RecordedRun) -> None:
    commit, address = record.state["commit"], record.state.get("repository")
    if not git.output_if_any("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}"):
        known = f"the run names {address} as its repository" if address else "the run names no repository"
        raise UserError(
            f"commit {commit[:7]} of {record.title} is not in this clone: `git fetch --all` brings it if it was pushed "
            f"({known})"
        )


def _introduce(record: RecordedRun) -> None:
    """Say what the run was, and what of it is not recorded."""
    state = record.state
    title = f", experiment {state['experiment']}" if "experiment" in state else ""
    print(f"{record.title}: commit {state['commit'][:7]}{title}, {counted(state['changed'], 'changed file')}")
    if state["masked"]:
        print(f"warning: addresses in {listed(state['masked'])} are recorded without user and password")
    graph = read_yaml(record.folder / paths.GRAPH.name)["stages"]
    if unknown := [name for name in graph if name not in record.stages]:
        print(f"warning: the run recorded no hash of {listed(unknown)}, which is not compared")


def lay_out(record: RecordedRun, root: Path) -> None:
    """Put the changes and the parameters of the run into the clone.

    What was too large for the record comes from the commit that DVC made of the experiment, if this clone has it.
    Raises UserError where it has not, and where the changes do not fit.
    """
    # 1. The changes; --index, for a stage refuses files of own/ that Git does not track.
    diff = (record.folder / "changes.diff").resolve()
    if b"\ndiff --git " in diff.read_bytes():
        below = git.output("-C", str(root), "rev-parse", "--show-prefix")
        but = [f"--exclude={below}{name}" for name in WRITTEN]
        command = ["git", "apply", "--index", "--whitespace=nowarn", *but, str(diff)]
        answer = subprocess.run(command, cwd=root, capture_output=True, text=True, errors="replace", check=False)
        if answer.returncode:
            reason = (answer.stderr.strip().splitlines() or ["it says nothing"])[0].removeprefix("error: ")
            raise UserError(f"the recorded changes do not fit commit {record.state['commit'][:7]} ({reason})")
    # 2. What is not among them.
    if too_large := record.state["left_out"]:
        reference = record.state.get("experiment_ref", "")
        revision = git.output_if_any("rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}") if reference else ""
        if not _taken_from(revision, too_large, root):
            pull = f": `dvc exp pull origin {record.state['experiment']}` may bring them" if reference else ""
            raise UserError(f"the record of {record.title} leaves out {listed(too_large)}, too large for it{pull}")
    # 3. The files that people write, as they were.
    for name in WRITTEN:
        shutil.copyfile(record.folder / name, root / name)


def _taken_from(revision: str, files: list[str], root: Path) -> bool:
    """Whether the commit of an experiment holds these files, which then lie in the clone."""
    command = ["git", "checkout", "--quiet", revision, "--", *files]
    return bool(revision) and subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0


def compared(root: Path, was: Stage, now: Stage, cache: Path) -> list[str]:
    """The recorded outputs that have other bytes now; print a line for those with the same, and one for each other."""
    known = dvc_lock.outputs(was)
    others = [path for path in dvc_lock.differing_outputs(was, now) if path in known]
    if same := [path for path in known if path not in others]:
        print(f"    the same bytes: {listed(same, LISTED)}")
    for line in output_differences.by_how_much(root, others, was, now, cache):
        print(f"    other bytes: {line}")
    return others


def other_machine(folder: Path) -> Iterator[str]:
    """A line for each thing in which this machine is not that of the record."""
    # 1. The packages.
    there, here = (_versions(text) for text in ((folder / "packages.txt").read_text("utf-8"), provenance.packages()))
    names = sorted(name for name in {**there, **here} if there.get(name) != here.get(name))
    if names:
        each = [f"{name} {here.get(name, 'missing')} (the run had {there.get(name, 'none')})" for name in names]
        yield f"packages differ from the record: {listed(each, LISTED)}"
    # 2. The machine.
    recorded, now = read_json(folder / "machine.json"), provenance.this_machine()
    each = [
        f"{words} {now[key]} (the run had {recorded.get(key)})"
        for key, words in MACHINE.items()
        if recorded.get(key) != now[key]
    ]
    if each:
        yield f"the machine differs from that of the record: {listed(each)}"
    if recorded.get("gpu"):
        yield f"the run trained on {recorded['gpu']}: another device gives other bits"


def _versions(text: str) -> dict[str, str]:
    """The version of each package in the recorded list."""
    pairs = (line.partition("==") for line in text.splitlines() if not line.startswith("#"))
    return {name: version for name, _, version in pairs}


def _here(settings: Params) -> str:
    return f"{processor.name()}, {output_differences.mode(settings)}"


def _conclude(record: RecordedRun, counts: tuple[int, int], reasons: list[str], how: str) -> bool:
    same, differing = counts
    if not differing:
        print(f"reproduced: {same} outputs have the same bytes as in {record.title}, {how}")
        return True
    print("what may be the reason:")
    for line in reasons:
        print(f"  {line}")
    print(f"not reproduced: {differing} of {same + differing} outputs have other bytes than in {record.title}, {how}")
    return False
