"""Compare the installed packages with those of the lock."""

from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from darkroom.base.errors import UserError

REQUIREMENTS = Path("requirements.txt")
# The lock names PyTorch's CUDA build; the CPU build does not need these.
CUDA_ONLY = ("nvidia-", "cuda-", "triton")


class Package(NamedTuple):
    """A package of the lock that is missing here (`installed` is None) or has another version."""

    name: str
    locked: str
    installed: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.installed or 'missing'} (the lock has {self.locked})"


def differing(lock: Path) -> tuple[int, list[Package]]:
    """The number of packages that `lock` names for this platform, and those that are missing or of another version.

    Raises UserError where there is no lock, or a line of it names no package.
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    if not lock.is_file():
        raise UserError(f"there is no {lock} here: run from the root of the repository")
    # 1. What is installed: of several versions, Python imports the first one on its path.
    installed: dict[str, str] = {}
    for found in distributions():
        if found.metadata["Name"]:
            installed.setdefault(canonicalize_name(found.metadata["Name"]), found.version)
    without_cuda = "+cpu" in installed.get("torch", "")
    # 2. What the lock names: its continued lines and comments are skipped.
    named, amiss = 0, []
    for line in lock.read_text(encoding="utf-8").splitlines():
        if not line or line[0].isspace() or line[0] in "#-":
            continue
        try:
            wanted = Requirement(line.rstrip("\\ "))
        except InvalidRequirement:
            raise UserError(f"{lock} has a line that names no package ({line[:60]}): `make lock` writes it") from None
        name = canonicalize_name(wanted.name)
        if (wanted.marker and not wanted.marker.evaluate()) or (without_cuda and name.startswith(CUDA_ONLY)):
            continue
        named += 1
        locked = next((item.version for item in wanted.specifier), "any version")
        try:
            # The local part of a version, as `+cpu`, is ignored: it names another build of the same version.
            same = name in installed and wanted.specifier.contains(Version(installed[name]).public, prereleases=True)
        except InvalidVersion:
            same = False
        if not same:
            amiss.append(Package(wanted.name, locked, installed.get(name)))
    return named, amiss
