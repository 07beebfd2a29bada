"""Turns two of PyTorch's errors in a training into sentences for the user."""

import contextlib
from collections.abc import Iterator

import torch

from darkroom.base.errors import UserError


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Raise UserError in place of PyTorch's errors about a batch of one image and about a GPU's memory."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise UserError(
            "the GPU's memory is too small for this training: lower train.batch_size, raise train.accumulate, or lower "
            "train.memory_share"
        ) from None
    except (ValueError, RuntimeError) as error:  # torch.compile wraps the ValueError
        if "more than 1 value per channel" not in str(error):
            raise
        raise UserError(
            "batch norm cannot work on one image at a time: raise train.batch_size, lower train.accumulate, or set "
            "model.batch_norm to false"
        ) from None
