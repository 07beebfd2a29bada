import pytest
import torch
from torch import nn

from darkroom.training.explanations import explained
from tests import make
from tests.ddp import settings


def test_a_batch_of_one_image_is_explained():
    @explained()
    def step():
        nn.BatchNorm1d(2)(torch.zeros(1, 2))

    said = make.refusal(step)
    assert "raise train.batch_size" in said
    assert "model.batch_norm" in said


def too_much():
    return torch.empty(2**60, dtype=torch.uint8)


def too_much_for_a_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


@pytest.mark.parametrize("step", [too_much, too_much_for_a_gpu])
def test_too_little_memory_is_explained(step):
    assert "lower train.batch_size, raise train.accumulate" in make.refusal(explained()(step))


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "says"),
    [
        (128, 1, "set train.accumulate=2 (parts of 64 images; double it while that is too much), train.batch_size=64"),
        (128, 16, "set train.accumulate=32 (parts of 4 images; double it while that is too much), train.batch_size=64"),
        (4, 2, "too small for this training: take a smaller network, or a smaller image_size in datasets.yaml"),
    ],
)
def test_too_little_memory_is_explained_with_the_number_to_write(batch_size, accumulate, says):
    wish = settings(batch_size=batch_size, accumulate=accumulate)
    assert says in make.refusal(explained(wish)(too_much_for_a_gpu))


@pytest.mark.parametrize("error", [ValueError("another"), RuntimeError("another"), KeyError("another")])
def test_any_other_error_stays_what_it_is(error):
    with pytest.raises(type(error), match="another"), explained():
        raise error
