"""Learning rate and training loss by step, where `tracking.steps` asks for them."""

from torch import Tensor

from darkroom.training.step import Step

StepFigures = dict[str, float]  # of the steps since the figures before


class StepTrace:
    """Notes a learning rate and a mean loss every so many steps; None: never.

    The losses stay on the device until `taken` reads them, for reading a number would wait for the step. With several
    processes they are those of this one's share of the images.
    """

    def __init__(self, every: int | None, done: int) -> None:
        self._every, self._done = every, done  # steps before this run, of a training that goes on
        self._noted: list[tuple[int, float, Tensor, int]] = []

    def __call__(self, rate: float, step: Step) -> None:
        """Note the step that was just taken at this rate, if it is one of those."""
        self._done += 1
        if self._every is not None and self._done % self._every == 0:
            self._noted.append((self._done, rate, step.loss_sum.clone(), step.seen))

    def taken(self) -> list[StepFigures]:
        """The figures of the epoch that ends: `step` from 1, `step_lr`, and `step_train_loss` over the steps since."""
        found, loss, seen = [], 0.0, 0
        for number, rate, loss_sum, images in self._noted:
            total = loss_sum.item()
            found.append({"step": number, "step_lr": rate, "step_train_loss": (total - loss) / (images - seen)})
            loss, seen = total, images
        self._noted.clear()
        return found
