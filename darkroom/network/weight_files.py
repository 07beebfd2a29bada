"""Files of weights: a state dict, tensors by name, read without ever running code that a file may hold."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from darkroom.base.errors import UserError

FORMS = "save a state dict, with torch.save(network.state_dict(), file) or as .safetensors"


def read(file: Path) -> dict[str, Tensor]:
    """The state dict in a file, on the CPU: .safetensors, or a file of torch.save that holds tensors alone.

    It may stand bare, or under `state_dict` or `model`. Raises UserError where it is damaged, or no state
    dict.
    """
    try:
        if file.suffix == ".safetensors":
            content = load_file(file)
        else:
            content = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception:  # pickle, zipfile, torch and safetensors each raise their own types
        raise UserError(
            f"the weights {file.name} (model.weights) are damaged or hold more than tensors: {FORMS}"
        ) from None
    for key in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"the weights {file.name} (model.weights) hold no state dict (tensors by name): {FORMS}")
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
