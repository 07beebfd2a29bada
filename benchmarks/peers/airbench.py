"""Keller Jordan's recipe for 94 % on CIFAR-10, written anew from its description: arXiv 2404.00498 (airbench94).

What makes it fast: a frozen convolution that whitens 2x2 patches, convolutions that begin as the identity, batch norm
without scales and with biases that learn 64 times as fast, images mirrored in every other epoch, few large steps of SGD
with a triangular rate, slow weights that the fast ones are pulled back to, and six views of each test image.
"""

import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

BATCH, MOMENTUM, SMOOTHING = 1024, 0.85, 0.2
RATE, DECAY = 11.5, 0.0153  # of 1,024 images and of the momentum's sum
PER_IMAGE = 1024 * (1 + 1 / (1 - MOMENTUM))
NORM_RATE = 64  # times the rate, for the biases of batch norms
START, PEAK, END = 0.2, 0.23, 0.07  # of the rate: at first, when it is highest, at last
WHITEN_IMAGES, WHITEN_EPS, WHITEN_EPOCHS = 5_000, 5e-4, 3
SLOW_EVERY, SLOW_DECAY = 5, 0.95
LOGITS = 1 / 9
PAD = 2


class Outcome(NamedTuple):
    """Seconds of the training alone, and accuracy on the test images: of one view, and of six."""

    seconds: float
    accuracy: float
    voted: float


class Norm(nn.BatchNorm2d):
    """Batch norm without a scale, in float32, whatever the rest is in."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-12, momentum=0.4)
        self.weight.requires_grad_(False)


class Block(nn.Sequential):
    """Two convolutions, a max-pool after the first."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, width, 3, padding=1, bias=False), nn.MaxPool2d(2), Norm(width), nn.GELU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), Norm(width), nn.GELU(),
        )  # fmt: skip
        for part in self:
            if isinstance(part, nn.Conv2d):
                nn.init.dirac_(part.weight[: part.in_channels])


class Network(nn.Module):
    """From normalised images (N x 3 x 32 x 32) to logits."""

    def __init__(self, widths: tuple[int, int, int], classes: int) -> None:
        super().__init__()
        first, second, third = widths
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad_(False)
        self.blocks = nn.Sequential(nn.GELU(), Block(24, first), Block(first, second), Block(second, third))
        self.head = nn.Linear(third, classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        maps = functional.max_pool2d(self.blocks(self.whiten(images)), 3)
        logits: Tensor = self.head(maps.flatten(1)) * LOGITS
        return logits


def prepare(images: NDArray[np.uint8], like: NDArray[np.uint8], device: str) -> Tensor:
    """Images (uint8, N x 32 x 32 x 3) on the device, normalised by those that they are `like`."""
    kind = torch.float16 if device.startswith("cuda") else torch.float32
    mean, std = (torch.tensor(found, device=device) for found in (like.mean((0, 1, 2)), like.std((0, 1, 2))))
    parts = [
        torch.from_numpy(part).to(device).float().sub(mean).div(std).permute(0, 3, 1, 2).to(kind)
        for part in np.array_split(images, max(1, len(images) // 10_000))
    ]
    return torch.cat(parts).contiguous(memory_format=torch.channels_last)


def train(
    images: Tensor, labels: Tensor, test: Tensor, answers: Tensor, *, epochs: int,
    widths: tuple[int, int, int] = (64, 256, 256),
) -> Outcome:  # fmt: skip
    """Train on images from `prepare`, and test. All lie on one device, labels as int64."""
    torch.manual_seed(0)
    _wait(images)
    started = time.perf_counter()
    network = Network(widths, int(labels.max()) + 1).to(images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    network.to(images.dtype)
    for module in network.modules():
        if isinstance(module, Norm):
            module.float()
    network.whiten.weight.copy_(_whitening(images[:WHITEN_IMAGES]))
    nn.init.zeros_(network.whiten.bias)
    optimizer = _optimizer(network)
    steps_each = max(1, len(images) // BATCH)
    steps, done = epochs * steps_each, 0
    slow = {name: value.detach().clone() for name, value in network.state_dict().items()}
    network.train()
    for epoch, seen in enumerate(_epochs(images, epochs)):
        network.whiten.bias.requires_grad_(epoch < WHITEN_EPOCHS)
        for batch in torch.tensor_split(torch.randperm(len(images), device=images.device), steps_each):
            for group in optimizer.param_groups:
                group["lr"] = group["initial"] * _triangle(done / steps)
            loss = functional.cross_entropy(
                network(seen[batch]).float(), labels[batch], label_smoothing=SMOOTHING, reduction="sum"
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            done += 1
            if done % SLOW_EVERY == 0:
                _pull(network, slow, SLOW_DECAY**SLOW_EVERY * (done / steps) ** 3)
    _pull(network, slow, 1.0)
    _wait(images)
    seconds = time.perf_counter() - started
    network.eval()
    one, six = (_accuracy(network, test, answers, views=views) for views in (False, True))
    return Outcome(seconds, one, six)


def _optimizer(network: Network) -> torch.optim.Optimizer:
    rate, decay = RATE / PER_IMAGE, DECAY * BATCH / PER_IMAGE
    norms = [part.bias for part in network.modules() if isinstance(part, Norm)]
    known = {id(bias) for bias in norms}
    others = [one for one in network.parameters() if one.requires_grad and id(one) not in known]
    groups = [
        {"params": params, "lr": own, "initial": own, "weight_decay": decay / own}
        for params, own in ((norms, rate * NORM_RATE), (others, rate))
    ]
    return torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM, nesterov=True)


def _triangle(place: float) -> float:
    """The factor on the rate at a place of the training, from 0 to 1."""
    if place < PEAK:
        return START + (1 - START) * place / PEAK
    return 1 + (END - 1) * (place - PEAK) / (1 - PEAK)


@torch.no_grad()
def _pull(network: nn.Module, slow: dict[str, Tensor], decay: float) -> None:
    """Move the slow weights towards the network's, then set the network's to them."""
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            slow[name].lerp_(value, 1 - decay)
            value.copy_(slow[name])


@torch.no_grad()
def _whitening(images: Tensor) -> Tensor:
    """Kernels (24 x 3 x 2 x 2) whose answers on patches are uncorrelated with variance 1, and their negatives."""
    patches = functional.unfold(images.float(), 2).transpose(1, 2).flatten(0, 1)
    variances, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
    kernels = (vectors / (variances + WHITEN_EPS).sqrt()).T.flip(0).view(-1, 3, 2, 2)
    return torch.cat([kernels, -kernels])


@torch.no_grad()
def _epochs(images: Tensor, count: int) -> Iterator[Tensor]:
    """All images of each epoch: half of them mirrored, the other half in the next one, and moved by up to PAD."""
    number, _, height, width = images.shape
    device = images.device
    numbers = torch.arange(number, device=device)[:, None, None]
    mirrored = torch.rand(number, device=device) < 0.5
    wide = functional.pad(images, (PAD,) * 4, "reflect")
    for _ in range(count):
        turned = torch.where(mirrored[:, None, None, None], wide.flip(3), wide)
        down, right = torch.randint(2 * PAD + 1, (2, number, 1, 1), device=device)
        rows = down + torch.arange(height, device=device)[:, None]
        columns = right + torch.arange(width, device=device)
        moved = turned.permute(0, 2, 3, 1)[numbers, rows, columns]
        yield moved.permute(0, 3, 1, 2)
        mirrored = ~mirrored


@torch.inference_mode()
def _accuracy(network: Network, images: Tensor, answers: Tensor, *, views: bool) -> float:
    right = 0
    for part, expected in zip(torch.split(images, 2_000), torch.split(answers, 2_000), strict=True):
        logits = network(part).float()
        if views:
            wide = functional.pad(part, (1,) * 4, "reflect")
            size = part.shape[-1]
            shifted = [wide[:, :, at : at + size, at : at + size] for at in (0, 2)]
            weights = (0.25, 0.25, 0.125, 0.125, 0.125, 0.125)
            seen = [part, part.flip(3), *(view for one in shifted for view in (one, one.flip(3)))]
            logits = torch.stack([w * network(view).float() for w, view in zip(weights, seen, strict=True)]).sum(0)
        right += int((logits.argmax(1) == expected).sum())
    return right / len(answers)


def _wait(images: Tensor) -> None:
    if images.is_cuda:
        torch.cuda.synchronize()
