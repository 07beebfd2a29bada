"""Networks of torchvision without their last layers, and pretrained weights for them."""

import difflib
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from darkroom.base.errors import UserError
from darkroom.base.files import sha256
from darkroom.config.params import Model
from darkroom.network.torchvision_import import torchvision

# The names in torchvision's older files and what torchvision renames them to.
_OLD_NAMES = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\."), r"\1\2."),
    (re.compile(r"\.mlp\.linear_1\."), ".mlp.0."),
    (re.compile(r"\.mlp\.linear_2\."), ".mlp.3."),
)


def body(name: str, shape: tuple[int, int, int], *, trial: bool = True) -> tuple[nn.Module, int]:
    """A classification network of torchvision without its last layer, and its number of features.

    It maps images (N x channels x height x width, normalised) to features (N x that number); `shape` is height, width,
    channels. torchvision's dropout and hidden layers before the last layer stay; weights are random, as torchvision
    draws them. `for_channels` adapts the first convolution to the number of channels.

    Raises UserError for an unknown name, and for an image size that the network cannot take.
    """
    height, width, channels = shape
    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        near = difflib.get_close_matches(name, ["cnn", "mlp", *known], n=3)
        raise UserError(
            f"model.name is {name!r}, but must be cnn, mlp or a classification model of torchvision: "
            + (f"did you mean {' or '.join(near)}?" if near else "resnet18 and mobilenet_v2 are two of them")
        )
    try:
        network = torchvision.models.get_model(name, weights=None, **_options(name, height, width))
        features = _cut(network)
        first = network.get_submodule(_first_convolution(network))
        first.weight = nn.Parameter(for_channels(first.weight.detach(), channels))
        first.in_channels = channels
        if name.startswith("mnasnet"):
            network = _plain(network)
        if trial:
            _try(network, shape)
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).partition("\n")[0].rstrip(".!")
        raise UserError(
            f"model.name is {name}, which does not work on images of {height}x{width} ({reason}): give the data set "
            "another size in datasets.yaml, or choose another model"
        ) from None
    return network, features


def _options(name: str, height: int, width: int) -> dict[str, Any]:
    if name.startswith("vit_"):
        patch = int(name.rpartition("_")[2])
        if height != width or height % patch:
            raise ValueError(f"they must be square, and their side a multiple of {patch}")
        return {"image_size": height}
    if name.startswith("maxvit_"):
        return {"input_size": (height, width)}
    if name in ("googlenet", "inception_v3"):
        return {"aux_logits": False, "init_weights": True}
    return {}


def _cut(network: nn.Module) -> int:
    """Replace the classifier's last layer by an identity; return the number of that layer's inputs.

    SqueezeNet's last layer is a 1x1 convolution, followed by the mean of its maps: its features are means too.
    """
    layers = [(name, module) for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    name, last = layers[-1]
    parent, _, child = name.rpartition(".")
    setattr(network.get_submodule(parent), child, nn.Identity())
    return last.in_features if isinstance(last, nn.Linear) else last.in_channels


def _plain(network: nn.Module) -> nn.Sequential:
    """MNASNet as nn.Sequential: its own class cannot load weights from a file that holds tensors alone."""
    body = nn.Sequential()
    body.add_module("layers", network.get_submodule("layers"))
    body.add_module("pool", nn.AdaptiveAvgPool2d(1))
    body.add_module("flatten", nn.Flatten())
    body.add_module("classifier", network.get_submodule("classifier"))
    return body


def _try(network: nn.Module, shape: tuple[int, int, int]) -> None:
    """Run the network on the meta device, where tensors have shapes alone: it raises the errors of a real run."""
    height, width, channels = shape
    tensors = {**dict(network.named_parameters()), **dict(network.named_buffers())}
    on_meta = {name: value.detach().to("meta") for name, value in tensors.items()}
    network.eval()  # in training mode dropout draws numbers, and batch norm refuses a single image
    with torch.no_grad():
        torch.func.functional_call(network, on_meta, torch.empty(1, channels, height, width, device="meta"))
    network.train()


def _first_convolution(network: nn.Module) -> str:
    name: str = next(name for name, module in network.named_modules() if isinstance(module, nn.Conv2d))
    return name


def for_channels(weight: Tensor, channels: int) -> Tensor:
    """Adapt the weights of a convolution (outputs x inputs x height x width) to another number of input channels.

    For one channel they are summed over the inputs, so that a grey picture gives the same output as its RGB copy. For
    other numbers the inputs are repeated in order and scaled by inputs / channels, which keeps the size of the output.
    """
    inputs = weight.shape[1]
    if channels == inputs:
        return weight
    if channels == 1:
        return weight.sum(1, keepdim=True)
    return weight[:, [channel % inputs for channel in range(channels)]] * (inputs / channels)


def load_pretrained(network: nn.Sequential, settings: Model) -> str | None:
    """Load the weights that `settings.weights` names into the body of `network`, made by `architectures.build`.

    None loads nothing. DEFAULT means torchvision's best weights for this network, fetched once into torch.hub's folder.
    Anything else is the path of a state dict: .safetensors, or a file of torch.save that holds tensors alone, bare or
    under `state_dict` or `model`. Names may be those of the torchvision network, of its `.features` alone, or of a
    Darkroom model. The head stays as it is; the file's classifier is ignored.

    Returns the sha256 of the file, or None. Raises UserError if the file cannot be fetched or read, or lacks weights of
    the body.
    """
    if settings.weights is None:
        return None
    file = _download(settings.name) if settings.weights == "DEFAULT" else Path(settings.weights)
    features = network.get_submodule("features")
    own = features.state_dict()
    # 1. Read the tensors, under the body's names.
    state = _renamed(_read(file), own)
    # 2. Adapt them to this number of channels and, for a vision transformer, to this image size.
    first = f"{_first_convolution(features)}.weight"
    if first in state and state[first].ndim == 4:
        state[first] = for_channels(state[first], own[first].shape[1])
    if isinstance(features, torchvision.models.VisionTransformer):
        with suppress(ValueError, KeyError):  # the check below names what does not fit
            interpolate = torchvision.models.vision_transformer.interpolate_embeddings
            state = interpolate(features.image_size, features.patch_size, state)
    # 3. Check that the body gets all its weights, and load them.
    wanted = [name for name in own if not name.endswith("num_batches_tracked")]
    wrong = [name for name in wanted if name not in state or state[name].shape != own[name].shape]
    if wrong:
        raise UserError(
            f"model.weights is {file}, which does not fit {settings.name}: {len(wrong)} of the {len(wanted)} tensors "
            f"of its body are missing or of another shape, the first is {wrong[0]}; give the weights of "
            f"{settings.name}, or the name of their network as model.name"
        )
    features.load_state_dict({name: state[name] for name in own if name in state}, strict=False)
    return sha256(file)


def _download(name: str) -> Path:
    """The file of torchvision's best weights in torch.hub's folder; if missing, fetched there and its hash checked."""
    url: str = torchvision.models.get_model_weights(name).DEFAULT.url
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    file = folder / url.rpartition("/")[2]
    if not file.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            # The file's name ends in the first digits of its sha256.
            start = file.stem.rpartition("-")[2]
            torch.hub.download_url_to_file(url, str(file), hash_prefix=start, progress=sys.stderr.isatty())
        except (OSError, HTTPException, RuntimeError) as error:
            raise UserError(
                f"model.weights is DEFAULT, but {url} could not be fetched ({error}): try again, or fetch it "
                "elsewhere and give the path of the file as model.weights"
            ) from None
    return file


def _read(file: Path) -> dict[str, Tensor]:
    """The state dict in a file, on the CPU. Code in a pickle is never run."""
    if not file.is_file():
        raise UserError(
            f"model.weights is {file}, but no such file is there: give null, DEFAULT or the path of a state-dict file"
        )
    try:
        if file.suffix == ".safetensors":
            content = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception:  # pickle, zipfile, torch and safetensors each raise their own types
        raise UserError(
            f"model.weights is {file}, which is damaged or holds more than tensors: save a state dict, with "
            "torch.save(network.state_dict(), file) or as .safetensors"
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise UserError(
            f"model.weights is {file}, which holds no state dict (tensors by name): save one, with "
            "torch.save(network.state_dict(), file) or as .safetensors"
        )
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _renamed(state: dict[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict under the names that match most of the body's: as they are, with `features.` added or removed."""
    for pattern, replacement in _OLD_NAMES:
        state = {pattern.sub(replacement, name): value for name, value in state.items()}
    choices = [
        state,
        {f"features.{name}": value for name, value in state.items()},
        {name.removeprefix("features."): value for name, value in state.items()},
    ]
    return max(choices, key=lambda choice: len(choice.keys() & own.keys()))
