"""Verdicts in words: on the curves of a training (docs/parameters.md), and on a model that the baselines beat."""

import math
from statistics import mean

import pandas as pd

from darkroom.config.params import Train
from darkroom.config.stage_files import Comparison

LOW = 0.9  # training accuracy; a network below it may be under-fitting
GAP = 0.05  # training accuracy minus val accuracy; a network with a larger gap is not under-fitting
RISE, RISE_NATS = 0.05, 0.02  # rise of the val loss over its minimum that counts: as a share, and in nats
CHANCE = 0.05  # p from which a difference may be chance
OF_FEATURES = ("linear_probe", "nearest_neighbours")  # baselines on the features of pretrained weights
FALL = 0.02  # fall of the val loss, from one tenth of the epochs to the next, that counts: as a share


def fit_in_words(history: pd.DataFrame) -> str:
    """One sentence on the curves; `history` has train_loss, train_accuracy, val_loss and val_accuracy by epoch.

    Over-fitting from epoch n: the val loss was lowest at n and ended more than 5 % and 0.02 nats higher, while the
    training loss fell further. Unstable: the same, but the training loss fell no further, or the val loss ended as no
    finite number. Under-fitting: the training accuracy ended below 90 % and less than 5 points above val's. Still
    improving: neither over-fitting nor unstable, and the mean val loss of the last tenth of the epochs is more than
    2 % below that of the tenth before.
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
