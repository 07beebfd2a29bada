"""What the process settings are worth: threads, OpenMP's wait policy, memory given back or kept, half precision.

One step is forward, backward and update of S1's network, batch 128, on one batch in memory. Each row is measured on the
machine as it is, and with one and two neighbours that keep a core busy each. The median step counts, not the best:
what a busy neighbour does to a step is the question here.
"""

import multiprocessing
import os
import statistics
import time

from benchmarks.fresh import Figures, abilities, best, fresh
from benchmarks.table import Setting, Table
from darkroom.base import processor, torch_setup

NEIGHBOURS = (0, 1, 2)
STEPS = 40
WARM_STEPS = 10


def run(setting: Setting) -> list[Table]:
    both = processor.cores()
    choices = {  # threads, wait policy, memory kept, half precision
        "torch as it comes": (both, "", 0, 0),
        "memory kept": (both, "", 1, 0),
        "passive, memory kept": (both, "PASSIVE", 1, 0),
        "one thread, memory kept": (1, "", 1, 0),
    }
    if fresh(abilities)["bf16"]:
        choices |= {
            "bf16, one thread, memory kept": (1, "", 1, 1),
            "bf16, memory kept": (both, "", 1, 1),
            "bf16, passive, memory kept": (both, "PASSIVE", 1, 1),
        }
    steps_each = STEPS // 4 if setting.quick else STEPS
    sides = {
        f"{name}|{busy}": (lambda choice=choice, busy=busy: fresh(steps, *choice, busy, steps_each))  # type: ignore[misc]
        for name, choice in choices.items()
        for busy in (NEIGHBOURS[:1] if setting.quick else NEIGHBOURS)
    }
    found = best(sides, setting.repeats, setting.together)
    rows = []
    for name, (threads, *_) in choices.items():
        cells = [f"{found[side]['ms']:.1f}" if (side := f"{name}|{busy}") in found else "" for busy in NEIGHBOURS]
        rows.append([name, str(threads), f"{found[f'{name}|0']['faults']:,.0f}", *cells])
    columns = ("settings", "threads", "faults/step", "idle ms/step", "1 neighbour", "2 neighbours")
    title = "settings: threads, waiting, memory and half precision"
    return [Table(title, "S1's network, batch 128, float32 where not bf16", setting.repeats, columns, rows)]


def steps(threads: int, policy: str, keep_memory: int, half: int, busy: int, count: int) -> Figures:
    """Median milliseconds and page faults of a step."""
    import resource

    if policy:
        os.environ["OMP_WAIT_POLICY"] = policy
    if keep_memory:
        torch_setup.keep_memory()
    import torch

    from benchmarks import s1

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = s1.network().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    images, labels = torch.rand(128, 28, 28, 1).permute(0, 3, 1, 2), torch.randint(0, 10, (128,))
    neighbours = [multiprocessing.get_context("fork").Process(target=_spin, daemon=True) for _ in range(busy)]
    for neighbour in neighbours:
        neighbour.start()
    times, faults = [], 0
    for step in range(WARM_STEPS + count):
        if step == WARM_STEPS:
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(half)):
            logits = model(images)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        times.append(time.perf_counter() - started)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    for neighbour in neighbours:
        neighbour.terminate()
    return {"ms": 1000 * statistics.median(times[WARM_STEPS:]), "faults": faults / count}


def _spin() -> None:
    while True:
        pass
