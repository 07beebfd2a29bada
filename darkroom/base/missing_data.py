"""Data that a later stage needs and that is missing: told when the first stage runs, not after a long training.

With `--allow-missing` DVC skips a stage that has not changed, although what it once wrote is not here. A later stage
that needs it fails, but only when its turn comes.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from darkroom.base import graph
from darkroom.base.graph import Stages
from darkroom.base.words import listed

LIMIT = 60  # seconds that the remote may take


def warnings(stage: str, command: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each stage that will fail for want of data; `stage` is the first that DVC's command runs.

    A worker of DVC's queue does not show the options of the experiment: then only what is nowhere is told.
    """
    queued = "exec-run" in command
    if not queued and "--allow-missing" not in command:
        return  # DVC makes anew, or takes from its cache, whatever is missing
    needed = {name: paths for name, paths in wanting(graph.stages(), stage, command).items() if paths}
    nowhere = _nowhere(sorted({path for paths in needed.values() for path in paths})) if needed else set()
    for name, paths in needed.items():
        if lost := [path for path in paths if path in nowhere]:
            yield (
                f"{name} will fail: {listed(lost)} is neither here nor in the remote: `dvc push` where it is, or leave "
                "--allow-missing out, and it is made anew"
            )
        elif not queued and "--pull" not in command:
            yield f"{name} will fail: {listed(paths)} is not here: dvc pull {' '.join(paths)}"


def wanting(stages: Stages, first: str, command: Sequence[str]) -> dict[str, list[str]]:
    """What each stage that will run lacks, of what those that DVC skips have written.

    Those will run that depend on the `first` one, of the stages that the command asks for.
    """
    # 1. The stages that the command asks for.
    writer = {path: name for name, (_, outs) in stages.items() for path in outs}
    sources = {name: {path: _writer(path, writer) for path in deps} for name, (deps, _) in stages.items()}
    wanted = [part for part in command if part in stages]
    if "--downstream" in command or not wanted:
        wanted = list(stages)
    waiting, asked = list(wanted), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in asked:
            asked.add(name)
            waiting += [source for source in sources[name].values() if source is not None]
    # 2. Of those, the ones that depend on the first.
    running, before = {first}, 0
    while len(running) > before:
        before = len(running)
        running |= {name for name in asked if running.intersection(filter(None, sources[name].values()))}
    # 3. What they need of the others.
    return {
        name: [path for path, source in sources[name].items() if source not in (None, *running) and not _is_there(path)]
        for name in stages
        if name in running
    }


def _writer(path: str, writer: Mapping[str, str]) -> str | None:
    """The stage that writes this path, or the folder around it; None for what people write."""
    return next((writer[place] for place in _places(path) if place in writer), None)


def _places(path: str) -> list[str]:
    """The path, and the folders around it."""
    return [str(place) for place in (Path(path), *Path(path).parents)]


def _is_there(path: str) -> bool:
    return Path(path).exists()


def _nowhere(paths: Sequence[str]) -> set[str]:
    """Those that are neither in DVC's cache nor in its remote; none where there is no answer."""
    # A process, for DVC takes a second to import. DVC itself holds no lock while a stage runs.
    asked = [sys.executable, "-m", "dvc", "status", "--cloud", "--json", *paths]
    answer = subprocess.run(asked, capture_output=True, text=True, timeout=LIMIT, check=False)
    found: dict[str, str] = json.loads(answer.stdout) if answer.returncode == 0 else {}
    return {path for path in paths if any(found.get(place) == "missing" for place in _places(path))}
