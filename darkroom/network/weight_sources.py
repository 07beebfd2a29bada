"""Where pretrained weights come from, under which licence, and for what pictures they were made."""

from pathlib import PurePosixPath
from typing import NamedTuple
from urllib.parse import urlsplit

from darkroom.config.model_facts import Pretrained
from darkroom.config.params import Model

FREE = {"apache-2.0", "mit", "bsd-3-clause", "cc-by-4.0"}
NOT_COMMERCIAL = {"cc-by-nc-4.0", "fair-noncommercial-research-license", "seer-license", "apple-amlr"}
HUB_FILES = ("model.safetensors", "pytorch_model.bin")


class Place(NamedTuple):
    """Where a file of weights can be fetched: an address, or a repository of Hugging Face's hub with these files."""

    url: str = ""
    repository: str = ""  # owner/name
    files: tuple[str, ...] = ()  # the first that is there

    def __str__(self) -> str:
        return self.url or f"https://huggingface.co/{self.repository}/resolve/main/{self.files[0]}"

    @property
    def suffix(self) -> str:
        """The ending of the file, for an address."""
        return PurePosixPath(urlsplit(self.url).path).suffix


def described(settings: Model) -> tuple[Pretrained, Place | None]:
    """What the library says of its own best weights for a network, and where they are; None if it has none.

    Source and licence are those of these weights; another file of the same network is taken to be made for the same
    pictures. Raises UserError for an unknown name.
    """
    return _of_timm(settings) if settings.timm else _of_torchvision(settings)


def caution(licence: str) -> str | None:
    """What the owner of a product must know of the licence of weights; None where it lets them be used freely."""
    if licence.lower() in FREE:
        return None
    if licence.lower() in NOT_COMMERCIAL:
        return f"the licence of these weights ({licence}) forbids commercial use: for a product choose others"
    if licence in ("", "unknown"):
        return "nothing says under which licence these weights are: ask their maker before commercial use"
    return f"these weights have a licence of their own ({licence}): read it before commercial use"


def _of_timm(settings: Model) -> tuple[Pretrained, Place | None]:
    from darkroom.network import timm_bodies

    found = timm_bodies.config(timm_bodies.known(settings.name))
    place = None
    if repository := found["hf_hub_id"]:
        named = found["hf_hub_filename"]
        place = Place(repository=repository, files=(named,) if named else HUB_FILES)
    elif found["url"]:
        place = Place(url=found["url"])
    note = Pretrained(
        network=settings.name,
        weights=settings.weights,
        license=found["license"] or "",
        height=found["input_size"][1],
        width=found["input_size"][2],
        mean=list(found["mean"]),
        std=list(found["std"]),
        interpolation=found["interpolation"],
        crop_share=found["crop_pct"],
    )
    return note, place


def _of_torchvision(settings: Model) -> tuple[Pretrained, Place | None]:
    from darkroom.network import torchvision_bodies
    from darkroom.network.torchvision_import import torchvision

    torchvision_bodies.check_name(settings.name)
    found = torchvision.models.get_model_weights(settings.name).DEFAULT
    made = found.transforms()
    note = Pretrained(
        network=settings.name,
        weights=settings.weights,
        # Those of SWAG name their own licence; https://github.com/facebookresearch/SWAG, LICENSE: CC BY-NC 4.0.
        license="cc-by-nc-4.0" if "SWAG" in str(found.meta.get("license", "")) else "bsd-3-clause",
        height=made.crop_size[0],
        width=made.crop_size[0],
        mean=list(made.mean),
        std=list(made.std),
        interpolation=made.interpolation.value,
        crop_share=round(made.crop_size[0] / made.resize_size[0], 4),
    )
    return note, Place(url=found.url)
