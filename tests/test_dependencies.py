"""docs/dependencies.md says of every direct dependency which version it is, under which licence, and why it is here."""

import re
from importlib.metadata import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

# Where a package names its licence in many words, or gives its whole text.
SHORT = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "BSD License": "BSD",
    "Python Software Foundation License": "PSF-2.0",
}


def direct():
    """Name and reason of each line of requirements.in."""
    lines = (ROOT / "requirements.in").read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"([\w.-]+)\S*\s*(?:# (.*))?", line) for line in lines if line and not line.startswith("#")]
    return [(line[1], line[2] or "types, for mypy") for line in found]


def licence(name):
    facts = metadata(name)
    classes = [text.rpartition(" :: ")[2] for text in facts.get_all("Classifier", []) if text.startswith("License ::")]
    named = facts.get("License-Expression") or next(iter(classes), None) or facts.get("License").splitlines()[0]
    return SHORT.get(named, named)


def test_the_page_names_every_direct_dependency_with_version_licence_and_reason():
    lines = re.findall(r"^[\w-]+==[^\\\n]+", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE)
    python = {"python_version": "3.11", "python_full_version": "3.11.0"}  # the lock has others for later ones
    wanted = [one for one in map(Requirement, lines) if not one.marker or one.marker.evaluate(python)]
    locked = {one.name: next(iter(one.specifier)).version for one in wanted}
    rows = [f"| {name} | {locked[canonicalize_name(name)]} | {licence(name)} | {reason} |" for name, reason in direct()]
    head = ["| package | version | licence | why |", "|---|---|---|---|"]
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    assert "\n".join(head + rows) in page, "\n".join(["docs/dependencies.md must hold this table:", *head, *rows])


def test_every_locked_package_carries_hashes():
    packages = re.split(r"\n(?=[\w-]+==)", (ROOT / "requirements.txt").read_text(encoding="utf-8").strip())
    assert len(packages) > 100
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []
