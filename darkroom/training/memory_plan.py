"""What a training takes of the device's memory, and in how many parts a batch is worked off where that is short.

The same parameters must give the same weights where they can: more parts change batch norms' statistics, so that a
number of parts that follows from this machine's free memory is told and recorded, and never chosen in portable mode.
"""

import functools
import math
from dataclasses import dataclass

import torch
from torch import nn

from darkroom.base.words import size
from darkroom.config.params import Params, Train
from darkroom.network import architectures
from darkroom.training import step_memory
from darkroom.training.batches import free_memory
from darkroom.training.step_memory import Shape

ROOM = 0.9  # of the memory that is left, for a step: it is never used without gaps
TRIED = 16  # images of a trial on a CPU, at most


@dataclass(frozen=True)
class Plan:
    """What a training takes of the device's memory, in bytes, and the number of parts of a batch.

    `images` may be held (the rest is read from disk). `network` is its `weights` with the optimiser's state and the
    best epoch, `checkpoint` what is written of it at a time. `step` is the activations and gradients of one part,
    `known` how that is known, `room` what is left for it. `fitting` is the smallest number of parts that fits; None if
    none does.
    """

    batch_size: int
    parts: int
    images: int
    weights: int
    network: int
    checkpoint: int
    step: int
    room: int
    known: str
    fitting: int | None
    chosen: bool  # whether `auto` chose the number of parts

    @property
    def fits(self) -> bool:
        """Whether a step in these parts fits what is left of the memory."""
        return self.step <= ROOM * self.room

    def in_words(self) -> list[str]:
        """Lines for the user: what is taken, the parts that were chosen, and a warning where it does not fit."""
        of = f"{'' if self.parts == 1 else f'one of {self.parts} parts of '}a batch of {self.batch_size}"
        stays = self.network + self.checkpoint
        lines = [
            f"memory: about {size(self.step)} for {of} ({self.known}), {size(stays)} for the network with its "
            f"optimiser and checkpoint, {size(self.images)} for images; {size(self.room)} are free for the step"
        ]
        if self.chosen and self.parts > 1:
            lines.append(
                f"a batch of {self.batch_size} is worked off in {self.parts} parts, so that a step fits the memory: "
                "batch norms see the parts; train.accumulate says how many, and auto may choose others on another day"
            )
        if not self.fits:
            lines.append(f"warning: a step may not fit the memory: {self.remedy()}")
        return lines

    def remedy(self) -> str:
        """What to write where a step does not fit."""
        smaller = "a smaller train.batch_size, or a smaller image_size in datasets.yaml"
        if self.fitting is None or self.fitting <= self.parts:
            return smaller
        return f"train.accumulate={self.fitting}, {smaller}"


def plan(
    params: Params, shape: Shape, classes: int, device: torch.device, images: int, earlier: int | None = None
) -> Plan:
    """The memory that the training of these parameters takes here, and the number of parts of a batch.

    `images` is the bytes of all images of train and val; `earlier` the parts in which the same training began before it
    was killed. With `train.accumulate: auto` the number is 1 where a step of the whole batch fits, else the smallest
    power of two with which it does; but 1 in portable mode, for several processes and on an Apple GPU. Generators of
    random numbers are left as they are. A network is built for it, and let go.
    """
    settings = params.train
    free = free_memory(device) // (settings.devices if device.type == "cpu" else 1)
    several = settings.devices * settings.num_nodes > 1
    chosen = settings.accumulate == "auto" and not (settings.portable or several or device.type == "mps")
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        network = architectures.build(params.model, shape, classes)
        held, state = min(images, int(settings.memory_share * free)), state_bytes(network, settings)
        weights = weights_bytes(network)
        checkpoint = state if device.type == "cpu" else 0  # a GPU's is put together in the machine's memory
        room = max(0, free - held - state - checkpoint)
        steps = _Steps(network, settings, params.model.seen(shape), device, room=room, tried=chosen and earlier is None)
        start = earlier if chosen and earlier else settings.parts
        fitting = steps.fewest_parts(start)
        parts = (fitting or steps.most_parts) if chosen and earlier is None else start
        step, known = steps.bytes_of(parts)
    return Plan(settings.batch_size, parts, held, weights, state, checkpoint, step, room, known, fitting, chosen)


def weights_bytes(network: nn.Module) -> int:
    """The bytes of a network's weights and statistics."""
    return sum(one.nbytes for one in network.state_dict().values())


def state_bytes(network: nn.Module, settings: Train) -> int:
    """The bytes that stay through a training beside images: weights, their moments, the best and the mean ones."""
    trained = sum(one.nbytes for one in network.parameters() if one.requires_grad)
    moments = 2 if settings.optimizer != "sgd" else int(settings.momentum > 0)
    return weights_bytes(network) * (2 + (settings.ema > 0)) + trained * moments


class _Steps:
    """What a step in so many parts takes: counted without data; with `tried`, measured where that does not settle it.

    A trial on a GPU may run out of memory unharmed, so there every number of parts is really tried. A CPU's process
    would be killed: there a few images are tried, which cannot take more than half the room, and the rest is
    computed from the ratio of measured to counted bytes.
    """

    def __init__(
        self, network: nn.Module, settings: Train, shape: Shape, device: torch.device, *, room: int, tried: bool
    ) -> None:
        self._network, self._settings, self._shape, self._device = network, settings, shape, device
        self._room, self._tried = room, tried
        self._images = max(2, math.ceil(settings.batch_size / (settings.devices * settings.num_nodes)))
        self._on_gpu: dict[int, int | None] = {}  # bytes of a step, by the number of parts
        self._on_cpu: tuple[int, float] | None = None  # images of the trial, measured bytes by counted bytes
        self.most_parts: int = 1 << max(0, (self._images // 2).bit_length() - 1)  # batch norm needs two images

    def bytes_of(self, parts: int) -> tuple[int, str]:
        """What a step in so many parts takes, and how that is known."""
        count = max(2, math.ceil(self._images / parts))
        if (measured := self._on_gpu.get(parts)) is not None:
            return measured, "measured"
        bytes_counted = self._counted(count)
        if self._on_cpu is None and self._tried and self._device.type == "cpu":
            self._on_cpu = self._trial_on_cpu() if step_memory.most(bytes_counted) > self._room else None
        if self._on_cpu and self._on_cpu[0]:
            few, ratio = self._on_cpu
            return int(ratio * bytes_counted), f"from a trial of {few} images"
        return step_memory.usual(bytes_counted), "counted"

    def fewest_parts(self, parts: int) -> int | None:
        """The smallest number of parts whose step fits: `parts`, or that times a power of two; None if none does."""
        while parts <= self.most_parts or parts == 1:
            if self._fits(parts):
                return parts
            parts *= 2
        return None

    def _fits(self, parts: int) -> bool:
        count = max(2, math.ceil(self._images / parts))
        if step_memory.most(self._counted(count)) <= self._room:
            return True
        if self._tried and self._device.type == "cuda":
            self._on_gpu[parts] = step_memory.on_gpu(self._network, self._settings, self._shape, count, self._device)
            if self._on_gpu[parts] is None:
                return False
        return self.bytes_of(parts)[0] <= ROOM * self._room

    def _trial_on_cpu(self) -> tuple[int, float]:
        """The images of a trial, 0 if the memory is too short for one, and the ratio of measured to counted bytes."""
        few = min(TRIED, 1 << (self._images.bit_length() - 1))
        while few > 1 and step_memory.most(self._counted(few)) > self._room / 2:
            few //= 2
        if few < 2:
            return 0, 1.0
        measured = step_memory.on_cpu(self._network, self._shape, few)
        return few, max(1.0, measured / self._counted(few))

    @functools.cache  # noqa: B019  it lives as long as the plan is made
    def _counted(self, count: int) -> int:
        return step_memory.counted(self._network, self._shape, count)
