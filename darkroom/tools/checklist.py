"""The check-list before a long training: one line a check, with what to do if it fails.

No file of the pipeline is written, every check works on a copy of the network, and `train.seed` decides all random
draws. The list is Karpathy's, "A Recipe for Training Neural Networks" (2019,
https://karpathy.github.io/2019/04/25/recipe/); the learning-rate range test is Smith's (2017, arXiv:1506.01186).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from darkroom.base import paths
from darkroom.base.console import bar, done
from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params
from darkroom.config.stage_files import Stats
from darkroom.dataset.packed import (
    Images,
    Labels,
    Rows,
    labels_of,
    load_classes,
    load_images,
    load_index,
    load_split,
)
from darkroom.drawing import style, training_charts
from darkroom.network import devices, normalisation
from darkroom.network.normalisation import to_bytes_scale
from darkroom.tools import data_checks, learning_rate_search, network_checks, training_checks
from darkroom.tools.check import Check
from darkroom.tools.learning_rate_search import RangeTest
from darkroom.tools.network_checks import Batch
from darkroom.training import memory_plan
from darkroom.training.batches import Batches
from darkroom.training.recipe import Recipe, from_parameters

PICTURE = Path("metrics/check/learning_rates.png")
SAMPLE, SAMPLE_BYTES = 512, 2**26  # limits of the training images that the checks before training see
BATCH = 64  # images at most in a batch of these checks, and in the one batch that is learned by heart


def run(params: Params, entry: Entry) -> bool:
    """Make all checks on the packed data set, and print each result at once; return whether no check failed.

    Raises UserError where the packed data set is missing.
    """
    missing = [
        str(file) for file in (paths.IMAGES, paths.INDEX, paths.CLASSES, paths.SPLIT, paths.STATS) if not file.is_file()
    ]
    if missing:
        raise UserError(f"there is no {' and no '.join(missing)}: `dvc repro stats` makes what the checks need")
    found = []
    test: list[RangeTest] = []
    for check in _checks(params, entry, test.append):
        print(check, flush=True)
        found.append(check)
    failed = [check.name for check in found if check.passed is False]
    written = f"wrote {PICTURE}" if test else "nothing was written"
    suggested = test[0].suggestion if test else None
    if failed:
        done(
            f"{len(failed)} of {len(found)} checks failed: {', '.join(failed)}; {written}",
            "mend that, then python -m darkroom check",
        )
    elif suggested is None:
        done(f"no check failed; {written}", "dvc exp run")
    else:
        rates = ",".join(f"{rate:g}" for rate in suggested)
        done(f"no check failed; {written}", f"dvc exp run; to compare rates, dvc exp run --queue -S train.lr={rates}")
    return not failed


@dataclass(frozen=True)
class Packed:
    """The packed data set: all images, the index, and rows and labels of train and val."""

    images: Images
    index: pd.DataFrame
    rows: dict[str, Rows]
    labels: dict[str, Labels]

    @classmethod
    def load(cls) -> Self:
        """Read it from the files of the stages extract and split."""
        index, rows = load_index(), {"train": load_split("train"), "val": load_split("val")}
        return cls(load_images(), index, rows, {name: labels_of(index, rows[name]) for name in rows})

    def sample(self, recipe: Recipe, places: Sequence[int] | NDArray[np.int64], size: int) -> list[Batch]:
        """Batches of up to `size` training images, normalised but not augmented; `places` count within the split."""
        device = recipe.fabric.device
        stored = torch.from_numpy(np.ascontiguousarray(self.images[self.rows["train"][places]])).to(device)
        targets = torch.from_numpy(self.labels["train"][places]).to(device)
        inputs = normalisation.normalise(stored, recipe.mean, recipe.std)
        pieces = math.ceil(len(places) / size)  # of nearly equal size: batch norm needs at least two images
        return list(zip(inputs.tensor_split(pieces), targets.tensor_split(pieces), strict=True))

    def batches(self, recipe: Recipe, rows: dict[str, Rows]) -> dict[str, Batches]:
        """The training's own batches, of these rows of train and val."""
        return recipe.data(self.images, rows, {name: labels_of(self.index, rows[name]) for name in rows})


def _checks(params: Params, entry: Entry, tested: Callable[[RangeTest], object]) -> Iterator[Check]:
    """Make one check after the other, lazily; stop early where the next ones would be impossible.

    `tested` receives the result of the learning-rate range test.
    """
    # 1. The data.
    data, names, stats = Packed.load(), load_classes(), Stats.read(paths.STATS)
    yield (check := data_checks.shapes(data.images, entry.shape, len(data.rows["train"]), len(data.rows["val"])))
    if check.passed is False:
        return
    yield (check := data_checks.class_counts(data.labels["train"], data.labels["val"], names))
    if check.passed is False:
        return
    # 2. The network before training, on a sample of the training images.
    alone = {"devices": 1, "num_nodes": 1, "strategy": "auto"}
    params = params.model_copy(update={"train": params.train.model_copy(update=alone)})
    device = devices.device_of_training(params.train)
    held = sum(map(len, data.rows.values())) * data.images[0].nbytes
    taken = memory_plan.plan(params, entry.shape, len(names), device, held)
    yield training_checks.memory(taken)
    params = params.model_copy(update={"train": params.train.model_copy(update={"accumulate": taken.parts})})
    recipe, _ = from_parameters(params, entry, names, stats, device)
    order = np.random.default_rng(recipe.settings.seed).permutation(len(data.rows["train"]))
    at_most = min(SAMPLE, max(BATCH, SAMPLE_BYTES // data.images[0].nbytes))
    sample = data.sample(recipe, order[:at_most], _batch_size(recipe))
    # The check takes the data set's own mean and deviation; a pretrained network normalises by ImageNet's.
    own_mean, own_std = (to_bytes_scale(values).to(recipe.mean.device) for values in (stats.mean, stats.std))
    inputs = torch.cat([images for images, _ in sample])
    yield data_checks.normalisation(inputs.mul(recipe.std).add(recipe.mean - own_mean).div(own_std))
    yield (check := network_checks.outputs(recipe.network, sample[0][0], len(names)))
    if check.passed is False:
        return
    yield network_checks.independence(recipe.network, sample[0][0])
    torch.manual_seed(recipe.settings.seed)
    loss, accuracy = network_checks.measure(recipe.network, sample)
    largest = np.bincount(data.labels["train"]).max() / len(data.labels["train"])
    yield network_checks.first_loss(loss, accuracy, len(names), largest)
    torch.manual_seed(recipe.settings.seed)
    yield network_checks.gradients(recipe.network, sample)
    # 3. The network in training.
    yield from _training_checks(recipe, data, loss, tested)


def _batch_size(recipe: Recipe) -> int:
    """Images in a batch of the checks: at most `BATCH`, and as few as in the training, but at least 4."""
    return max(4, min(BATCH, recipe.settings.batch_size // recipe.settings.parts))


def _training_checks(
    recipe: Recipe, data: Packed, first_loss: float, tested: Callable[[RangeTest], object]
) -> Iterator[Check]:
    """The checks that train: one batch, a smoke run, and the range test, whose result `tested` receives."""
    settings, rows = recipe.settings, data.rows
    with bar(what="one batch", unit="step") as shown:
        places = training_checks.distinct(
            data.images, rows["train"], data.labels["train"], _batch_size(recipe), settings.seed
        )
        (batch,) = data.sample(recipe, places, len(places))
        check = training_checks.one_batch(recipe.network, *batch, shown.update)
    yield check
    smoke = data.batches(recipe, training_checks.smoke_rows(rows["train"], rows["val"], settings.seed))
    epochs = training_checks.smoke_epochs(settings, len(smoke["train"]))
    steps = epochs * math.ceil(len(smoke["train"]) / settings.batch_size)
    with bar(what="smoke run", unit="step", total=steps) as shown:
        check = training_checks.smoke_run(recipe, smoke, first_loss, len(rows["train"]), shown.update)
    yield check
    whole = smoke if len(smoke["train"]) == len(rows["train"]) else data.batches(recipe, rows)
    with bar(what="learning rates", unit="step", total=learning_rate_search.STEPS) as shown:
        test = learning_rate_search.range_test(recipe, whole["train"], shown.update)
    if test.rates:
        style.save(
            training_charts.learning_rates(test.rates, test.losses, test.smoothed, test.suggestion, settings.lr),
            PICTURE,
        )
        tested(test)
    yield training_checks.learning_rate(test, settings)
