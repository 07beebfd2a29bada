"""What a training will take of disk and time, told when it begins."""

import shutil
import time
from collections.abc import Callable

from darkroom.base import paths
from darkroom.base.words import counted, duration, size
from darkroom.config.params import Train
from darkroom.training.memory_plan import Plan

SECONDS = 2.0  # of steps that are timed, at least; a shorter training says nothing
FORWARD = 1 / 3  # of a step's work; backward is twice as much. A step of the head alone and validation have no other


def disk(taken: Plan, settings: Train) -> str:
    """A line on the disk that weights and checkpoints take."""
    epochs = taken.weights * settings.epochs if settings.keep_epochs else 0
    # A checkpoint is written beside the last one. Weights of epochs wait there until the training has ended.
    models, checkpoints = taken.weights + epochs, 2 * taken.network + epochs
    free = shutil.disk_usage(paths.root()).free
    line = (
        f"disk: {size(models)} for the weights in {paths.WEIGHTS.parent}, at most {size(checkpoints)} in .checkpoints "
        f"until the training has ended; {size(free)} are free"
    )
    return line if models + checkpoints <= free else f"warning: the disk is too small for this training; {line}"


class Pace:
    """Tells, once the first steps are done, about how long the training takes. It times the training's own steps."""

    def __init__(
        self, settings: Train, images: dict[str, int], done: int, quick: int, tell: Callable[[str], object]
    ) -> None:
        """`images` has the numbers of train and val, `done` is the number of epochs that an earlier run has done.

        The first `quick` epochs, of the head alone on kept features, are over in no time and say nothing of the others.
        """
        self._settings, self._images, self._tell = settings, images, tell
        self._each = -(-images["train"] // settings.batch_size)
        self._after = max(done, quick)
        self._steps, self._started, self._told = (done - self._after) * self._each, 0.0, False

    def __call__(self) -> None:
        """Note that a step has ended."""
        if self._told:
            return
        now = time.perf_counter()
        self._steps += 1
        if self._steps < 1:
            return
        if self._steps == 1:  # it warms up
            self._started = now
        elif now - self._started >= SECONDS:
            self._told = True
            self._tell(self._in_words((now - self._started) / (self._steps - 1)))

    def _in_words(self, seconds: float) -> str:
        settings, after = self._settings, self._after
        left = range(after + 1, settings.epochs + 1)
        work = sum(FORWARD if epoch <= settings.freeze_epochs else 1.0 for epoch in left)
        if self._steps <= self._each:  # else validation was among what was timed
            work += FORWARD * len(left) * self._images["val"] / self._images["train"]
        work /= FORWARD if after < settings.freeze_epochs else 1.0
        return (
            f"about {duration(work * self._each * seconds)} to train: {counted(len(left), 'epoch')} of "
            f"{counted(self._each, 'step')}, by the speed of the first {self._steps}"
        )
