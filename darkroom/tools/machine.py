"""What this machine is and has: processor, cores granted, installed packages against those of the lock."""

import platform
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

from darkroom.base.errors import UserError
from darkroom.base.torch_setup import cores

CPUINFO = Path("/proc/cpuinfo")
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of cgroup version 2: microseconds of CPU time, in so many of the clock
# The lock names PyTorch's CUDA build; its CPU build does without these.
CUDA_ONLY = ("nvidia-", "cuda-", "triton")


class Package(NamedTuple):
    """A package of the lock that is missing here (`installed` is None) or has another version."""

    name: str
    locked: str
    installed: str | None

    def __str__(self) -> str:
        return f"{self.name} {self.installed or 'missing'} (the lock has {self.locked})"


def processor() -> str:
    """The name of the CPU, as its maker gives it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def can_be_portable() -> bool:
    """Whether portable mode's bits can be had here: an x86-64 CPU with AVX2; True where that is not known."""
    flags = _cpuinfo("flags").split()
    return platform.machine().lower() in ("x86_64", "amd64") and (not flags or "avx2" in flags)


def _cpuinfo(key: str) -> str:
    if not CPUINFO.is_file():
        return ""
    lines = (line.partition(":") for line in CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines())
    return next((value.strip() for name, _, value in lines if name.strip() == key), "")


def granted_cores() -> float:
    """Cores that a container's quota leaves to this process, which may see more of them."""
    try:
        quota, period = QUOTA.read_text().split()
        return min(float(cores()), int(quota) / int(period))
    except (OSError, ValueError):  # no cgroup of version 2, or `max`: no limit
        return float(cores())


def unlike_lock(lock: Path) -> tuple[int, list[Package]]:
    """How many packages the lock names for this platform, and those that are missing here or have another version."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name
    from packaging.version import InvalidVersion, Version

    if not lock.is_file():
        raise UserError(f"there is no {lock} here: run from the root of the repository")
    # The first one on the path is the one that is imported.
    installed: dict[str, str] = {}
    for found in distributions():
        if found.metadata["Name"]:
            installed.setdefault(canonicalize_name(found.metadata["Name"]), found.version)
    without_cuda = "+cpu" in installed.get("torch", "")
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
            # A local part (`+cpu`) is another build of the same version.
            same = name in installed and wanted.specifier.contains(Version(installed[name]).public, prereleases=True)
        except InvalidVersion:
            same = False
        if not same:
            amiss.append(Package(wanted.name, locked, installed.get(name)))
    return named, amiss
