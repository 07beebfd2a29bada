"""What the process settings of darkroom.runtime are worth: threads, OpenMP's wait policy, memory given back or kept.

One step is forward, backward and update of S1's network, batch 128, on one batch in memory. Each row is measured on the
machine as it is, and with one and two neighbours that keep a core busy each. The median step counts, not the best:
what a busy neighbour does to a step is the question here.
"""

import multiprocessing
import os
import statistics
import time

from benchmarks.fresh import Figures, best, fresh
from benchmarks.table import Setting, Table
from darkroom import runtime

NEIGHBOURS = (0, 1, 2)
STEPS = 40
WARM_STEPS = 10


def run(setting: Setting) -> list[Table]:
    both = runtime.cores()
    choices = {
        "torch as it comes": (both, "", 0),
        "memory kept": (both, "", 1),
        "ours: passive, memory kept": (both, "PASSIVE", 1),
        "one thread, memory kept": (1, "PASSIVE", 1),
    }
    sides = {
        f"{name}|{busy}": (lambda choice=choice, busy=busy: fresh(steps, *choice, busy))  # type: ignore[misc]
        for name, choice in choices.items()
        for busy in NEIGHBOURS
    }
    found = best(sides, setting.repeats)
    rows = []
    for name, (threads, _, _) in choices.items():
        figures = [found[f"{name}|{busy}"] for busy in NEIGHBOURS]
        rows.append([name, str(threads), f"{figures[0]['faults']:,.0f}", *(f"{row['ms']:.1f}" for row in figures)])
    columns = ("settings", "threads", "faults/step", "idle ms/step", "1 neighbour", "2 neighbours")
    title = "settings: threads, waiting and memory"
    return [Table(title, "S1's network, batch 128, float32", setting.repeats, columns, rows)]


def steps(threads: int, policy: str, keep_memory: int, busy: int) -> Figures:
    """Median milliseconds and page faults of a step."""
    import resource

    if policy:
        os.environ["OMP_WAIT_POLICY"] = policy
    if keep_memory:
        runtime.keep_memory()
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
    for step in range(WARM_STEPS + STEPS):
        if step == WARM_STEPS:
            faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        started = time.perf_counter()
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        times.append(time.perf_counter() - started)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults
    for neighbour in neighbours:
        neighbour.terminate()
    return {"ms": 1000 * statistics.median(times[WARM_STEPS:]), "faults": faults / STEPS}


def _spin() -> None:
    while True:
        pass
