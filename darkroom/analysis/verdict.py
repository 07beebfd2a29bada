"""Verdicts in words: on the curves of a training (docs/parameters.md), and on a model that the baselines beat."""

import math
from itertools import pairwise
from statistics import mean, stdev

import pandas as pd

from darkroom.config.params import Train
from darkroom.config.stage_files import Comparison

LOW = 0.9  # training accuracy; a network below it may be under-fitting
GAP = 0.05  # training accuracy minus val accuracy; a network with a larger gap is not under-fitting
RISE, RISE_NATS = 0.05, 0.02  # rise of the val loss over its minimum that counts: as a share, and in nats
CHANCE = 0.05  # p from which a difference may be chance
OF_FEATURES = ("linear_probe", "nearest_neighbours")  # baselines on the features of pretrained weights
FALL = 0.02  # fall of the val loss, from some epochs to the next ones, that counts: as a share
SEVERAL = 3  # epochs, at least, whose val losses are compared with those of as many before
ENDED = 0.05  # learning rate at the end, as a share of the highest, below which more epochs would change little


def fit_in_words(history: pd.DataFrame) -> str:
    """One sentence on the curves; `history` has train_loss, train_accuracy, val_loss and val_accuracy by epoch.

    Over-fitting from epoch n: the val loss was lowest at n and ended more than 5 % and 0.02 nats higher, while the
    training loss fell further. Unstable: the same, but the training loss fell no further, or the val loss ended as no
    finite number. Under-fitting: the training accuracy ended below 90 % and less than 5 points above val's. Still
    improving: neither over-fitting nor unstable, the learning rate has not ended, and the val loss fell as `_fall`
    says. `history` also has lr, the learning rate.
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
    fall = "" if found else _fall(losses)
    reached = column["train_accuracy"][-1]
    if reached < LOW and reached - column["val_accuracy"][-1] < GAP:
        found.append(f"under-fitting: only {reached:.0%} of the training images are classified right")
    ended = history["lr"].iloc[-1] < ENDED * history["lr"].max()
    if fall and not ended:
        found.append(f"still improving: {fall}")
    if found:
        return "; ".join(found)
    if len(losses) < SEVERAL:
        return f"too few epochs to judge by ({len(losses)})"
    if fall:
        return f"a sound fit: {fall}, as the learning rate came to its end"
    return "a sound fit: validation loss is level at the end, near its lowest"


def _fall(losses: list[float]) -> str:
    """How the val loss fell at the end, beyond its noise; nothing where it did not.

    The mean of the last tenth of the epochs, three at least, is compared with that of as many before: it must be more
    than 2 % lower, and by more than two standard errors, where the differences of successive epochs measure the noise.
    Where there are fewer epochs than that takes, the loss must have fallen in every one.
    """
    window = max(SEVERAL, len(losses) // 10)
    last = losses[-2 * window :]
    steps = [now - before for before, now in pairwise(last)]
    if len(losses) < SEVERAL or not all(map(math.isfinite, last)):
        return ""
    if len(losses) < 2 * window:
        fell = max(steps) < 0 and last[-1] < (1 - FALL) * last[-2]
        return f"validation loss fell in each of the {len(losses)} epochs" if fell else ""
    before, now = mean(last[:window]), mean(last[window:])
    # A step is the difference of two epochs, so its variance is twice theirs; so is that of the difference of means.
    error = stdev(steps) / math.sqrt(window)
    if before - now <= max(FALL * before, 2 * error):
        return ""
    return f"validation loss fell by {1 - now / before:.0%} from the {window} epochs before to the last {window}"


def shortfall(baselines: Comparison) -> str:
    """A sentence where the network is worse than the best baseline on test; else an empty text.

    `baselines` is that part of metrics/evaluate.json.
    """
    reached, best = baselines.test_accuracy, baselines.best
    if reached["network"] >= reached[best]:
        return ""
    p_value = baselines.mcnemar.p_value
    chance = f", which may be chance (p = {p_value:.2f})" if p_value >= CHANCE else ""
    return f"the network ({reached['network']:.2%} on test) is worse than {best} ({reached[best]:.2%}){chance}"


def remedy(baselines: Comparison, train: Train) -> str:
    """What to try next where the network is worse than the best baseline; `baselines` as for `shortfall`.

    `train` is how the network was trained.
    """
    if baselines.best not in OF_FEATURES or not 0 < train.freeze_epochs < train.epochs:
        return "python -m darkroom check, which says what may be wrong"
    lower, alone = train.unfreeze_lr_factor * 0.3, train.freeze_epochs
    return (
        f"dvc exp run -S train.unfreeze_lr_factor={lower:.2g}, for all layers may have learned too fast; or the head "
        f"alone, -S train.epochs={alone} -S train.freeze_epochs={alone}"
    )
