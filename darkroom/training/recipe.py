"""Puts together everything that a training needs, from the parameters or from the facts of a model."""

import copy
import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from darkroom.augment import pipeline, views
from darkroom.augment.pipeline import Augment
from darkroom.augment.views import Views
from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.config.catalogue import Entry
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Params, Train
from darkroom.config.stage_files import Stats
from darkroom.dataset.packed import Images, Labels, Rows
from darkroom.network import architectures, devices, normalisation, pretrained
from darkroom.training import precision, processes
from darkroom.training.batches import Batches, of_splits

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class Recipe:
    """A network with its first weights, and how it is to be trained.

    `network` has the children `features` and `head` and lies on the device of `fabric`; `mean` and `std` (channels x 1
    x 1) have the scale of the stored bytes; `augment` runs the augmentations.
    """

    fabric: "Fabric"
    network: nn.Sequential
    mean: Tensor
    std: Tensor
    settings: Train
    augment: Augment
    views: Views | None = None  # all that `augment` can make of an image, where that is little

    @property
    def classes(self) -> int:
        """The number of logits."""
        *_, last = self.network.modules()
        assert isinstance(last, nn.Linear)
        return last.out_features

    def data(self, images: Images, rows: Mapping[str, Rows], labels: Mapping[str, Labels]) -> dict[str, Batches]:
        """The splits of the training; each is kept in the device's memory while there is room, the first ones first."""
        settings, device = self.settings, self.fabric.device
        share = settings.memory_share
        return of_splits(images, rows, labels, device, memory_share=share, processes=settings.devices)

    def on_a_copy(self, **settings: Any) -> "Recipe":
        """The recipe with other `settings` and a copy of the network, so that this one's weights stay."""
        changed = self.settings.model_copy(update=settings)
        return dataclasses.replace(self, network=copy.deepcopy(self.network), settings=changed)


def from_parameters(
    params: Params, entry: Entry, classes: list[str], stats: Stats, device: torch.device | None = None
) -> tuple[Recipe, ModelFacts]:
    """The recipe that the parameters ask for, and the facts of the model that it will make.

    The facts hold no `auto`: device, precision and threads are those used here, and an `accumulate` that is still auto
    is 1. `device` is the one of `devices.device_of_training`, if the caller has asked for it. Raises UserError for a
    device that this machine lacks, a network that cannot be built, and weights that cannot be loaded.
    """
    settings = params.train
    device = device or devices.device_of_training(settings)
    chosen = precision.choose(
        settings,
        device,
        lambda: architectures.build(params.model, entry.shape, len(classes)),
        params.model.seen(entry.shape),
    )
    found = pretrained.facts(params.model)
    mean, std = normalisation.statistics(found, stats.mean, stats.std)
    height, width, channels = entry.shape
    used = {
        "device": device.type if settings.device == "auto" else settings.device,
        "threads": torch.get_num_threads(),
        "precision": chosen,
        "accumulate": settings.parts,
    }
    facts = ModelFacts(
        dataset=params.dataset,
        classes=classes,
        height=height,
        width=width,
        channels=channels,
        resize=entry.resize,
        mean=mean,
        std=std,
        border=stats.border,
        model=params.model,
        pretrained=found,
        parameters=0,  # known when the network is built
        augment=params.augment,
        train=settings.model_copy(update=used),
    )
    network = first_weights(facts, settings.seed)
    return prepare(facts, network, device), facts.model_copy(
        update={"parameters": architectures.parameter_count(network)}
    )


def from_facts(facts: ModelFacts, device: torch.device, seed: int) -> Recipe:
    """The recipe by which a model was trained, with first weights of another `seed`, for one process on `device`."""
    here = {"device": "auto", "devices": 1, "num_nodes": 1, "strategy": "auto"}
    facts = facts.model_copy(update={"train": facts.train.model_copy(update=here)})
    return prepare(facts, first_weights(facts, seed), device)


def first_weights(facts: ModelFacts, seed: int) -> nn.Sequential:
    """The network before its training: weights are random, drawn from `seed`, and the body's pretrained if some are.

    Raises UserError where the pretrained weights are not here, or others are.
    """
    torch.manual_seed(seed)
    network = architectures.build(facts.model, facts.shape, len(facts.classes))
    found = pretrained.facts(facts.model)
    if found is not None and facts.pretrained is not None:
        if found.sha256 != facts.pretrained.sha256:
            raise UserError(f"{paths.PRETRAINED} holds other weights than those of this model: `dvc repro pretrained`")
        pretrained.load(network, facts.model, facts.seen, found)
    return network


def prepare(facts: ModelFacts, network: nn.Sequential, device: torch.device) -> Recipe:
    """The recipe of a network and its facts: start the other processes, and move network and statistics to a device."""
    fabric = processes.fabric(facts.train, device, facts.train.precision)
    if fabric.world_size > 1:
        processes.share_statistics(network, fabric.device)
    network = network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean, std, border = (
        normalisation.to_bytes_scale(values).to(fabric.device) for values in (facts.mean, facts.std, facts.border)
    )
    augment = pipeline.build(facts.augment, border.flatten(), mean.flatten(), facts.part)
    seen = views.of(facts.augment, facts.height == facts.width, facts.part)
    return Recipe(fabric, network, mean, std, facts.train, augment, seen)
