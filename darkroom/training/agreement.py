"""Before the first step, processes that train as one compare everything that decides the result.

Without this check, another learning rate or other labels on one node would silently give a wrong model.
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
from darkroom.config.model_facts import ModelFacts
from darkroom.training.peers import Peers, peers

# Packages that compute, or whose numbers are drawn.
PACKAGES = ("torch", "torchvision", "numpy", "lightning-fabric")
# Settings that may differ between machines: they change no more than the last bits.
MAY_DIFFER = ("train.threads", "train.memory_share")
PIECES, PIECE_BYTES = 64, 2**16  # the pieces of the file of images that are compared
SHORT = 40  # characters; a message shows no longer values
SHOWN = 5  # differences that a message names

Claims = dict[str, str]


def require(facts: ModelFacts, files: Iterable[Path]) -> None:
    """Compare parameters, files of code and data, images and packages with those of the other processes.

    `facts` are those of the model to be trained, `files` the other files that decide the result. A process that trains
    alone skips the comparison. Raises UserError, the same sentence in every process, if one differs from the first.
    """
    if found := peers():
        _compare(found, claims(facts, files))


def claims(facts: ModelFacts, files: Iterable[Path]) -> Claims:
    """What this process would train with, by name: values as JSON, files as their sha256."""
    found = {name: value for name, value in _flat(facts.model_dump(), "").items() if name not in MAY_DIFFER}
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
    """Nested settings as JSON under their dotted names; a list is one value."""
    if not isinstance(content, dict):
        return {name: json.dumps(content)}
    return {key: value for part in content for key, value in _flat(content[part], f"{name}.{part}".strip(".")).items()}


def _sample(file: Path) -> str:
    """The size of a file, and a hash of pieces from all over it, for the file may have 100 GB.

    This finds a bad copy; the index, compared in full, holds the hash of every image.
    """
    size = file.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with file.open("rb") as content:
        for piece in range(PIECES):
            content.seek(max(0, size - PIECE_BYTES) * piece // (PIECES - 1))
            digest.update(content.read(PIECE_BYTES))
    return f"{size} bytes, {digest.hexdigest()}"


def _compare(peers: Peers, own: Claims) -> None:
    """The first process compares the claims of all, and gives every process its verdict."""
    peers.put("claims", json.dumps(own))
    if peers.rank == 0:
        names_of: dict[str, list[str]] = {}  # processes, by what differs
        for rank, hello in sorted(peers.hellos.items()):
            if differing := differences(own, json.loads(peers.get("claims", rank))):
                names_of.setdefault(differing, []).append(hello.name)
        first = peers.hellos[0].name
        parts = [f"{', '.join(names)} differs from {first} in {differing}" for differing, names in names_of.items()]
        peers.put("verdict", "; ".join(parts))
    if verdict := peers.get("verdict", 0):
        raise UserError(
            f"{verdict}: bring the same commit, parameters, data and packages there (`git status`, `dvc pull`, "
            "`make setup`)"
        )


def differences(first: Claims, other: Claims) -> str:
    """The differences from the first process, in words; empty if there are none."""
    names = [name for name in {**first, **other} if first.get(name) != other.get(name)]
    parts = [_difference(name, first.get(name, "missing"), other.get(name, "missing")) for name in names[:SHOWN]]
    if len(names) > SHOWN:
        parts.append(f"{len(names) - SHOWN} more")
    return ", ".join(parts)


def _difference(name: str, first: str, other: str) -> str:
    if os.sep in name or max(len(first), len(other)) > SHORT:
        return name if "missing" not in (first, other) else f"{name} ({'only' if first == 'missing' else 'not'} there)"
    return f"{name} ({other} instead of {first})"
