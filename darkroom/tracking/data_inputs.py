"""The splits of the data set as MLflow's data set inputs: source, digest and schema of each."""

import hashlib
import json
from typing import Any

import numpy as np

from darkroom.base import paths
from darkroom.config.params import Params
from darkroom.config.stage_files import Source
from darkroom.config.stage_tables import SPLIT
from darkroom.dataset.packed import SPLITS, load_classes, load_images, load_index

CONTEXT = "mlflow.data.context"  # MLflow's tag of an input: what the run does with it


def inputs(params: Params) -> list[Any]:
    """An `mlflow.entities.DatasetInput` for each split that has images, with the split as its context.

    The digest is 32 characters of the sha256 of the images' own hashes with their classes, sorted: equal digests mean
    equal pixels under equal labels, whatever the files are called.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    index, split, classes = load_index("label", "sha256"), SPLIT.read(), load_classes()
    shape = load_images().shape[1:]
    source_type, source = _source()
    found = []
    for name in SPLITS:
        images = index.iloc[split.loc[split["split"] == name, "row"].to_numpy()]
        if not len(images):
            continue
        profile = {"num_rows": len(images), "num_elements": len(images) * int(np.prod(shape)), "classes": len(classes)}
        content = Dataset(
            name=params.dataset,
            digest=_digest(images["sha256"], images["label"], classes),
            source_type=source_type,
            source=json.dumps(source),
            schema=json.dumps(_schema(shape)),
            profile=json.dumps(profile),
        )
        found.append(DatasetInput(content, [InputTag(CONTEXT, name)]))
    return found


def sizes(found: list[Any]) -> dict[str, int]:
    """The number of images of each split."""
    return {item.tags[0].value: json.loads(item.dataset.profile)["num_rows"] for item in found}


def by_split(run: Any) -> dict[str, Any]:
    """The recorded data set of each split of a run, as `mlflow.entities.Dataset`."""
    known = run.inputs.dataset_inputs if run.inputs is not None else []
    return {tag.value: item.dataset for item in known for tag in item.tags if tag.key == CONTEXT}


def _digest(hashes: Any, labels: Any, classes: list[str]) -> str:
    lines = sorted(f"{digest} {classes[label]}\n" for digest, label in zip(hashes, labels, strict=True))
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:32]  # MLflow keeps 36 characters


def _source() -> tuple[str, dict[str, Any]]:
    """The kind of source and its place, in MLflow's own words where it has some: it can then load the source."""
    if not paths.SOURCE.is_file():  # a machine that trains need not have the archive
        return "unknown", {}
    source = Source.read(paths.SOURCE)
    kind, _, place = source.origin.partition(": ")
    facts = {"archive": source.archive, "sha256": source.sha256}
    if kind == "url" and ", " not in place:
        return "http", {"url": place} | facts
    if kind == "huggingface":
        return "hugging_face", {"path": place} | facts
    return kind, {"place": place} | facts


def _schema(shape: tuple[int, ...]) -> dict[str, Any]:
    from mlflow.data.schema import TensorDatasetSchema
    from mlflow.types import Schema, TensorSpec

    images = Schema([TensorSpec(np.dtype("uint8"), (-1, *shape), "image")])
    labels = Schema([TensorSpec(np.dtype("int64"), (-1,), "label")])
    content: dict[str, Any] = TensorDatasetSchema(images, labels).to_dict()
    return content
