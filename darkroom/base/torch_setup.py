"""Settings that must be made before torch is imported: threads, instruction sets, memory. `torch_for` imports torch.

docs/performance.md explains each setting. Portable mode: the width of a CPU's instructions changes the order of
additions and so the last bits of a sum. With AVX2 on every CPU, one thread, and none of MKL's special code for single
processors, training gives the same bits on every x86-64 processor of the last ten years.
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
    """The number of CPU threads to use; 0 means one in portable mode, else this process's share of the cores."""
    if portable and threads == 0:
        return 1
    return threads or max(1, cores() // processes)


def torch_for(*, threads: int, portable: bool, processes: int = 1) -> ModuleType:
    """Import torch with these settings for one of `processes` that train on this machine.

    Only the first import in a process takes effect.
    """
    # Waiting threads sleep: if they spun, they would hold up neighbours that need the core.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # When one of several processes is lost, the others would print pages of C++ beside our sentence.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    if portable:
        os.environ.update(PORTABLE)
    keep_memory()
    import torch

    torch.set_num_threads(threads_for(threads, portable, processes))
    # On a GPU: cuDNN takes the same kernels in every run, and only those that add in a fixed order.
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
    return torch


class Training(Protocol):
    """The part of a training's settings that decides how torch is set up."""

    @property
    def threads(self) -> int: ...
    @property
    def portable(self) -> bool: ...


def torch_for_model(training: Training) -> ModuleType:
    """Import torch to use a trained model; `training` is `train` of its model.json.

    A model of portable mode is used in portable mode, with the threads of its training, for their number changes last
    bits. Any other model takes this machine's number of threads.
    """
    return torch_for(threads=training.threads if training.portable else 0, portable=training.portable)


def give_back_memory() -> None:
    """Give the memory back that glibc has kept, after work that took much more than the rest will."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "malloc_trim"):  # glibc only
            libc.malloc_trim(0)


def keep_memory() -> None:
    """Let glibc keep freed memory for the next step: page faults would cost a third of a small net's step."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # glibc only
            libc.mallopt(M_MMAP_THRESHOLD, KEEP_BYTES)
            libc.mallopt(M_TRIM_THRESHOLD, KEEP_BYTES)
