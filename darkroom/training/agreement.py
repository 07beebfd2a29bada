"""The processes that train as one compare all that decides the result, before the first step.

Each would else train by what it finds on its machine: another learning rate or other labels on one node give a wrong
model without a word.
"""

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.files import sha256
from darkroom.config.stage_files import ModelFacts
from darkroom.training.peers import Peers, peers

# Packages that compute, or whose numbers are drawn.
PACKAGES = ("torch", "torchvision", "numpy", "lightning-fabric")
# Machines may differ in them: how many threads one has changes last bits, and where its images lie changes nothing.
OWN = ("train.threads", "train.memory_share")
PIECES, PIECE_BYTES = 64, 2**16  # of the images that are compared
SHORT = 40  # characters of a value that is shown
SHOWN = 5  # differences that are named

Claims = dict[str, str]


def require(facts: ModelFacts, files: Iterable[Path]) -> None:
    """Compare with the other processes: parameters, content of files (code and data), images, packages.

    `facts` are those of the model to come, `files` those that decide a training besides. Costs nothing where one
    process trains alone. Raises UserError, with the same sentence in every process, where one differs from the first.
    """
    if found := peers():
        _compare(found, claims(facts, files))


def claims(facts: ModelFacts, files: Iterable[Path]) -> Claims:
    """What this process would train by, by name: short values as they are, long ones as their sha256."""
    found = {name: value for name, value in _flat(facts.model_dump(), "").items() if name not in OWN}
    root = Path(__file__).parents[2]
    for file in files:
        place = file.resolve()
        name = place.relative_to(root) if place.is_relative_to(root) else file
        found[name.as_posix()] = sha256(file)
    found[paths.IMAGES.as_posix()] = _sample(paths.IMAGES)
    found["Python"] = platform.python_version()
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def _flat(content: object, name: str) -> Claims:
    """Nested settings by their dotted names; lists are one value."""
    if not isinstance(content, dict):
        return {name: json.dumps(content)}
    return {key: value for part in content for key, value in _flat(content[part], f"{name}.{part}".strip(".")).items()}


def _sample(file: Path) -> str:
    """The size of a large file, and a hash of pieces all over it: it may have 100 GB, and be copied by hand.

    What every image should be stands in the index, whole.
    """
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as content:
        for piece in range(PIECES):
            content.seek(max(0, size - PIECE_BYTES) * piece // (PIECES - 1))
            digest.update(content.read(PIECE_BYTES))
    return f"{size} bytes, {digest.hexdigest()}"


def _compare(peers: Peers, own: Claims) -> None:
    """The first process compares, and tells all the others what it found."""
    peers.put("claims", json.dumps(own))
    if peers.rank == 0:
        found: dict[str, list[str]] = {}
        for rank, hello in sorted(peers.hellos.items()):
            if differing := differences(own, json.loads(peers.get("claims", rank))):
                found.setdefault(differing, []).append(hello.name)
        first = peers.hellos[0].name
        told = [f"{', '.join(names)} differs from {first} in {differing}" for differing, names in found.items()]
        peers.put("verdict", "; ".join(told))
    if verdict := peers.get("verdict", 0):
        raise UserError(
            f"{verdict}: bring the same commit, parameters, data and packages there (`git status`, `dvc pull`, "
            "`make setup`)"
        )


def differences(first: Claims, other: Claims) -> str:
    """What differs from the first process, in words; empty where nothing does."""
    names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
    said = [_difference(name, first.get(name, "missing"), other.get(name, "missing")) for name in names[:SHOWN]]
    if len(names) > SHOWN:
        said.append(f"{len(names) - SHOWN} more")
    return ", ".join(said)


def _difference(name: str, first: str, other: str) -> str:
    if os.sep in name or max(len(first), len(other)) > SHORT:
        return name if "missing" not in (first, other) else f"{name} ({'only' if first == 'missing' else 'not'} there)"
    return f"{name} ({other} instead of {first})"
