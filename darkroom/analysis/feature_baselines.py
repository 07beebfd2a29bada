"""Simple methods on the features of a pretrained network that stays as it is: what its training has to beat."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from darkroom.base.console import bar
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params
from darkroom.dataset.packed import Images, Labels, Rows, chunks
from darkroom.network import architectures, devices, normalisation, pretrained
from darkroom.network.frozen_features import Features, FrozenBody

TESTED = ("val", "test")
# The best of each on val counts.
METHODS: dict[str, Callable[[int, int], list[Any]]] = {
    "linear_probe": lambda seed, images: [
        make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=500, random_state=seed))
        for strength in (0.0001, 0.001, 0.01, 0.1, 1.0)
    ],
    "nearest_neighbours": lambda seed, images: [
        KNeighborsClassifier(min(count, images), metric="cosine") for count in (1, 5, 20)
    ],
}


def features(params: Params, entry: Entry, images: Images, rows: Mapping[str, Rows]) -> dict[str, Features]:
    """What the pretrained body makes of the stored images at these rows, by split: float32, N x width.

    Raises UserError where its weights are not here.
    """
    frozen = _body(params, entry)
    found = {}
    with bar(what="features", unit="image", total=sum(map(len, rows.values()))) as shown:
        for split, own in rows.items():
            parts = [np.empty((0, frozen.width), np.float32)]
            for part, pixels in chunks(images, own):
                parts.append(frozen(torch.from_numpy(np.ascontiguousarray(pixels))))
                shown.update(len(part))
            found[split] = np.concatenate(parts)
    frozen.keep()
    return found


def _body(params: Params, entry: Entry) -> FrozenBody:
    """The pretrained body from which the training starts."""
    found = pretrained.facts(params.model)
    assert found is not None
    network, seen = architectures.build(params.model, entry.shape, 2), params.model.seen(entry.shape)
    pretrained.load(network, params.model, seen, found)
    device = devices.device_of_training(params.train)
    mean, std = normalisation.statistics(found, *[[0.0] * entry.channels] * 2)
    body = network.get_submodule("features").to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    lowered, divided = (normalisation.to_bytes_scale(values).to(device) for values in (mean, std))
    return FrozenBody(body, lowered, divided, seen[:2], architectures.feature_count(network))


def predict(
    name: str, seed: int, known: Mapping[str, Features], labels: Mapping[str, Labels]
) -> tuple[dict[str, NDArray[np.int64]], str]:
    """The class numbers that a method predicts for val and test, and the setting that was best on val, in words.

    `known` and `labels` have the keys train, val, test. Of equal accuracy on val the lower cross-entropy decides.
    """
    best: tuple[tuple[float, float], Any] | None = None
    for model in METHODS[name](seed, len(labels["train"])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # one that has not converged is still a bar to beat
            model.fit(known["train"], labels["train"])
        rank = _rank(model, known["val"], labels["val"])
        if best is None or rank > best[0]:
            best = rank, model
    assert best is not None
    model = best[1]
    found = {split: np.array(model.predict(known[split]) if len(known[split]) else (), np.int64) for split in TESTED}
    return found, _setting(model)


def _rank(model: Any, features: Features, labels: Labels) -> tuple[float, float]:
    """Accuracy, and the cross-entropy with its sign turned, of the classes that the model has seen."""
    if not len(labels):
        return 0.0, 0.0
    known = np.isin(labels, model.classes_)
    loss = log_loss(labels[known], model.predict_proba(features[known]), labels=model.classes_) if known.any() else 0.0
    return float(np.mean(model.predict(features) == labels)), -loss


def _setting(model: Any) -> str:
    if isinstance(model, KNeighborsClassifier):
        return f" (k = {model.n_neighbors})"
    return f" (C = {model[-1].C:g})"
