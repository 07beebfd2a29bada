"""The processor: its name, what it can do, and how many of its cores this process may use."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # cgroup version 2: microseconds of CPU time, length of the period


def name() -> str:
    """The maker's name of the CPU."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def can_be_portable() -> bool:
    """Whether this CPU can give the bits of portable mode: it is x86-64 and has AVX2, or its flags are unknown."""
    flags = _cpuinfo("flags").split()
    return platform.machine().lower() in ("x86_64", "amd64") and (not flags or "avx2" in flags)


def _cpuinfo(key: str) -> str:
    """The first value of a key in /proc/cpuinfo; empty if the key or the file is missing."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in pairs if name.strip() == key), "")


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def granted_cores() -> float:
    """The number of cores that a container's quota grants to this process, which may see more."""
    try:
        quota, period = QUOTA.read_text().split()
        return min(float(cores()), int(quota) / int(period))
    except (OSError, ValueError):  # no cgroup of version 2, or `max`: no limit
        return float(cores())
