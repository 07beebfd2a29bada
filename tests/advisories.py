"""Which of the locked packages have known vulnerabilities, by a clone of PyPA's advisory database.

    git clone --depth 1 https://github.com/pypa/advisory-database
    python -m tests.advisories advisory-database

pip-audit asks PyPI for the same advisories; this needs no network once there is a clone.
"""

import re
import sys
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML

LOCK = Path(__file__).parents[1] / "requirements.txt"


def concerns(advisory: dict[str, Any], version: str) -> bool:
    """Whether an advisory, in the form of OSV (https://ossf.github.io/osv-schema/), names this version."""
    if "withdrawn" in advisory:
        return False
    return any(
        version in affected.get("versions", [])
        or any(
            _within(each["events"], Version(version))
            for each in affected.get("ranges", [])
            if each["type"] == "ECOSYSTEM"  # the others count commits
        )
        for affected in advisory["affected"]
    )


def _within(events: list[dict[str, str]], version: Version) -> bool:
    """Whether a version lies in a range, whose events stand in the order of versions."""
    inside = False
    for event in events:
        (kind, at), *_ = event.items()
        if kind == "introduced" and (at == "0" or version >= Version(at)):
            inside = True
        elif (kind == "fixed" and version >= Version(at)) or (kind == "last_affected" and version > Version(at)):
            inside = False
    return inside


def main(folder: Path) -> int:
    lines = re.findall(r"^[\w.-]+==[^\\\n]+", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    locked = {(one.name, next(iter(one.specifier)).version) for one in map(Requirement, lines)}
    advisories: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("vulns/*/*.yaml")):
        content = YAML(typ="safe").load(file)
        advisories.setdefault(canonicalize_name(file.parent.name), []).append(content)
    if not advisories:
        sys.exit(f"{folder} holds no advisories: give a clone of https://github.com/pypa/advisory-database")
    read = found = 0
    for name, version in sorted(locked):
        for advisory in advisories.get(canonicalize_name(name), []):
            read += 1
            if concerns(advisory, version):
                found += 1
                print(f"{name} {version}: {advisory['id']} {' '.join(advisory.get('aliases', []))}")
    print(f"{len(locked)} locked packages, {read} advisories about them, {found} of these about the locked versions")
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:])))
