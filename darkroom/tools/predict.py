"""Predict classes of many pictures: threads decode them ahead, while torch loads and while the network runs."""

import gc
import math
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darkroom.base import torch_setup
from darkroom.base.console import bar, silent_libraries
from darkroom.base.errors import UserError
from darkroom.base.processor import cores
from darkroom.classifier.model_folder import model_files
from darkroom.classifier.opening import Opened, Reading
from darkroom.config.model_facts import ModelFacts
from darkroom.pictures.decoding import Target
from darkroom.tools import find_pictures, prediction_output
from darkroom.tools.prediction_sheet import MANY, SHEET, PredictionSheet

if TYPE_CHECKING:
    from darkroom.classifier.inference import Classifier, Invert

AHEAD_BYTES = 2**26  # of decoded pictures that wait for the network
BATCH_BYTES = 2**21  # of pictures that go through the network together: few, so that it runs while others are decoded
FEWEST, MOST = 16, 256
SMALL = 2**13  # bytes of a file that the main thread opens itself

Outcome = tuple[str, Opened | UserError]  # the name of a picture, and what came of it


@dataclass(frozen=True)
class Wanted:
    """What the user asks for."""

    top_k: int
    form: prediction_output.Form
    invert: "Invert"
    fit: bool


def run(names: Iterator[str], folder: str, wanted: Wanted) -> tuple[int, int]:
    """Print the most probable classes of each picture; return how many there were, and how many cannot be used.

    The model lies in `folder`. A picture that cannot be used is an error on standard error, and the rest goes on.
    """
    facts = ModelFacts.read(model_files(folder)[0])
    size = math.prod(facts.shape)
    batch, most = (max(FEWEST, min(MOST, limit // size)) for limit in (BATCH_BYTES, AHEAD_BYTES))
    # What `fit` cuts out follows from what the model has learned, so that it waits for torch.
    classifier = _load(folder) if wanted.fit else None
    reading = Reading(Target(facts.shape, facts.resize)) if classifier is None else classifier.reading

    def opened(name: str) -> Outcome:
        title, invert = find_pictures.title(name), wanted.invert == "always"
        try:
            return name, reading.open(find_pictures.content(name), invert=invert, fit=wanted.fit, name=title)
        except UserError as error:
            return name, error

    with silent_libraries(), ahead(names, opened, most) as outcomes, bar(what="predict", unit="picture") as shown:
        return _classify(outcomes, classifier or _load(folder), wanted, batch, shown)


def _load(folder: str) -> "Classifier":
    gc.disable()  # imports leave no garbage to look for, which would take a tenth of their time
    torch_setup.torch_for(threads=0, portable=False)
    from darkroom.classifier.inference import Classifier

    try:
        return Classifier.load(folder)
    finally:
        gc.enable()


@contextmanager
def ahead(
    names: Iterator[str], opened: Callable[[str], Outcome], most: int, threads: int | None = None
) -> Iterator[Iterator[Outcome]]:
    """Open pictures in threads, from now on; what came of them is yielded in their order, at most `most` wait."""
    # One core is left to the main thread, which loads torch and runs the network.
    pool = ThreadPoolExecutor(threads or max(1, cores() - 1))

    def begun(name: str) -> Future[Outcome]:
        if not _is_small(name):
            return pool.submit(opened, name)
        done: Future[Outcome] = Future()
        done.set_result(opened(name))
        return done

    waiting = deque(map(begun, islice(names, most)))

    def results() -> Iterator[Outcome]:
        while waiting:
            first = waiting.popleft().result()
            waiting.extend(map(begun, islice(names, 1)))
            yield first

    try:
        yield results()
    finally:
        pool.shutdown(cancel_futures=True)


def _is_small(name: str) -> bool:
    """Whether it takes less time to open a file than to hand it to a thread, as for one that is not there."""
    try:
        return name != find_pictures.STDIN and Path(name).stat().st_size < SMALL
    except OSError:
        return True


def _classify(
    outcomes: Iterator[Outcome], classifier: "Classifier", wanted: Wanted, batch: int, shown: Any
) -> tuple[int, int]:
    """Classify and print, batch by batch; return how many pictures there were, and how many cannot be used."""
    write = prediction_output.writer(wanted.form, min(wanted.top_k, len(classifier.classes)))
    count = unusable = 0
    sheet = PredictionSheet() if wanted.form == "text" else None
    for part in find_pictures.batches(outcomes, batch):
        for _, outcome in part:
            if isinstance(outcome, UserError):
                unusable += 1
                shown.write(f"error: {outcome}", file=sys.stderr)
        usable = {name: outcome for name, outcome in part if isinstance(outcome, Opened)}
        found = classifier.classify(list(usable.values()), wanted.top_k, choose_negatives=wanted.invert == "auto")
        # The progress bar is hidden while lines are printed.
        with shown.external_write_mode(sys.stdout):
            write(dict(zip(usable, found, strict=True)))
        if sheet is not None:
            sheet.add(usable, found)
        shown.update(len(part))
        count += len(part)
    if sheet is not None and sheet.seen >= MANY:
        sheet.write(SHEET)
        print(f"wrote {SHEET}: these pictures with their classes, the doubtful first", file=sys.stderr)
    return count, unusable
