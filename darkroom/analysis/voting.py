"""Voting at test time: an image and changed copies of it are classified, and their probabilities averaged.

Krizhevsky et al. 2012 (section 4.1, ten crops); here with any list of changes that training knows.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darkroom.augment.pipeline import Augment
from darkroom.augment.randomness import Draw, seed_of
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.dataset.packed import Images, Rows
from darkroom.network.normalisation import normalise

BLOCK = 512  # images whose changes are drawn together, however many go through the network at once


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities (N x classes) after dividing their logarithms, which are logits, by `temperature`.

    Votes are averaged before, as Rahaman and Thiery 2021 do, arXiv:2007.08792; the temperature is that of images
    without copies.
    """
    result: NDArray[np.float32] = torch.from_numpy(probabilities).log().div(temperature).softmax(1).numpy()
    return result


@dataclass(frozen=True)
class Vote:
    """How images are voted on: each as it is, and so many copies of it, changed at random from a seed.

    `batch_size` images, of those with copies at most 512, go through the network at once; it does not change what is
    drawn.
    """

    change: Augment
    copies: int
    seed: int
    batch_size: int


@torch.inference_mode()
def votes(classifier: TrainedNetwork, images: Images, rows: Rows, vote: Vote) -> NDArray[np.float32]:
    """Mean probabilities (N x classes), not calibrated, of each image and its changed copies.

    `images` are uint8, N x height x width x channels, at these `rows` of the data set.
    """
    classifier.network.eval()
    device, copies, batch_size = classifier.mean.device, vote.copies, vote.batch_size
    means = []
    # The changes of a block are drawn together; the network works the block off batch by batch.
    block = BLOCK if copies else batch_size
    for first in range(0, len(images), block):
        positions = torch.tensor(rows[first : first + block])
        for start in range(0, len(positions), batch_size):
            part = torch.arange(start, min(start + batch_size, len(positions)))
            chosen = np.ascontiguousarray(images[first + start : first + start + len(part)])
            stored = torch.from_numpy(chosen).to(device)
            total = _softmax(classifier, normalise(stored, classifier.mean, classifier.std))
            for copy in range(1, copies + 1):
                generator = torch.Generator().manual_seed(seed_of(vote.seed, copy, int(positions[0])))
                changed = vote.change(
                    stored.permute(0, 3, 1, 2).float(), Draw(generator, positions, part, copy, device)
                )
                total += _softmax(classifier, changed.sub(classifier.mean).div_(classifier.std))
            means.append(total / (copies + 1))
    result: NDArray[np.float32] = torch.cat(means).cpu().numpy()
    return result


def _softmax(classifier: TrainedNetwork, images: Tensor) -> Tensor:
    logits: Tensor = classifier.network(images)
    return logits.float().softmax(1)
