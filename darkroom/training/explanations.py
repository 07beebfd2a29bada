"""Turns PyTorch's errors about memory, and about a batch of one image, into sentences for the user."""

import contextlib
from collections.abc import Iterator

import torch

from darkroom.base.errors import UserError
from darkroom.config.params import Train

# In the words of PyTorch's CPU allocator, of CUDA's libraries, and of Windows.
TOO_SMALL = ("can't allocate memory", "ALLOC_FAILED", "not enough memory")


@contextlib.contextmanager
def explained(settings: Train | None = None) -> Iterator[None]:
    """Raise UserError in place of PyTorch's errors about too little memory and about a batch of one image.

    With the `settings` of the training the sentence names numbers to write.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError):
        raise UserError(_too_small(settings)) from None
    except (ValueError, RuntimeError) as error:  # torch.compile wraps the ValueError
        if any(words in str(error) for words in TOO_SMALL):
            raise UserError(_too_small(settings)) from None
        if "more than 1 value per channel" not in str(error):
            raise
        raise UserError(
            "batch norm cannot work on one image at a time: raise train.batch_size, lower train.accumulate, or set "
            "model.batch_norm to false"
        ) from None


def _too_small(settings: Train | None) -> str:
    begin = "the memory is too small for this training: "
    if settings is None:
        return f"{begin}lower train.batch_size, raise train.accumulate, or take a smaller image_size in datasets.yaml"
    half = settings.at_a_time // 2
    if half < 2:  # batch norm needs two images
        return f"{begin}take a smaller network, or a smaller image_size in datasets.yaml"
    return (
        f"{begin}set train.accumulate={2 * settings.parts} (parts of {half} images; double it while that is too much), "
        f"train.batch_size={max(2, settings.batch_size // 2)}, or a smaller image_size in datasets.yaml"
    )
