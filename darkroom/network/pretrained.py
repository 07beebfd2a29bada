"""Loads the weights that the stage `pretrained` has brought here into the body of a network."""

from pathlib import Path

from torch import Tensor, nn

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.model_facts import Pretrained
from darkroom.config.params import Model
from darkroom.network import weight_files


def facts(settings: Model, folder: Path = paths.PRETRAINED) -> Pretrained | None:
    """What is known of the weights in `folder`; None where the settings want none.

    Raises UserError where they are missing, or were fetched for other settings.
    """
    if settings.weights is None:
        return None
    note = folder / paths.PRETRAINED_NOTE.name
    if not note.is_file():
        raise UserError(
            f"model.weights is {settings.weights}, but there is no {note}: `dvc repro pretrained` brings the weights "
            "here, `dvc pull` fetches them from a remote"
        )
    found = Pretrained.read(note)
    if (found.network, found.weights) != (settings.name, settings.weights):
        raise UserError(
            f"{note} is about model.weights {found.weights} of {found.network}, but {settings.weights} of "
            f"{settings.name} are asked for: `dvc repro pretrained`"
        )
    return found


def load(
    network: nn.Sequential,
    settings: Model,
    shape: tuple[int, int, int],
    found: Pretrained,
    folder: Path = paths.PRETRAINED,
) -> None:
    """Load weights into the body of `network`, which `architectures.build` has made for `shape`; the head stays.

    The file's classifier is ignored. Raises UserError if the file cannot be read, or lacks weights of the body.
    """
    features = network.get_submodule("features")
    own = features.state_dict()
    state = _adapted(features, settings, shape, weight_files.read(folder / str(found.file)))
    wanted = [name for name in own if not name.endswith("num_batches_tracked")]
    wrong = [name for name in wanted if name not in state or state[name].shape != own[name].shape]
    if wrong:
        raise UserError(
            f"model.weights is {settings.weights}, which does not fit {settings.name}: {len(wrong)} of the "
            f"{len(wanted)} tensors of its body are missing or of another shape, the first is {wrong[0]}; give the "
            f"weights of {settings.name}, or the name of their network as model.name"
        )
    features.load_state_dict({name: state[name] for name in own if name in state}, strict=False)


def _adapted(
    features: nn.Module, settings: Model, shape: tuple[int, int, int], state: dict[str, Tensor]
) -> dict[str, Tensor]:
    # Each of the two libraries takes a second to load, or more.
    if settings.timm:
        from darkroom.network import timm_bodies

        return timm_bodies.adapted(settings.name, shape, state)
    from darkroom.network import torchvision_bodies

    return torchvision_bodies.adapted(features, state)
