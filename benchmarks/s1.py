"""S1's training script: a Dataset that opens each file every epoch, a DataLoader, a plain loop.

It is written to be fast of its kind: the network, the loop and the loader are what such scripts have, but pixels
become a tensor in numpy, without torchvision's slower transforms. Nothing in the environment is set for it.
"""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.tree import pictures

BATCH = 128
MEAN, STD = 0.1307, 0.3081


def with_pil(path: str) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture)


def with_cv2(path: str) -> NDArray[np.uint8]:
    return cv2.imread(path, cv2.IMREAD_GRAYSCALE)  # type: ignore[no-any-return,return-value]


READERS: dict[str, Callable[[str], NDArray[np.uint8]]] = {"PIL": with_pil, "cv2": with_cv2}


class Files(Dataset[tuple[Tensor, int]]):
    """Pictures by number, read when asked for."""

    def __init__(self, files: list[tuple[str, str]], reader: str) -> None:
        self.paths = [path for path, _ in files]
        self.labels = [int(label) for _, label in files]
        self.read = READERS[reader]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, at: int) -> tuple[Tensor, int]:
        pixels = (self.read(self.paths[at]).astype(np.float32) / 255 - MEAN) / STD
        return torch.from_numpy(pixels).unsqueeze(0), self.labels[at]


def loader(folder: Path, reader: str, count: int | None = None) -> DataLoader[tuple[Tensor, int]]:
    """Batches of the pictures below a folder, or the first `count`, in random order, made in this process."""
    return DataLoader(Files(pictures(folder)[:count], reader), BATCH, shuffle=True, num_workers=0)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(1568, 500),
        nn.Sigmoid(),
        nn.Linear(500, 10),
    )


def train(model: nn.Module, batches: DataLoader[tuple[Tensor, int]], device: str = "cpu") -> float:
    """One epoch; returns the mean loss. On the CPU the moves to the device do nothing."""
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    model.train()
    total = 0.0
    for images, labels in batches:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(batches)
