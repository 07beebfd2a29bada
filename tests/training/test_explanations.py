import pytest
import torch
from torch import nn

from darkroom.training.explanations import explained
from tests import make


def test_a_batch_of_one_image_is_explained():
    @explained()
    def step():
        nn.BatchNorm1d(2)(torch.zeros(1, 2))

    said = make.refusal(step)
    assert "raise train.batch_size" in said
    assert "model.batch_norm" in said


def test_too_little_memory_is_explained():
    @explained()
    def step():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    assert "lower train.batch_size, raise train.accumulate" in make.refusal(step)


@pytest.mark.parametrize("error", [ValueError("another"), RuntimeError("another"), KeyError("another")])
def test_any_other_error_stays_what_it_is(error):
    with pytest.raises(type(error), match="another"), explained():
        raise error
