"""Voting at test time: an image and changed copies of it are classified, and their probabilities averaged.

Krizhevsky et al. 2012 (section 4.1, ten crops); here with any list of changes that training knows.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darkroom.augment import Change
from darkroom.dataset import Images, Rows
from darkroom.draw import seed_of, whole
from darkroom.inference import Classifier
from darkroom.models import normalise


def tempered(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities (N x classes) after dividing their logarithms, which are logits, by `temperature`.

    Votes are averaged before, as Rahaman and Thiery 2021 do, arXiv:2007.08792; the temperature is that of images
    without copies.
    """
    result: NDArray[np.float32] = torch.from_numpy(probabilities).log().div(temperature).softmax(1).numpy()
    return result


@torch.inference_mode()
def votes(
    classifier: Classifier, images: Images, rows: Rows, change: Change, *, copies: int, seed: int, batch_size: int
) -> NDArray[np.float32]:
    """Mean probabilities (N x classes), not calibrated, of each image as it is and `copies` changed ones.

    `images` are uint8, N x height x width x channels, at these `rows` of the data set. Equal arguments give equal
    probabilities; another `batch_size` draws other changes.
    """
    classifier.network.eval()
    device = classifier.mean.device
    means = []
    for start in range(0, len(images), batch_size):
        stored = torch.from_numpy(np.ascontiguousarray(images[start : start + batch_size])).to(device)
        positions = torch.tensor(rows[start : start + batch_size])
        total = _softmax(classifier, normalise(stored, classifier.mean, classifier.std))
        for copy in range(1, copies + 1):
            generator = torch.Generator().manual_seed(seed_of(seed, copy, int(positions[0])))
            draw = whole(generator, positions, device, epoch=copy)
            changed = change(stored.permute(0, 3, 1, 2).float(), draw)
            total += _softmax(classifier, changed.sub(classifier.mean).div_(classifier.std))
        means.append(total / (copies + 1))
    result: NDArray[np.float32] = torch.cat(means).cpu().numpy()
    return result


def _softmax(classifier: Classifier, images: Tensor) -> Tensor:
    logits: Tensor = classifier.network(images)
    return logits.float().softmax(1)
