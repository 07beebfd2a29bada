"""The check-list before a long training: one line for each check, with what to do where something is wrong.

Nothing of the pipeline's is written, every check works on a copy of the network, and all chance follows from
`train.seed`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from darkroom.base import paths
from darkroom.base.console import bar, done
from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params
from darkroom.config.stage_files import Stats
from darkroom.dataset.packed import Rows, labels_of, load_classes, load_images, load_index, load_split
from darkroom.drawing import charts, style
from darkroom.network import normalisation
from darkroom.network.normalisation import to_bytes_scale
from darkroom.tools import checks, learning_rate_search
from darkroom.tools.checks import Batch, Check
from darkroom.tools.learning_rate_search import RangeTest
from darkroom.training.batches import Batches
from darkroom.training.recipe import from_parameters

PICTURE = Path("metrics/check/learning_rates.png")
SAMPLE, SAMPLE_BYTES = 512, 2**26  # training images that the checks of data and first weights see, at most
BATCH = 64  # images that go through the network at once, but in the last two checks; and those to be overfitted


def run(params: Params, entry: Entry) -> bool:
    """Make all checks on the packed data set, print each as soon as it is known; return whether none failed.

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


def _checks(params: Params, entry: Entry, tested: Callable[[RangeTest], object]) -> Iterator[Check]:
    """The checks in their order, each made when it is asked for; ends early where the next ones could not be made."""
    alone = {"devices": 1, "num_nodes": 1, "strategy": "auto"}
    params = params.model_copy(update={"train": params.train.model_copy(update=alone)})
    images, index, names, stats = load_images(), load_index(), load_classes(), Stats.read(paths.STATS)
    rows = {name: load_split(name) for name in ("train", "val")}
    labels = {name: labels_of(index, rows[name]) for name in rows}

    yield (check := checks.shapes(images, entry.shape, len(rows["train"]), len(rows["val"])))
    if check.passed is False:
        return
    yield (check := checks.class_counts(labels["train"], labels["val"], names))
    if check.passed is False:
        return

    recipe, _ = from_parameters(params, entry, names, stats)
    settings, network, device = recipe.settings, recipe.network, recipe.fabric.device
    mean, std = recipe.mean, recipe.std
    own_mean, own_std = (to_bytes_scale(values).to(device) for values in (stats.mean, stats.std))

    def batches_of(places: Sequence[int] | NDArray[np.int64], size: int) -> list[Batch]:
        stored = torch.from_numpy(np.ascontiguousarray(images[rows["train"][places]])).to(device)
        targets = torch.from_numpy(labels["train"][places]).to(device)
        pieces = math.ceil(len(places) / size)  # of nearly equal size: batch norm wants two images at least
        inputs = normalisation.normalise(stored, mean, std)
        return list(zip(inputs.tensor_split(pieces), targets.tensor_split(pieces), strict=True))

    size = max(4, min(BATCH, settings.batch_size // settings.accumulate))
    order = np.random.default_rng(settings.seed).permutation(len(rows["train"]))
    fitting = max(BATCH, SAMPLE_BYTES // images[0].nbytes)
    sample = batches_of(order[: min(SAMPLE, fitting)], size)

    # By the data set's own figures, also where training starts from weights and normalises by ImageNet's.
    yield checks.normalisation(torch.cat([inputs for inputs, _ in sample]).mul(std).add(mean - own_mean).div(own_std))
    yield (check := checks.outputs(network, sample[0][0], len(names)))
    if check.passed is False:
        return
    yield checks.independence(network, sample[0][0])
    torch.manual_seed(settings.seed)
    loss, accuracy = checks.measure(network, sample)
    yield checks.first_loss(loss, accuracy, len(names), np.bincount(labels["train"]).max() / len(labels["train"]))
    torch.manual_seed(settings.seed)
    yield checks.gradients(network, sample)
    with bar(what="one batch", unit="step") as shown:
        places = checks.distinct(images, rows["train"], labels["train"], size, settings.seed)
        (batch,) = batches_of(places, len(places))
        check = checks.one_batch(network, *batch, shown.update)
    yield check

    def data(part: dict[str, Rows]) -> dict[str, Batches]:
        own = {name: labels_of(index, part[name]) for name in part}
        return recipe.data(images, part, own)

    smoke = data(checks.smoke_rows(rows["train"], rows["val"], settings.seed))
    epochs = checks.smoke_epochs(settings, len(smoke["train"]))
    steps = epochs * math.ceil(len(smoke["train"]) / settings.batch_size)
    with bar(what="smoke run", unit="step", total=steps) as shown:
        check = checks.smoke_run(recipe, smoke, loss, len(rows["train"]), shown.update)
    yield check
    whole = smoke if len(smoke["train"]) == len(rows["train"]) else data(rows)
    with bar(what="learning rates", unit="step", total=learning_rate_search.STEPS) as shown:
        test = learning_rate_search.range_test(recipe, whole["train"], shown.update)
    if test.rates:
        figure = charts.learning_rates(test.rates, test.losses, test.smoothed, test.suggestion, settings.lr)
        style.save(figure, PICTURE)
        tested(test)
    yield checks.learning_rate(test, settings)
