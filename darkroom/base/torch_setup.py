"""What must stand before torch is imported: threads, instruction sets, memory. Import torch through `torch_for`.

Why each setting: docs/performance.md. Portable mode: a CPU's widest instructions change the order of additions and
so the last bits of a sum; fixed to AVX2, without MKL's per-processor paths and with one thread, training gives the
same bits on every x86-64 processor of the last ten years.
"""

import ctypes
import os
import sys
from types import ModuleType
from typing import Protocol

from darkroom.base.processor import cores

PORTABLE = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"}
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
KEEP_BYTES = 2**30


def threads_for(threads: int, portable: bool, processes: int = 1) -> int:
    """The number of CPU threads to use; 0 asks for one in portable mode, else for this process's share of the cores."""
    if portable and threads == 0:
        return 1
    return threads or max(1, cores() // processes)


def torch_for(*, threads: int, portable: bool, processes: int = 1) -> ModuleType:
    """Import torch with the settings of this run, which so many processes on this machine share.

    The first import in a process decides.
    """
    # Threads that wait for one another by spinning stand still when a neighbour holds their core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Where a process of several is lost, its neighbours would print pages of C++ beside our sentence.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if portable:
        os.environ.update(PORTABLE)
    keep_memory()
    import torch

    torch.set_num_threads(threads_for(threads, portable, processes))
    # On a GPU: the same kernels in every run, and of each the variant that adds in a fixed order.
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    return torch


class Training(Protocol):
    """The part of a training's settings that decides how torch is set up."""

    @property
    def threads(self) -> int: ...
    @property
    def portable(self) -> bool: ...


def torch_for_model(training: Training) -> ModuleType:
    """Import torch to use a model whose `training` was so, as `train` in model.json says.

    Portable as that was, then with its threads, for their number is part of the result; else with this machine's own.
    """
    return torch_for(threads=training.threads if training.portable else 0, portable=training.portable)


def keep_memory() -> None:
    """Keep freed memory for the next step: giving it back costs a third of a small net's step in page faults."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # glibc only
            libc.mallopt(M_MMAP_THRESHOLD, KEEP_BYTES)
            libc.mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)
