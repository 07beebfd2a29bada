"""Networks of timm without their last layer, and its pretrained weights brought to their form."""

import dataclasses
import difflib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import timm
import torch
from torch import Tensor, nn

from darkroom.base.errors import UserError
from darkroom.network.shadow import shadow

PREFIX = "timm/"


def body(name: str, shape: tuple[int, int, int]) -> tuple[nn.Module, int]:
    """A network of timm without its classifier, and its number of features.

    `name` is `timm/` and timm's own name, with or without the tag of its weights (`timm/vit_tiny_patch16_224.augreg`).
    The network maps images (N x channels x height x width, normalised) to features (N x that number); `shape` is
    height, width, channels. Weights are random, as timm draws them.

    Raises UserError for an unknown name, and for an image size that the network cannot take.
    """
    height, width, channels = shape
    architecture = known(name)
    try:
        network = _created(architecture, shape)
        made = shadow(network)(torch.empty(1, channels, height, width, device="meta"))  # raises what a real run would
        if not isinstance(made, Tensor) or made.ndim != 2:
            raise ValueError("it makes no vector of a picture")
    except (RuntimeError, ValueError, AssertionError, TypeError, IndexError, ZeroDivisionError) as error:
        reason = (str(error).partition("\n")[0] or type(error).__name__).rstrip(".!")
        made_for = config(architecture)["input_size"]
        raise UserError(
            f"model.name is {name}, which does not work on images of {height}x{width} ({reason}): it was made for "
            f"{made_for[1]}x{made_for[2]}; give the data set another image_size in datasets.yaml, or choose another "
            "model"
        ) from None
    return network, made.shape[1]


def known(name: str) -> str:
    """The name in timm, with its tag if it has one. Raises UserError for a network or weights that timm has not."""
    asked = name.removeprefix(PREFIX)
    architecture, _, tag = asked.partition(".")
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        hint = f"did you mean {' or '.join(PREFIX + one for one in near)}?" if near else "see timm.list_models()"
        raise UserError(f"model.name is {name!r}, but timm {timm.__version__} has no network {architecture!r}: {hint}")
    tags = [one.partition(".")[2] for one in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        has = f"its weights are {', '.join(tags)}" if tags else "it has none"
        raise UserError(f"model.name is {name!r}, but timm knows no weights {tag!r} of {architecture}: {has}")
    return asked


def config(architecture: str) -> dict[str, Any]:
    """timm's own configuration of a network's pretrained weights: input size, mean, deviation, source, licence."""
    found = timm.get_pretrained_cfg(architecture)
    return dataclasses.asdict(found or timm.models.PretrainedCfg())


def adapted(name: str, shape: tuple[int, int, int], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict in the form of the network that `body` makes: its names, channels, and positions for its image size.

    timm brings it there as when it loads its own weights. Raises UserError if that fails.
    """
    with _not_loaded() as found:
        try:
            overlay = {"state_dict": dict(state), "custom_load": False, "source": None}
            _created(known(name), shape, pretrained=True, pretrained_cfg_overlay=overlay)
        except Exception as error:  # what its filters raise on another network's names is of any type
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise UserError(
                f"the weights (model.weights) do not fit {name} ({reason}): give the weights of {name}, or the name of "
                "their network as model.name"
            ) from None
    return found


@contextmanager
def _not_loaded() -> Iterator[dict[str, Tensor]]:
    """Catch the tensors that timm would load: it ignores what lacks, and the caller is to see that."""
    found: dict[str, Tensor] = {}

    def keep(module: nn.Module, state: Mapping[str, Tensor], strict: bool = True, assign: bool = False) -> Any:
        found.update(state)
        return nn.modules.module._IncompatibleKeys([], [])

    with patch.object(nn.Module, "load_state_dict", keep):
        yield found


def _created(architecture: str, shape: tuple[int, int, int], **options: Any) -> nn.Module:
    height, width, channels = shape
    if config(architecture)["fixed_input_size"]:
        options["img_size"] = (height, width)
    made: nn.Module = timm.create_model(architecture, num_classes=0, in_chans=channels, exportable=True, **options)
    return made
