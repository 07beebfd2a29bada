"""The optimiser's step alone: as training.optimizers makes it, in one pass over the memory, and PyTorch's default.

Networks on 28x28 grey images, one thread, gradients that stay. What it is worth depends on how small the batch and how
large the network is: the step costs the same whatever the batch.
"""

from functools import partial
from typing import Any

from benchmarks.epoch import MODEL, TRAIN
from benchmarks.fresh import Figures, best, clock, fresh
from benchmarks.table import Setting, Table

STEPS = 500
NETWORKS: dict[str, dict[str, Any]] = {
    "16P-64P-128": {"layers": "16P-64P-128", "pooling": "max", "hidden": [], "batch_norm": True},
    "MLP 512, 512": {"name": "mlp", "hidden": [512, 512], "batch_norm": True},
}
NAMES = ("sgd", "adamw")


def run(setting: Setting) -> list[Table]:
    steps = STEPS // 10 if setting.quick else STEPS
    sides = {
        f"{network}|{name}|{way}": partial(fresh, step, network, name, way, steps)
        for network in NETWORKS
        for name in NAMES
        for way in ("ours", "default")
    }
    found = best(sides, setting.repeats, setting.together)
    rows = []
    for network in NETWORKS:
        for name in NAMES:
            ours, default = (found[f"{network}|{name}|{way}"]["us"] for way in ("ours", "default"))
            rows.append([network, name, f"{ours:.0f}", f"{default:.0f}", f"{default / ours:.1f}"])
    columns = ("network", "optimiser", "ours, µs", "PyTorch's default, µs", "ratio")
    title = "optimizers: one step of the optimiser"
    return [Table(title, f"{steps} steps, one thread", setting.repeats, columns, rows, names=2)]


def step(network: str, name: str, way: str, steps: int) -> Figures:
    """Microseconds of CPU time of a step."""
    from darkroom.base import torch_setup

    torch = torch_setup.torch_for(threads=1, portable=False)
    from darkroom.network import architectures
    from darkroom.training.optimizers import make_optimizer

    torch.manual_seed(0)
    built = architectures.build(MODEL.model_copy(update=NETWORKS[network]), (28, 28, 1), 10)
    optimizer = make_optimizer(built, TRAIN.model_copy(update={"optimizer": name, "momentum": 0.9}))
    if way == "default":
        for group in optimizer.param_groups:
            group["fused"] = None
    for parameter in built.parameters():
        parameter.grad = torch.randn_like(parameter) / 100
    for _ in range(10):
        optimizer.step()
    with clock() as figures:
        for _ in range(steps):
            optimizer.step()
    return {"us": figures["cpu"] / steps * 1e6}
