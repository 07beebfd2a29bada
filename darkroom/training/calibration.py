"""Temperature scaling: one number brings the network's confidence into line with its accuracy.

Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599, section 4.2: logits are divided by a
temperature before the softmax. The most probable class stays the same. A temperature below 1 raises confidence, as is
needed after label smoothing; one above 1 lowers it.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar  # type: ignore[import-untyped]
from scipy.special import logsumexp  # type: ignore[import-untyped]

from darkroom.dataset.packed import Labels

BOUNDS = (0.05, 20.0)
STEP = 2**22  # logits that are processed at a time


def fit_temperature(labels: Labels, logits: NDArray[np.float32]) -> float:
    """The temperature with the lowest log loss on `labels` (N) and `logits` (N x classes), rounded to 4 digits.

    The labels are smoothed: 1 / (N + 1) of each is spread evenly over all classes, which weighs as much as one more
    image of unknown class (after Platt 1999, "Probabilistic Outputs for Support Vector Machines", section 2.2). Without
    it the temperature would go to 0 if every image is right, though 100 right images do not prove that the next one is.
    Among many images it weighs nothing. The result lies within `BOUNDS`; it is 1 without images, or if a logit is not
    finite.
    """
    count = len(labels)
    if not count or not np.isfinite(logits).all():
        return 1.0
    # The logits' linear part of the loss: that of the true classes, and that of the smoothing over all classes.
    chosen = float(logits[np.arange(count), labels].sum(dtype=np.float64) + logits.mean(dtype=np.float64))
    parts = np.array_split(logits, -(-logits.size // STEP))

    def loss(log_temperature: float) -> float:
        scale = math.exp(-log_temperature)
        total = sum(float(logsumexp(part * np.float64(scale), axis=1).sum()) for part in parts)
        return (total * (1 + 1 / count) - chosen * scale) / (count + 1)

    best = minimize_scalar(
        loss, bounds=[math.log(bound) for bound in BOUNDS], method="bounded", options={"xatol": 1e-6}
    )
    return round(math.exp(best.x), 4)
