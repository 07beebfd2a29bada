"""What a run on a new entry will about cost: the room for its pixels, and the minutes on this machine's processor.

Two rules, both from a measurement of some hundredths of a second on one core, in its own time, so that other work on
the machine does not count; all cores share the work:
- to decode: the megapixels of all pictures, at the speed at which one JPEG of a megapixel is decoded;
- to train: six operations for each multiplication of `model.name: cnn` (two forward, four backward), for each training
  image and epoch, at two thirds of the speed of numpy's product of small matrices. PyTorch's steps in 32 bits took
  between half and nine tenths of that speed, at 224 to 8 pixels.

For the network that `darkroom add` writes for photos, the numbers of one image were counted once (`PHOTOS`), and its
steps take three tenths of that speed. In epochs of the head alone its body works on each image at most ten times.

The memory of a step is computed for `cnn`: twice the bytes of what its layers keep for the backward pass. PyTorch took
1.9 and 1.7 times that, at 28 and 224 pixels. The training itself says what it takes more exactly, for any network.
"""

import os
import time
from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import cv2
import numpy as np
import psutil

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.base.words import counted, duration, size
from darkroom.config import params
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params
from darkroom.config.yaml_files import read_yaml
from darkroom.tools.entry_draft import Draft
from darkroom.tools.recipe_rules import NETWORK

SHARE_OF_PRODUCT = 2 / 3
OPERATIONS = 6  # of a training step, for each multiplication
KEPT = 2  # bytes of a step's memory for each byte that is kept for the backward pass
FORWARD, VIEWS = 2, 10  # operations of a forward pass, and how often the body works on an image at most
PER_PICTURE = 5e-5  # seconds, to find a picture in its archive and hash it
SIDE = 64  # of the matrices: small ones are multiplied by one thread
PRODUCTS = 300
TRIES = 7


class Counted(NamedTuple):
    """What one image costs a network: at this side, multiplications and bytes for the backward pass."""

    side: int
    multiplications: float
    kept: float
    share_of_product: float  # the speed of its steps as a share of numpy's product


PHOTOS = Counted(side=224, multiplications=384e6, kept=110e6, share_of_product=0.3)


def cost(draft: Draft, name: str, entry: Entry) -> list[str]:
    """Lines on the images, the room for their pixels, and the time for decoding and training."""
    pixels = size(draft.pictures * int(np.prod(entry.shape)))
    seconds = draft.pictures * (draft.megapixels * seconds_a_megapixel() + PER_PICTURE)
    decoding = duration(seconds / (os.cpu_count() or 1))
    return [
        f"a run: {counted(draft.pictures, 'image')}, {pixels} in {paths.IMAGES}",
        f"  estimated for this processor: about {decoding} to decode{_training(draft, name, entry)}",
    ]


def _training(draft: Draft, name: str, entry: Entry) -> str:
    """A clause on the time for training; empty where params.yaml has values that do not fit this data set."""
    try:
        settings, images = _settings(draft, name, entry)
    except UserError:
        return ""
    epochs, network = settings.train.epochs, settings.model.name
    if network == "cnn":
        work = epochs * OPERATIONS * multiplications(settings, entry) / SHARE_OF_PRODUCT
        memory = float(KEPT * settings.train.batch_size * kept_bytes(settings, entry))
    elif network == NETWORK:
        height, width, _ = settings.model.seen(entry.shape)
        share, frozen = height * width / PHOTOS.side**2, min(settings.train.freeze_epochs, epochs)
        passes = OPERATIONS * (epochs - frozen) + FORWARD * min(frozen, VIEWS)
        work = passes * PHOTOS.multiplications * share / PHOTOS.share_of_product
        memory = PHOTOS.kept * share * settings.train.batch_size
    else:
        return f"; for {network} there is no estimate of the training"
    seconds = images * work / (operations_a_second() * (os.cpu_count() or 1))
    return (
        f",\n  about {duration(seconds)} to train ({counted(epochs, 'epoch')} of {images:,} images), in about "
        f"{size(round(memory))} of memory ({size(psutil.virtual_memory().available)} are free)"
    )


def _settings(draft: Draft, name: str, entry: Entry) -> tuple[Params, int]:
    """The parameters of `dvc exp run -S dataset=NAME`, and about how many images it trains on."""
    content = read_yaml(paths.PARAMS)
    content["dataset"] = name
    shares = params.replaced(deepcopy(content), entry).split
    labelled = _counts(draft)
    images = float(labelled["train"])
    if not labelled["test"]:
        images *= 1 - shares.test
    if not labelled["val"]:
        images *= 1 - shares.val
    return params.replaced(content, entry, images=max(1, round(images))), max(1, round(images))


def _counts(draft: Draft) -> dict[str, int]:
    counts = dict.fromkeys(("train", "val", "test"), 0)
    for sample in draft.samples:
        if sample.subset in counts:
            counts[sample.subset] += sample.count
    return counts


def multiplications(settings: Params, entry: Entry) -> int:
    """Of one forward pass of the convolutions of `cnn` for one image."""
    height, width, channels = entry.shape
    total = 0
    for layer in settings.model.layers.split("-"):
        wide = int(layer.removesuffix("P"))
        total += height * width * settings.model.kernel**2 * channels * wide
        channels = wide
        if layer.endswith("P"):
            height, width = height // 2, width // 2
    return total


def kept_bytes(settings: Params, entry: Entry) -> int:
    """Of one image, what the layers of `cnn` keep for the backward pass, in single precision.

    A convolution keeps its output, an activation its own; a pool keeps its output, and an index of 8 bytes beside it.
    """
    height, width, _ = entry.shape
    total = 0
    for layer in settings.model.layers.split("-"):
        wide = int(layer.removesuffix("P"))
        total += 4 * height * width * wide
        if layer.endswith("P"):
            height, width = height // 2, width // 2
            total += (4 + 8) * height * width * wide
        total += 4 * height * width * wide
    return total


def seconds_a_megapixel() -> float:
    """To decode a JPEG, measured on one of a megapixel with the detail of a photograph."""
    rough = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", cv2.resize(rough, (1000, 1000), interpolation=cv2.INTER_CUBIC))[1]
    return _best(lambda: cv2.imdecode(jpeg, cv2.IMREAD_COLOR))


def operations_a_second() -> float:
    """Of one core, in numpy's product of matrices of single precision."""
    matrix = np.ones((SIDE, SIDE), np.float32)
    product = np.empty_like(matrix)

    def multiply() -> None:
        for _ in range(PRODUCTS):
            np.matmul(matrix, matrix, out=product)

    return 2 * PRODUCTS * SIDE**3 / _best(multiply)


def _best(work: Callable[[], object]) -> float:
    """The seconds of this thread for the fastest of a few tries."""
    seconds = []
    for _ in range(TRIES):
        started = time.thread_time()
        work()
        seconds.append(time.thread_time() - started)
    return min(seconds)
