"""Photos of a camera, much larger than what a network sees: extract and predict, and what they cannot do without.

The archive is camera.zip in the folder that DARKROOM_TEST_ARCHIVES names, else one made here. Extract stands beside
decoding in full and area interpolation, in CPU time on one core; PSNR tells how near the pixels are. Predict, a whole
process on all cores, stands beside a script that decodes at the same fraction and runs the network in onnxruntime, all
with one thread, a whole process too. The network is a MobileNetV2 with random weights.
"""

import os
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import archives, packed
from benchmarks.fresh import ROOT, Figures, best, clock, fresh, peak_mb
from benchmarks.table import Setting, Table
from darkroom.config.catalogue import Entry

REAL, SIDE = "camera.zip", 224
SHAPE = (SIDE, SIDE, 3)
CLASSES = 8
EXTRACT_TARGET, PREDICT_TARGET, PSNR_TARGET, MEMORY_TARGET = 0.45, 2, 50, 600


def run(setting: Setting) -> list[Table]:
    archive, title = archives.photos(setting, REAL, make, 4 if setting.quick else 24)
    return [_extract(setting, archive, title), _predict(setting, archive, title)]


def make(target: str, count: int) -> Figures:
    """Write an archive of JPEGs with some detail at every scale."""
    import cv2

    generator = np.random.default_rng(0)
    with zipfile.ZipFile(target, "w") as packed:
        for number in range(count):
            photo = np.zeros((2000, 3000, 3), np.float32)
            for side in (8, 32, 128, 512):
                noise = generator.normal(0, 24, (side, side, 3)).astype(np.float32)
                photo += cv2.resize(noise, (3000, 2000), interpolation=cv2.INTER_CUBIC)
            jpeg = cv2.imencode(".jpg", (photo + 128).clip(0, 255).astype(np.uint8))[1]
            packed.writestr(f"camera/scene{number % 2}/{number:03}.jpg", jpeg.tobytes())
    return {"images": count}


def _extract(setting: Setting, archive: Path, title: str) -> Table:
    def call(way: Callable[..., Figures], one_core: bool = True) -> Callable[[], Figures]:
        return lambda: fresh(way, str(archive), str(setting.folder()), one_core=one_core)

    names = ("ours", "decoded in full, area interpolation")
    found = best(dict(zip(names, (call(ours), call(in_full)), strict=True)), setting.repeats, setting.together)
    peak = best({"peak": call(ours, one_core=False)}, 1)["peak"]["peak"]
    each = {name: found[name]["cpu"] / found[name]["images"] * 1e3 for name in names}
    mine, full = (each[name] for name in names)
    rows = [
        (names[0], f"{mine:.1f}", f"{mine / full:.2f}", str(EXTRACT_TARGET), f"{peak:.0f}", str(MEMORY_TARGET)),
        (names[1], f"{full:.1f}", "1.00", "", "", ""),
    ]
    psnr = fresh(likeness, str(archive))
    return Table(
        f"camera: extract to {SIDE}x{SIDE}, CPU time on one core; peak memory on all",
        title,
        setting.repeats,
        ("way", "ms/image", "ratio to full", "at most", "peak MB", "at most"),
        rows,
        notes=(
            f"PSNR to decoding in full: median {psnr['median']:.1f} dB (wanted: {PSNR_TARGET}), "
            f"lowest {psnr['lowest']:.1f} dB.",
        ),
    )


def ours(archive: str, folder: str) -> Figures:
    """The function of the extract stage, with hashes, index and files."""
    from darkroom.intake.extraction import extract

    described = Entry.model_validate(
        {"path": archive, "train": "camera", "channels": 3, "image_size": SIDE, "resize": "squash"}
    )
    os.environ["DVC_ROOT"] = folder
    with clock() as figures:
        # `fetch` has hashed the archive.
        found = extract(Path(archive), described, packed.EXTRACT, Path(folder), "camera", digest="known")
    return figures | {"images": len(found.index), "peak": peak_mb()}


def in_full(archive: str, folder: str) -> Figures:
    """Decode each member in full and shrink it; nothing is written."""
    import cv2

    cv2.setNumThreads(1)
    with clock() as figures, zipfile.ZipFile(archive) as members:
        names = [name for name in members.namelist() if name.endswith(".jpg")]
        for name in names:
            pixels = cv2.imdecode(np.frombuffer(members.read(name), np.uint8), cv2.IMREAD_COLOR_RGB)
            cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return figures | {"images": len(names)}


def likeness(archive: str) -> Figures:
    """Peak signal-to-noise ratio of what extract decodes to what decoding in full gives, in dB."""
    from darkroom.pictures.decoding import Target, decode, read
    from darkroom.pictures.resizing import resize

    found = []
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():
            if name.endswith(".jpg"):
                data = members.read(name)
                whole, part = resize(read(data, 3)[0], SHAPE), decode(data, Target(SHAPE))[0]
                error = np.square(whole.astype(np.float64) - part).mean()
                found.append(10 * np.log10(255**2 / max(error, 1e-3)))  # 98 dB at most: of equal pixels
    return {"median": float(np.median(found)), "lowest": min(found)}


def _predict(setting: Setting, archive: Path, title: str) -> Table:
    folder, pictures = setting.folder(), setting.folder()
    with zipfile.ZipFile(archive) as members:
        members.extractall(pictures)
    fresh(model, str(folder))
    commands = {
        "darkroom predict": ["darkroom", "predict", "--csv", "--model", str(folder), str(pictures)],
        "decoding at a fraction, onnxruntime, one thread": ["benchmarks.predict_floor", str(folder), str(pictures)],
    }
    answers: dict[str, list[str]] = {}

    def call(name: str) -> Callable[[], Figures]:
        def measured() -> Figures:
            before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", *commands[name]], cwd=ROOT, capture_output=True, text=True, check=True
            )
            wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
            answers[name] = [line.split(",")[1] for line in done.stdout.splitlines()]
            return {"wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}

        return measured

    found = best({name: call(name) for name in commands}, setting.repeats)
    mine, floor = (answers[name] for name in commands)
    if mine[1:] != floor:
        raise RuntimeError("predict and the floor answer otherwise")
    last = list(found.values())[-1]
    rows = [
        (name, f"{figures['wall']:.2f}", f"{figures['cpu']:.2f}", f"{figures['wall'] / last['wall']:.2f}", target)
        for (name, figures), target in zip(found.items(), (str(PREDICT_TARGET), ""), strict=True)
    ]
    return Table(
        f"camera: predict, {len(floor)} files, whole processes",
        title,
        setting.repeats,
        ("way", "s", "CPU s", "ratio", "at most"),
        rows,
        notes=("Both name the same class for each file.",),
    )


def model(folder: str) -> Figures:
    """Write a model of random weights, as model.json and model.safetensors, and as ONNX."""
    import torch
    from safetensors.torch import save_file

    from darkroom.classifier.inference import Classifier
    from darkroom.config import params
    from darkroom.config.model_facts import ModelFacts
    from darkroom.network import architectures
    from darkroom.tools import export

    settings, _ = params.load()
    wanted = settings.model.model_copy(update={"name": "mobilenet_v2", "weights": None, "hidden": []})
    torch.manual_seed(0)
    network = architectures.build(wanted, SHAPE, CLASSES).eval()
    facts = ModelFacts(
        dataset="camera", classes=[str(number) for number in range(CLASSES)], height=SIDE, width=SIDE, channels=3,
        mean=[0.5] * 3, std=[0.25] * 3, model=wanted, parameters=0, augment=[], train=settings.train,
    )  # fmt: skip
    facts.write(Path(folder) / "model.json")
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, Path(folder) / "model.safetensors")
    classifier = Classifier.load(folder)
    content = export.onnx_bytes(classifier, export.facts_of(Path(folder), classifier))
    (Path(folder) / "model.onnx").write_bytes(content)
    return {}
