"""Training as two processes that act as one: `python -m tests.ddp FOLDER`. Each writes there what it found.

Also the settings that tests of training start from.
"""

import sys
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from darkroom.base.processor import cores
from darkroom.config.params import Train
from darkroom.training import loop, processes
from darkroom.training.batches import Batches
from darkroom.training.recipe import Recipe

CPU = torch.device("cpu")
THREADS = cores() + 1  # more than any share of the cores
MEAN, STD = torch.full((1, 1, 1), 100.0), torch.full((1, 1, 1), 60.0)
TRAIN = {
    "seed": 1,
    "epochs": 4,
    "batch_size": 16,
    "accumulate": 1,
    "optimizer": "sgd",
    "lr": 0.05,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.0,
    "l1": 0.0,
    "max_norm": None,
    "clip": None,
    "schedule": "cosine",
    "warmup": 0.2,
    "milestones": [0.5, 0.75],
    "gamma": 0.1,
    "plateau_epochs": 5,
    "label_smoothing": 0.0,
    "class_weights": False,
    "balanced": False,
    "mixup": 0.0,
    "cutmix": 0.0,
    "ema": 0.0,
    "monitor": "val_accuracy",
    "patience": None,
    "freeze_epochs": 0,
    "unfreeze_lr_factor": 0.1,
    "freeze_statistics": False,
    "keep_epochs": False,
    "device": "cpu",
    "devices": 1,
    "num_nodes": 1,
    "strategy": "auto",
    "precision": "32",
    "compile": False,
    "memory_share": 1.0,
    "fraction": 1.0,
    "threads": 1,
    "portable": False,
}

BASE = {"epochs": 2, "batch_size": 16, "ema": 0.5, "batch_norm": True, "images": 45, "streamed": False}
# Plain: batches of 15, and validation in 2 and in 1 parts. Parts: batches in which the shares differ in size.
# Few: the last batches hold one image for two processes.
CASES = {
    "plain": {},
    "frozen": {"freeze_epochs": 1, "clip": 0.5, "l1": 0.001, "class_weights": True},
    "frozen statistics": {"freeze_epochs": 1, "freeze_statistics": True},
    "parts": {"accumulate": 3, "batch_size": 5, "images": 23, "batch_norm": False, "streamed": True},
    "parts, batch norm": {"accumulate": 3, "batch_size": 5, "images": 23},
    "few": {"batch_size": 1, "images": 3, "streamed": True},
    "balanced": {"balanced": True, "max_norm": 0.5, "monitor": "val_macro_f1"},
    "area": {"batch_size": 5, "streamed": True, "monitor": "val_auc"},
}


def settings(**changes) -> Train:
    return Train.model_validate(TRAIN | changes)


def batches(count: int, seed: int, streamed: bool) -> Batches:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count)
    images = generator.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    return Batches(images, np.arange(count), labels, CPU, memory_share=0 if streamed else 1)


def train(case: str, together: int) -> dict[str, Any]:
    """Train one case; weights, network, history, and the positions that this process has seen in each epoch."""
    options = BASE | CASES[case]
    count, streamed, norm = (options.pop(name) for name in ("images", "streamed", "batch_norm"))
    chosen = settings(**options, devices=together)
    fabric = processes.fabric(chosen, CPU, "32")
    torch.manual_seed(0)
    features = [nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6) if norm else nn.Identity(), nn.ReLU(), nn.Flatten()]
    features += [nn.Linear(216, 8), nn.BatchNorm1d(8)] if norm and case != "few" else [nn.Linear(216, 8)]
    head = nn.Sequential(nn.Linear(8, 3))
    network = nn.Sequential(OrderedDict(features=nn.Sequential(*features), head=head))
    if together > 1:
        processes.share_statistics(network, fabric.device)
    seen = []

    def change(images, draw):
        seen.append((draw.epoch, draw.ours().tolist()))
        return images + 40 * draw.uniform()[0][:, None, None, None] + 20 * draw.field(1, 8, 8)

    recipe = Recipe(fabric, network, MEAN, STD, chosen, change)
    result = loop.fit(recipe, batches(count, 1, streamed), batches(33, 2, streamed))
    return {"weights": result.weights, "network": network.state_dict(), "history": result.history, "seen": seen}


def main() -> None:
    folder = Path(sys.argv[1])
    torch.set_num_threads(THREADS)
    processes.fabric(settings(devices=2), CPU, "32")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = {case: train(case, 2) for case in CASES} | {"threads": threads}
    torch.save(found, folder / f"{torch.distributed.get_rank()}.pt")
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
