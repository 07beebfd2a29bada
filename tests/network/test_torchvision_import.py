import sys

import torch

from darkroom.network import torchvision_import
from darkroom.network.torchvision_import import torchvision


def test_it_is_the_package():
    assert sys.modules["torchvision"] is torchvision


def test_the_compiler_is_there_for_whoever_calls_for_it():
    ours = torchvision_import._when_called
    assert ours("cpu") is True
    assert torch.compile(lambda value: value + 1, backend="eager")(torch.ones(1)) == 2
