"""What the files of a revision say of the run that made its figures: which data, division and code, or why to doubt it.

A revision may hold figures that are not its own: an experiment that stopped at `split` still has those of the commit
that it started from. Its own dvc.lock tells, for DVC notes there what each stage that has run read and wrote.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from darkroom.base import git, paths
from darkroom.base.words import listed
from darkroom.tools import differences, dvc_lock
from darkroom.tools.dvc_lock import LOCK, Stage
from darkroom.tools.experiments import RunRecord

FILES = (LOCK, paths.GRAPH, paths.PARAMS, paths.DATASETS, paths.EVALUATE, paths.SPLIT_TABLE)
CACHE = Path(".dvc/cache")  # a cache elsewhere leaves out one check: of files in a folder that another stage wrote

Files = Mapping[str, bytes | None]  # by path; None where the revision has no such file


def files_of(revisions: Sequence[str]) -> dict[str, dict[str, bytes | None]]:
    """The files of each revision that say something of its run, by revision and path, read in one go."""
    places = [(revision, path.as_posix()) for revision in dict.fromkeys(revisions) for path in FILES]
    found: dict[str, dict[str, bytes | None]] = {}
    contents = git.contents(f"{revision}:./{path}" for revision, path in places)
    for (revision, path), content in zip(places, contents, strict=True):
        found.setdefault(revision, {})[path] = content
    return found


def read(files: Files) -> RunRecord:
    """The record of the run whose figures stand in a revision with these files."""
    try:
        lock, graph = (_yaml(files[path.as_posix()] or b"{}") for path in (LOCK, paths.GRAPH))
        stages: dict[str, Stage] = lock.get("stages") or {}
        stages = {name: stages[name] for name in graph.get("stages") or stages if name in stages}
        writers = {path: name for name, stage in stages.items() for path in dvc_lock.outputs(stage)}
        last = writers.get(paths.EVALUATE.as_posix())
        if last is None:
            return RunRecord(f"its {LOCK} records no stage that wrote {paths.EVALUATE}")
        doubts = [*_other_parameters(stages, last, files), *_other_inputs(stages, last), *_other_figures(stages, files)]
        inputs = _inputs(stages[last])
        train = _inputs(stages[writers.get(paths.WEIGHTS.as_posix(), last)])
        return RunRecord(
            doubt=doubts[0] if doubts else "",
            data=_hash(
                {path: md5 for path, md5 in inputs.items() if dvc_lock.is_within(path, [paths.DATA.as_posix()])}
            ),
            division=inputs.get(paths.SPLIT.as_posix(), ""),
            code=_hash({path: digest for path, digest in train.items() if not dvc_lock.is_within(path, writers)}),
        )
    except Exception as error:  # a file that is damaged, or not what DVC writes, may break anything above
        return RunRecord(f"its {LOCK} or {paths.GRAPH} cannot be read ({type(error).__name__})")


def _other_parameters(stages: Mapping[str, Stage], last: str, files: Files) -> Iterator[str]:
    """A sentence for each stage up to `last` that ran with other parameters than those of the revision."""
    for name in _up_to(stages, last):
        unequal = []
        for file, values in (stages[name].get("params") or {}).items():
            content = _yaml(files.get(file) or b"{}")
            unequal += differences.figures(values, {key: value for key in values for value in _at(content, key)})
        if unequal:
            yield f"its stage {name} did not run with its parameters ({listed(unequal, 2)})"


def _other_inputs(stages: Mapping[str, Stage], last: str) -> Iterator[str]:
    """A sentence for each stage up to `last` that read something else than another one has written or read."""
    names = _up_to(stages, last)
    for writer in names:
        written = _written(stages[writer])
        for name in names:
            inputs = _inputs(stages[name])
            if unequal := [path for path in inputs if inputs[path] != written.get(path, inputs[path])]:
                yield f"its stage {name} did not read what {writer} wrote ({listed(unequal, 2)})"
    readers: dict[str, str] = {}
    for name in names:
        for path, md5 in _inputs(stages[name]).items():
            first = readers.setdefault(path, name)
            if _inputs(stages[first])[path] != md5:
                yield f"its stages {first} and {name} did not read the same {path}"


def _other_figures(stages: Mapping[str, Stage], files: Files) -> Iterator[str]:
    """A sentence if the revision's figures are not those that its dvc.lock records; a file outside of Git is DVC's."""
    place = paths.EVALUATE.as_posix()
    content, known = files.get(place), {path: md5 for stage in stages.values() for path, md5 in _written(stage).items()}
    if content is not None and hashlib.md5(content, usedforsecurity=False).hexdigest() != known[place]:
        yield f"its {place} is not the file that its {LOCK} records"


def _up_to(stages: Mapping[str, Stage], last: str) -> list[str]:
    """The stages on which `last` depends, and itself, in the order of the pipeline."""
    needed, waiting = {last}, [last]
    while waiting:
        inputs = _inputs(stages[waiting.pop()])
        found = {
            name
            for name, stage in stages.items()
            if any(dvc_lock.is_within(path, dvc_lock.outputs(stage)) for path in inputs)
        }
        waiting += found - needed
        needed |= found
    return [name for name in stages if name in needed]


def _inputs(stage: Stage) -> dict[str, str]:
    return {item["path"]: item["md5"] for item in stage.get("deps", [])}


def _written(stage: Stage) -> dict[str, str]:
    """The md5 of each output, and of each file in a folder that is one, where the cache knows it."""
    written = dvc_lock.outputs(stage)
    for path, digest in dvc_lock.outputs(stage).items():
        if digest.endswith(".dir"):
            written |= {f"{path}/{name}": md5 for name, md5 in (dvc_lock.files_of(CACHE, digest) or {}).items()}
    return written


def _at(content: Any, key: str) -> Iterator[Any]:
    """The value at a dotted key, if there is one; a key may hold dots itself, as the name of an entry."""
    if key in content:
        yield content[key]
        return
    section, _, rest = key.partition(".")
    if rest and isinstance(content.get(section), dict):
        yield from _at(content[section], rest)


def _hash(digests: Mapping[str, str]) -> str:
    return (
        hashlib.md5(json.dumps(sorted(digests.items())).encode(), usedforsecurity=False).hexdigest() if digests else ""
    )


@lru_cache(maxsize=64)  # most revisions share all files but one or two; nobody changes what this returns
def _yaml(content: bytes) -> Any:
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(content) or {}  # as DVC does
