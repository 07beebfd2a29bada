"""What a training and its model came to, in words. The rule about curves stands in docs/parameters.md."""

import math
from statistics import mean

import pandas as pd

from darkroom.config.stage_files import Comparison

LOW = 0.9  # training accuracy under which the network is said not to have learned its images
GAP = 0.05  # training accuracy above validation's
RISE, RISE_NATS = 0.05, 0.02  # of the validation loss over its lowest value, as a share, and at least
FALL = 0.02  # of the validation loss from one tenth of the epochs to the next, as a share


def fit_in_words(history: pd.DataFrame) -> str:
    """One sentence from train_loss, train_accuracy, val_loss and val_accuracy by epoch.

    Over-fitting from epoch n: the validation loss was lowest at n, ended at least 5 % and 0.02 nats higher, and the
    training loss fell further. Unstable: the same, but the training loss fell no further, or the validation loss is no
    number at the end. Under-fitting: training accuracy ended below 90 % and less than 5 points above validation's.
    Still improving: neither of the first two, and the mean validation loss of the last tenth of the epochs is at least
    2 % under that of the tenth before.
    """
    column = {name: history[name].tolist() for name in ("train_loss", "train_accuracy", "val_loss", "val_accuracy")}
    losses = [loss if math.isfinite(loss) else math.inf for loss in column["val_loss"]]
    lowest = losses.index(min(losses))
    found = []
    if losses[-1] == math.inf or losses[-1] > max((1 + RISE) * losses[lowest], losses[lowest] + RISE_NATS):
        fell = column["train_loss"][-1] < column["train_loss"][lowest] and losses[-1] < math.inf
        found.append(
            f"{'over-fitting' if fell else 'unstable'} from epoch {lowest + 1}: "
            f"validation loss rose from {losses[lowest]:.3g} to {losses[-1]:.3g} after it"
        )
    rose = bool(found)
    reached = column["train_accuracy"][-1]
    if reached < LOW and reached - column["val_accuracy"][-1] < GAP:
        found.append(f"under-fitting: only {reached:.0%} of the training images are classified right")
    tenth = max(1, len(losses) // 10)
    if not rose and len(losses) > 2 * tenth:
        now, before = mean(losses[-tenth:]), mean(losses[-2 * tenth : -tenth])
        if now < (1 - FALL) * before:
            when = "epoch" if tenth == 1 else "tenth of the epochs"
            found.append(f"still improving: validation loss fell by {1 - now / before:.0%} in the last {when}")
    return "; ".join(found) or "a sound fit: validation loss is level at the end, near its lowest"


def shortfall(baselines: Comparison) -> str:
    """Says so where the network is worse than the best simple method; nothing where it is not.

    `baselines` is that part of metrics/evaluate.json.
    """
    reached, best = baselines.test_accuracy, baselines.best
    if reached["network"] >= reached[best]:
        return ""
    return f"the network ({reached['network']:.2%} on test) is worse than {best} ({reached[best]:.2%})"
