"""Cross-validation of the present parameters: every labelled image is predicted once, by a model that never saw it."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout

from darkroom.base import console, paths
from darkroom.base.errors import UserError
from darkroom.base.files import code_of, fingerprint
from darkroom.base.words import counted, duration
from darkroom.classifier.wanted_table import WantedTable
from darkroom.config import own_code
from darkroom.config.catalogue import Entry
from darkroom.config.entry_files import EntryLayout
from darkroom.config.params import Params, load
from darkroom.config.yaml_files import read_yaml
from darkroom.dataset import folds as division
from darkroom.dataset import near_duplicates
from darkroom.dataset.folds import Folds
from darkroom.dataset.links import NO_PAIRS
from darkroom.dataset.packed import Rows, load_classes, load_images, load_index
from darkroom.network import devices
from darkroom.tools import fold_training, folds_result
from darkroom.tools.experiments import dotted
from darkroom.tools.fold_statistics import GROUPS
from darkroom.tools.fold_training import Trained
from darkroom.tools.folds_result import FOLDER, Result, Whole
from darkroom.tracking import folds as tracking
from darkroom.training.checkpoint import DECISIVE_ROOMS, remove_old
from darkroom.training.trainer import checked_images

KEPT = 8  # other cross-validations whose finished folds are kept
SECTIONS = ("dataset", "split", "model", "augment", "train", "evaluate")  # of the parameters, which decide a result


def run(count: int) -> None:
    """Train and predict `count` folds, write folds/NAME, record it in MLflow, and print what came out.

    Folds that an earlier run has finished are not trained again, and one that was cut off goes on; the result has the
    same bytes. Raises UserError where the images are missing or of another data set, and for folds that cannot be.
    """
    params, entry = load()
    _check_data(entry)
    # 1. Divide. What cannot be predicted in the wanted form fails before the long work.
    index, classes = load_index(), load_classes()
    wanted = WantedTable.of(entry, classes, index)
    together = params.split.near_duplicates == "together"
    near = near_duplicates.among_labelled(load_images(), index) if together else NO_PAIRS
    folds = division.assign(index, classes, count, params.split, near)
    splits = [folds.split(number, params.split, classes) for number in folds.numbers]
    print(_understood(folds, classes, params), flush=True)
    # 2. Train what is not finished.
    digest = _fingerprint(count, params, entry)
    folder = paths.root() / ".folds" / digest
    trained = [Trained(folder / f"fold-{number}") for number in folds.numbers]
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        _train_all(splits, wanted.rows, trained)
        remove_old(folder, KEPT)
    # 3. Write, record, tell.
    parameters = dotted(read_yaml(paths.PARAMS)) | dotted(
        {params.dataset: read_yaml(paths.DATASETS)[params.dataset]}, f"{paths.DATASETS}:"
    )
    name = f"{params.dataset}-{count}-{digest[:7]}"
    whole = Whole(name, params.dataset, classes, index, folds, trained, wanted, parameters)
    result = folds_result.write(whole, splits)
    _record(params, result, trained)
    print(table(result))
    console.done(_written(result), _next(result))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of these folds. Raises UserError where another process trains them."""
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(
            f"the same folds are being trained by another process (lock in {folder}): wait for it"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _check_data(entry: Entry) -> None:
    """Raise UserError where there are no images, or those of another entry."""
    if not (paths.IMAGES.is_file() and paths.INDEX.is_file() and paths.CLASSES.is_file()):
        raise UserError(f"there are no images in {paths.DATA} yet: `dvc repro split pretrained` first")
    if paths.ENTRY_LAYOUT.is_file() and EntryLayout.read(paths.ENTRY_LAYOUT) != EntryLayout.of(entry):
        raise UserError(
            f"the images in {paths.DATA} are not those of the data set that {paths.PARAMS} names, as {paths.DATASETS} "
            "describes it now: `dvc repro split pretrained` first"
        )
    checked_images(entry)


def _fingerprint(count: int, params: Params, entry: Entry) -> str:
    """A hash of all that decides the predictions: settings, images, pretrained weights and code."""
    files = [paths.INDEX, paths.CLASSES, *code_of((*DECISIVE_ROOMS, "classifier", "analysis")), *own_code.files()]
    files += [path for path in (paths.PRETRAINED_NOTE, paths.SAMPLE) if path.is_file()]
    settings = params.model_dump(mode="json", include=set(SECTIONS))
    of_images = EntryLayout.of(entry).model_dump(mode="json")
    files.append(Path(fold_training.__file__))
    device = devices.device_of_training(params.train).type  # not what `auto` says: folds of two kinds are not mixed
    return fingerprint([count, settings, of_images, device, torch.__version__], files)


def _understood(folds: Folds, classes: list[str], params: Params) -> str:
    """What is divided, in a line or two."""
    units = int(folds.units.max()) + 1
    tied = f" in {units:,} groups that stay together" if units < len(folds.rows) else ""
    lines = [f"{params.dataset}: {counted(len(folds.rows), 'labelled image')}{tied}, {folds.count} folds"]
    if params.train.fraction < 1:
        lines.append(f"a quick look: each fold trains on {params.train.fraction:g} of its images (train.fraction)")
    of_class = np.stack([np.bincount(folds.labels[folds.fold == one], minlength=len(classes)) for one in folds.numbers])
    fewest, most = of_class.min(axis=0), of_class.max(axis=0)
    worst = int((most - fewest).argmax())
    if most[worst] - fewest[worst] > 1:
        lines.append(
            f"as even as groups allow: {classes[worst]} has {fewest[worst]:,} to {most[worst]:,} images a fold"
        )
    if folds.test:
        also = f", and {counted(folds.tied, 'image')} tied to it" if folds.tied else ""
        lines.append(f"left out: the makers' own test ({counted(folds.test, 'image')}){also}; it stays the final test")
    return "\n".join(lines)


def _train_all(splits: Sequence[pd.DataFrame], unlabelled: Rows, trained: Sequence[Trained]) -> None:
    """Train the folds that are not finished. After an interruption it is said how to go on."""
    started, mine, count = time.monotonic(), 0, len(trained)
    done = sum(each.done for each in trained)
    if done:
        print(f"{counted(done, 'fold')} of {count} finished by an earlier run")
    try:
        for number, (each, split) in enumerate(zip(trained, splits, strict=True), start=1):
            if each.done:
                continue
            size = split["split"].value_counts()
            print(
                f"\nfold {number} of {count}: {size['train']:,} images to train on, {size['val']:,} val, "
                f"{size['test']:,} held out",
                flush=True,
            )
            fold_training.train(split, number, unlabelled, each)
            done, mine = done + 1, mine + 1
            if left := count - done:
                seconds = (time.monotonic() - started) / mine * left
                print(f"about {duration(seconds)} for {counted(left, 'more fold')}", flush=True)
    except KeyboardInterrupt:
        print(
            f"{done} of {counted(count, 'fold')} are finished and kept: `darkroom folds {count}` goes on",
            file=sys.stderr,
        )
        raise
    print()


def _record(params: Params, result: Result, trained: Sequence[Trained]) -> None:
    figures: dict[str, float] = {"images": result.images, "mistakes": result.mistakes, "suspects": result.suspects}
    for name, figure in result.figures.items():
        ends = {f"{name}_low": figure.low, f"{name}_high": figure.high}
        figures |= {name: figure.value} | {key: value for key, value in ends.items() if value is not None}
    runs = []
    for fold, each in zip(result.by_fold, trained, strict=True):
        used = each.facts().train.model_dump(include={"epochs", "batch_size", "lr"})
        epochs: Any = each.history().to_dict("records")
        runs.append(
            tracking.FoldRun({"images": fold.images, **fold.figures}, {"images": fold.train_images, **used}, epochs)
        )
    folder = FOLDER / result.name
    settled = params.model_copy(update={"train": trained[0].facts().train})  # with what was `auto`
    tracking.record(settled, result.name, figures, runs, sorted(folder.iterdir()))


def table(result: Result) -> str:
    """The figures of each fold, and of all images with the 95 % interval."""
    names = list(result.figures)
    rows = [["fold", "images", "best epoch", *(name.replace("_", " ") for name in names)]]
    for number, fold in enumerate(result.by_fold, start=1):
        of_epochs = f"{fold.best_epoch} of {fold.epochs}"
        rows.append([str(number), f"{fold.images:,}", of_epochs, *(f"{fold.figures[name]:.4f}" for name in names)])
    values = [result.figures[name] for name in names]
    rows.append(["all", f"{result.images:,}", "", *(f"{figure.value:.4f}" for figure in values)])
    ends = [f"{figure.low:.4f} to {figure.high:.4f}" if figure.low is not None else "-" for figure in values]
    rows.append(["95 %", "", "", *ends])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(map(str.rstrip, lines))


def _written(result: Result) -> str:
    folder = FOLDER / result.name
    lines = [
        f"interval: jackknife over {counted(min(result.units, GROUPS), 'group')} of images; "
        "other seeds and divisions are not in it",
        f"wrote {folder}: {folds_result.ERRORS} ({counted(result.mistakes, 'mistake')}), suspects.csv "
        f"({counted(result.suspects, 'suspected label')}), predictions.parquet, {folds_result.FIGURES}",
    ]
    if result.submission:
        lines.append(f"{folder / folds_result.SUBMISSION}: the mean of the {result.folds} models")
    return "\n".join(lines)


def _next(result: Result) -> str:
    look = f"look at {FOLDER / result.name}/suspects.csv (docs/corrections.md), or " if result.suspects else ""
    return f"{look}change a parameter, `darkroom folds {result.folds}` again, `darkroom compare --folds`"
