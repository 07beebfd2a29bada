"""The processor: its name, what it can do, and how many of its cores this process may use."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of cgroup version 2: microseconds of CPU time, in so many of the clock


def name() -> str:
    """The name of the CPU, as its maker gives it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def can_be_portable() -> bool:
    """Whether portable mode's bits can be had here: an x86-64 CPU with AVX2; True where that is not known."""
    flags = _cpuinfo("flags").split()
    return platform.machine().lower() in ("x86_64", "amd64") and (not flags or "avx2" in flags)


def _cpuinfo(key: str) -> str:
    """The first value of a key in Linux's description of the CPU; empty where there is none."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for found, _, value in pairs if found.strip() == key), "")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def granted_cores() -> float:
    """Cores that a container's quota leaves to this process, which may see more of them."""
    try:
        quota, period = QUOTA.read_text().split()
        return min(float(cores()), int(quota) / int(period))
    except (OSError, ValueError):  # no cgroup of version 2, or `max`: no limit
        return float(cores())
