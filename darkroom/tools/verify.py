"""Rebuild the committed state in a fresh clone, and compare every output with the committed `dvc.lock`.

The rebuild stops at the first stage with other bytes, because later stages inherit them.
"""

import time
from collections.abc import Iterable, Iterator

from darkroom.base import git, paths, processor
from darkroom.base.errors import UserError
from darkroom.base.words import listed
from darkroom.config.params import Params, load
from darkroom.config.yaml_files import read_yaml
from darkroom.tools import dvc_lock, fresh_clone, locked_packages, output_differences
from darkroom.tools.dvc_lock import LOCK, Stage
from darkroom.tools.locked_packages import REQUIREMENTS


def run() -> bool:
    """Verify the checked-out commit; return whether every output has the bytes that its dvc.lock records.

    Raises UserError outside of Git, without a committed dvc.lock, and where a stage fails in the clone.
    """
    commit = git.output("rev-parse", "HEAD")
    changed = git.output("status", "--porcelain", "--untracked-files=all", "--", ".").splitlines()
    if changed:
        print(f"warning: the commit is verified, without what is not committed here: {listed(_names(changed))}")
    started = time.monotonic()
    with fresh_clone.cloned(commit, "verify") as root:
        # 1. Bring the archive, if its source is not on this machine.
        recorded = dvc_lock.recorded_stages(root, commit)
        settings, entry = load(root / paths.PARAMS, root / paths.DATASETS)
        cache = fresh_clone.cache()
        taken = fresh_clone.take_archive(root, recorded, settings, entry, cache)
        names = [name for name in recorded if name not in taken]
        print(f"rebuilding {len(names)} stages of commit {commit[:7]} in {root}, which is deleted at the end")
        # 2. Rebuild stage by stage, up to the first one with other bytes.
        same, stale = 0, []
        for name in fresh_clone.rebuild(root, recorded, taken, ": mend it, commit, and verify again"):
            names.remove(name)
            was, now = recorded[name], read_yaml(root / LOCK)["stages"][name]
            differing = dvc_lock.differing_outputs(was, now)
            why = dvc_lock.changed_inputs(was, now)
            if differing:
                print(f"{name} is the first stage with other bytes: {len(differing)} of its {len(was['outs'])} outputs")
                for line in output_differences.by_how_much(root, differing, was, now, cache):
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
        f"{time.monotonic() - started:.0f} s, {processor.name()}, {output_differences.mode(settings)}"
    )
    return True


def likely_causes(stage: Stage, settings: Params, changed: list[str]) -> Iterator[str]:
    """Sentences on why equal inputs may have given other bytes here."""
    yield from output_differences.by_its_mode(stage, settings)
    _, amiss = locked_packages.differing(REQUIREMENTS) if REQUIREMENTS.is_file() else (0, [])
    if amiss:
        yield f"packages are not those of {REQUIREMENTS}: {listed(map(str, amiss))}; `make setup` installs them"
    if changed:
        yield f"{LOCK} was written with changes that are not committed: {listed(_names(changed))}"
    yield f"another processor wrote {LOCK}: this one is {processor.name()}"


def _names(changed: Iterable[str]) -> list[str]:
    """The paths in lines of `git status --porcelain`."""
    return [line[3:] for line in changed]
