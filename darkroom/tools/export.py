"""Export the model as one ONNX file, from stored images to probabilities, that runs without Darkroom.

The file is written only if onnxruntime gives the same classes and probabilities as PyTorch.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darkroom.base import paths, words
from darkroom.base.console import bar, done
from darkroom.base.errors import UserError
from darkroom.base.files import replacing, sha256
from darkroom.classifier.inference import Classifier
from darkroom.config.model_facts import ModelFacts
from darkroom.dataset.packed import Images, chunks, images_if_like, load_split
from darkroom.network import normalisation
from darkroom.pictures.resizing import HOW_TO_SCALE, IN_WORDS

FORMATS = ("onnx",)
TOLERANCE = 1e-4  # largest difference of a probability from PyTorch's
MAX_BYTES = 2**31 - 2**20  # of the weights: an ONNX file is a protobuf message, which holds at most 2 GiB
BATCH_SIZES = (1, 64)
RANDOM_PICTURES = 256
LEFT_OUT = {
    "reading of pictures": "it takes pixels: the caller decodes, turns by EXIF, and scales as above",
    "warning of unlike pictures": "familiarity.safetensors is no part of it: every picture gets a class",
    "--invert and --fit": "no negatives are tried, no sign is cut out of its background",
    "voting over views": "one view of each picture, whatever evaluate.tta says",
}
ROUNDS, ROUND_SECONDS = 5, 0.2  # of the timing, for each engine and batch size


class Exported(nn.Module):
    """The network between stored images and calibrated probabilities, as one graph."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.network, self.temperature = classifier.network, classifier.temperature
        self.mean, self.std = nn.Buffer(classifier.mean), nn.Buffer(classifier.std)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities and logits (N x classes) of stored images (uint8, N x height x width x channels)."""
        logits = self.network(normalisation.normalise(images, self.mean, self.std))
        return (logits / self.temperature).softmax(1), logits


def run(folder: Path, output: Path, form: str = "onnx") -> None:
    """Write the model in `folder` to `output` once it agrees with PyTorch, and print the speed of both here.

    Raises UserError for an unknown format, for an `output` that is a folder, for a model too large for one file, and
    where the two disagree.
    """
    if form not in FORMATS:
        raise UserError(f"--format is {form!r}, but must be {' or '.join(FORMATS)}")
    if output.is_dir():
        raise UserError(f"--output {output} is a folder: name a file in it, as {output / 'model.onnx'}")
    classifier = Classifier.load(folder)
    facts = facts_of(folder, classifier)
    content = onnx_bytes(classifier, facts)
    with replacing(output) as partial:
        partial.write_bytes(content)
        engine = session(partial)
        images, rows, what = pictures(classifier)
        difference = largest_difference(classifier, engine, images, rows)
        print(
            f"onnxruntime and PyTorch agree on {len(rows):,} {what}: same classes, "
            f"probabilities within {difference:.0e}"
        )
        height, width, _ = classifier.shape
        print(f"the graph takes pictures of {width}x{height}; bring others there by `{classifier.resize}`, which is:")
        print(f"  {facts['geometry']}\n  (w x h: the picture, W x H: {width}x{height}; also in the file's metadata)")
        print(table(speeds(classifier, engine, images[rows[: max(BATCH_SIZES)]])))
    done(
        f"wrote {output} ({words.size(len(content))})",
        "docs/serving.md shows how to run it with onnxruntime alone",
    )


def facts_of(folder: Path, classifier: Classifier) -> dict[str, str]:
    """The metadata of the ONNX file; lists are JSON, because ONNX takes only text."""
    return {
        "dataset": ModelFacts.read(folder / paths.MODEL.name).dataset,
        "classes": json.dumps(classifier.classes, ensure_ascii=False),
        "shape": json.dumps(classifier.shape),
        "resize": classifier.resize,
        "geometry": f"{IN_WORDS[classifier.resize]}. {HOW_TO_SCALE}",
        "temperature": repr(float(classifier.temperature)),
        "model_sha256": sha256(folder / paths.WEIGHTS.name),
    }


def onnx_bytes(classifier: Classifier, facts: dict[str, str]) -> bytes:
    """The bytes of the ONNX file, checked by ONNX's checker; equal models give equal bytes.

    Input `images` (uint8, N x height x width x channels, any N), outputs `probabilities` and `logits` (float32,
    N x classes). Raises UserError for a model of more than 2 GiB.
    """
    size = sum(tensor.nbytes for tensor in classifier.network.state_dict().values())
    if size > MAX_BYTES:
        raise UserError(
            f"the weights take {words.size(size)}, but one ONNX file holds 2.1 GB at most: choose a smaller model"
        )
    # The example has two images: with one, the exporter would fix the batch size at 1.
    example = torch.zeros(2, *classifier.shape, dtype=torch.uint8)
    program = torch.onnx.export(
        Exported(classifier).eval(),
        (example,),
        dynamo=True,
        input_names=["images"],
        output_names=["probabilities", "logits"],
        dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
        external_data=False,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    remove_notes(model)
    model.producer_version = torch.__version__.partition("+")[0]  # CPU and GPU builds of PyTorch write the same
    onnx.helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def remove_notes(model: onnx.ModelProto) -> None:
    """Remove the exporter's notes, which hold stack traces with paths of this machine."""
    del model.metadata_props[:]
    for graph in (model.graph, *model.functions):
        parts: list[Any] = [graph, *graph.node, *graph.value_info]
        if isinstance(graph, onnx.GraphProto):
            parts += [*graph.input, *graph.output, *graph.initializer]
        for part in parts:
            del part.metadata_props[:]
            part.doc_string = ""


def session(file: Path) -> onnxruntime.InferenceSession:
    """Load the file in onnxruntime, on the CPU with as many threads as PyTorch uses."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # only errors
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def pictures(classifier: Classifier) -> tuple[Images, NDArray[np.int64], str]:
    """Images, the rows to compare on, and a name for them: the test split, or random pictures without the data."""
    images = images_if_like(classifier.classes, classifier.shape)
    if images is not None:
        return images, load_split("test"), "test images"
    noise = np.random.default_rng(0).integers(0, 256, (RANDOM_PICTURES, *classifier.shape), np.uint8)
    return noise, np.arange(len(noise)), "random pictures (the model's data are not here)"


def largest_difference(classifier: Classifier, engine: Any, images: Images, rows: NDArray[np.int64]) -> float:
    """The largest difference of a probability between onnxruntime and PyTorch.

    Raises UserError where it reaches TOLERANCE, or where an image gets another class.
    """
    largest, others = 0.0, 0
    with bar(what="compare with PyTorch", unit="image", total=len(rows)) as shown:
        for _, part in chunks(images, rows):
            for start in range(0, len(part), max(BATCH_SIZES)):
                batch = np.ascontiguousarray(part[start : start + max(BATCH_SIZES)])
                ours, theirs = classifier.probabilities(batch), engine.run(["probabilities"], {"images": batch})[0]
                largest = float(np.maximum(largest, np.abs(ours - theirs).max()))  # unlike max(), this keeps a NaN
                others += int((ours.argmax(1) != theirs.argmax(1)).sum())
                shown.update(len(batch))
    if others or not largest < TOLERANCE:
        raise UserError(
            f"the ONNX model differs from PyTorch on {len(rows):,} images ({others} other classes, probabilities by up "
            f"to {largest:.1e}), so it was not written: use the PyTorch model, and report the network"
        )
    return largest


def speeds(classifier: Classifier, engine: Any, images: Images) -> dict[str, list[float]]:
    """Images per second of both engines at each of BATCH_SIZES, from stored images to probabilities.

    The engines take turns, so that a busy machine slows both; the result is the median of the rounds.
    """

    def onnx_probabilities(batch: Images) -> Any:
        return engine.run(["probabilities"], {"images": batch})

    engines: dict[str, Callable[[Images], Any]] = {
        "PyTorch": classifier.probabilities,
        "onnxruntime": onnx_probabilities,
    }
    found: dict[str, list[float]] = {name: [] for name in engines}
    for size in BATCH_SIZES:
        batch = np.ascontiguousarray(np.resize(images, (size, *classifier.shape)))
        rounds: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(ROUNDS):
            for name, answer in engines.items():
                answer(batch)  # a warm-up, not timed
                rounds[name].append(rate(answer, batch))
        for name, values in rounds.items():
            found[name].append(median(values))
    return found


def rate(answer: Callable[[Images], Any], batch: Images) -> float:
    """Images per second over ROUND_SECONDS, or over one call where that takes longer."""
    start, calls = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - start) < ROUND_SECONDS or not calls:
        answer(batch)
        calls += 1
    return calls * len(batch) / elapsed


def table(found: dict[str, list[float]]) -> str:
    """The speeds as lines of text."""
    threads = torch.get_num_threads()
    lines = [f"images per second, {threads} CPU thread{'s' * (threads > 1)}"]
    lines[0] = f"{lines[0]:32}" + "".join(f"{f'batch of {size}':>13}" for size in BATCH_SIZES)
    lines += [f"  {name:30}" + "".join(f"{value:13,.0f}" for value in values) for name, values in found.items()]
    ours, theirs = found.values()
    gains = [f"{new / old:.2g} times" for old, new in zip(ours, theirs, strict=True)]
    lines.append(f"  {'onnxruntime beside PyTorch':30}" + "".join(f"{gain:>13}" for gain in gains))
    lines.append("what the file leaves out, beside `darkroom predict`:")
    lines += [f"  {what:30}  {why}" for what, why in LEFT_OUT.items()]
    return "\n".join(lines)
