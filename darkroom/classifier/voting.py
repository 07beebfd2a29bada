"""Test-time augmentation: the network classifies an image and changed copies of it; their probabilities are averaged.

Krizhevsky et al. 2012 (section 4.1, ten crops); here with any list of changes that training knows.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darkroom.augment import pipeline
from darkroom.augment.pipeline import Augment
from darkroom.augment.randomness import Draw, seed_of
from darkroom.base.console import bar
from darkroom.base.errors import UserError
from darkroom.classifier.trained_network import TrainedNetwork
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Evaluate
from darkroom.dataset.packed import Images, Rows
from darkroom.network.normalisation import to_bytes_scale

BLOCK = 512  # images whose random changes are drawn together, whatever the batch size
READ_BYTES = 2**26  # images are read in parts of about this size


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Temperature scaling of probabilities (N x classes), whose logarithms are divided by `temperature` as logits.

    Averaging comes first, then scaling, as in Rahaman and Thiery 2021, arXiv:2007.08792. The temperature is the one
    that was fitted without copies.
    """
    result: NDArray[np.float32] = torch.from_numpy(probabilities).log().div(temperature).softmax(1).numpy()
    return result


@dataclass(frozen=True)
class Vote:
    """The settings: the vote is on each image as it is, and on `copies` of it, changed at random from `seed`.

    `batch_size` images (with copies, at most 512) go through the network at once; it does not change what is drawn.
    """

    change: Augment
    copies: int
    seed: int
    batch_size: int


def vote_of(facts: ModelFacts, settings: Evaluate, classifier: TrainedNetwork) -> Vote:
    """The settings of test-time augmentation: changes from `evaluate.tta.changes`, else those of the training.

    Raises UserError where copies are wanted, but both lists of changes are empty.
    """
    changes = facts.augment if settings.tta.changes is None else settings.tta.changes
    if settings.tta.copies and not changes:
        raise UserError(
            f"evaluate.tta.copies is {settings.tta.copies}, but there is nothing to change the copies by: training had "
            "no augment. List changes in evaluate.tta.changes"
        )
    border = to_bytes_scale(facts.border).flatten().to(classifier.mean.device)
    change = pipeline.build(changes, border, classifier.mean.flatten())
    return Vote(change, settings.tta.copies, facts.train.seed, settings.batch_size)


def by_parts(
    classifier: TrainedNetwork, images: Images, rows: Rows, vote: Vote, what: str
) -> Iterator[NDArray[np.float32]]:
    """The mean probabilities of the images at `rows`, a part at a time, with a progress bar called `what`."""
    # Parts are whole blocks, so that an image's random changes do not depend on the size of a part.
    step = BLOCK * math.ceil(max(vote.batch_size, READ_BYTES // images[0].nbytes) / BLOCK)
    for start in bar(what=what, unit="part", items=range(0, len(rows), step)):
        part = rows[start : start + step]
        yield mean_probabilities(classifier, images[part], part, vote)
    if classifier.frozen is not None:
        classifier.frozen.keep()


@torch.inference_mode()
def mean_probabilities(classifier: TrainedNetwork, images: Images, rows: Rows, vote: Vote) -> NDArray[np.float32]:
    """Mean probabilities (N x classes, float32, not calibrated) over each image and its changed copies.

    `images` are uint8, N x height x width x channels, those at `rows` of the data set.
    """
    classifier.network.eval()
    device, copies, batch_size = classifier.mean.device, vote.copies, vote.batch_size
    means = []
    # The changes of a block are drawn together; the network takes the block batch by batch.
    block = BLOCK if copies else batch_size
    for first in range(0, len(images), block):
        positions = torch.tensor(rows[first : first + block])
        for start in range(0, len(positions), batch_size):
            part = torch.arange(start, min(start + batch_size, len(positions)))
            chosen = np.ascontiguousarray(images[first + start : first + start + len(part)])
            stored = torch.from_numpy(chosen).to(device)
            # 1. The images as they are.
            total = classifier.logits(stored).float().softmax(1)
            # 2. Copies, each changed by a random generator of its own for the block.
            for copy in range(1, copies + 1):
                generator = torch.Generator().manual_seed(seed_of(vote.seed, copy, int(positions[0])))
                changed = vote.change(
                    stored.permute(0, 3, 1, 2).float(), Draw(generator, positions, part, copy, device)
                )
                logits: Tensor = classifier.network(changed.sub(classifier.mean).div_(classifier.std))
                total += logits.float().softmax(1)
            means.append(total / (copies + 1))
    result: NDArray[np.float32] = torch.cat(means).cpu().numpy()
    return result
