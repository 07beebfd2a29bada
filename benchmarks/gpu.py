"""What the project does on a GPU, tested and measured in a few minutes, without network:

    python -m benchmarks.gpu [--minutes 8] [--output gpu-report] [--archives DIR] [--cifar ARCHIVE]

Tests, seconds until an accuracy is reached, epochs beside loops by hand, images per second. Each part has a process and
a time of its own; one that fails is recorded and stops no other. `gpu.json` in the output folder has all figures
and is written anew after each part, `gpu.md` the tables, `gpu.log` what the parts printed. The exit code is 1 where a
part or a test failed. Where there is no GPU the CPU is measured, and what needs one is left out; --smallest does so
little work that it shows only that all parts run.
"""

import argparse
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import archives
from benchmarks.on_gpu import checks, epochs, models, processes, rates, tables, to_accuracy
from benchmarks.on_gpu.part import Part, Row, Setting, Start, run
from benchmarks.table import machine
from darkroom.base import console, torch_setup
from darkroom.base.errors import UserError
from darkroom.base.files import write_json, write_text

MINUTES = 8.0  # for which the seconds below are made
# Tests first, for figures of what is wrong are worth nothing; then what the project is for, then what explains it.
# Few parts take as long as they may. If all did, the whole would not hold them, and the last ones would be left out.
PARTS = (
    *(Part("tests", f"precision {name}", checks.precision, 40, (name,)) for name in rates.PRECISIONS),
    Part("tests", "skipped step", checks.skipped_step, 20),
    Part("tests", "pinned copies", checks.pinned_copies, 20),
    Part("tests", "streamed images", checks.streamed, 40),
    Part("tests", "two at once", processes.at_once, 40),
    Part("tests", "NCCL", processes.nccl, 20),
    Part("tests", "shared batch norm", processes.shared_norm, 30),
    Part("tests", "GPU and CPU", models.devices_agree, 30),
    Part("tests", "ONNX", models.onnx, 40),
    Part("tests", "nondeterministic operations", checks.warned, 20),
    Part("tests", "pytest", models.pytest, 45),
    Part("time to accuracy", "MNIST", to_accuracy.mnist, 60),
    Part("time to accuracy", "airbench", to_accuracy.airbench, 60),
    *(Part("time to accuracy", name, to_accuracy.cifar, 80, (name,)) for name in to_accuracy.CIFAR_WAYS),
    Part("epochs", "28x28x1", epochs.epochs, 90, ((28, 28, 1), 128, "32")),
    Part("images per second", "small networks", rates.small, 75),
    Part("images per second", "kernels of cnn", rates.kernels, 20, ("cnn",)),
    Part("images per second", "kernels of resnet50", rates.kernels, 30, ("resnet50",)),
    Part("images per second", "resnet18", rates.photo, 30, ("resnet18",)),
    Part("images per second", "resnet50", rates.photo, 40, ("resnet50",)),
    Part("images per second", "mobilenet_v2", rates.photo, 30, ("mobilenet_v2",)),
    Part("images per second", "efficientnet_b0", rates.photo, 35, ("efficientnet_b0",)),
    Part("epochs", "32x32x3", epochs.epochs, 90, ((32, 32, 3), 512, "bf16-mixed")),
)


def about(setting: Setting) -> Iterator[Row]:
    """The card, its driver and the libraries, asked in a process of its own: this one must not open the GPU."""
    import torch

    there = torch.cuda.is_available()
    row: Row = {
        "cuda": there,
        "torch": torch.__version__,
        "CUDA": torch.version.cuda,
        "cuDNN": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "TF32 in convolutions": torch.backends.cudnn.allow_tf32,
        "float32 matmul": torch.get_float32_matmul_precision(),
        "threads": torch.get_num_threads(),
    }
    if there:
        card = torch.cuda.get_device_properties(0)
        torch.ones(8, device="cuda").sum().item()
        row |= {
            "card": card.name,
            "cards": torch.cuda.device_count(),
            "card MB": card.total_memory / 1e6,
            "free MB": torch.cuda.mem_get_info()[0] / 1e6,
            "capability": f"{card.major}.{card.minor}",
            "multiprocessors": card.multi_processor_count,
            "assumed peak TFLOP/s": {
                name: (rates.assumed_peak(card.name, name) or 0) / 1e12 for name in rates.PRECISIONS
            },
        }
    yield row


def main() -> None:
    options = _options()
    started = time.monotonic()
    output: Path = options.output.absolute()
    output.mkdir(parents=True, exist_ok=True)
    log = output / "gpu.log"
    log.write_text("", encoding="utf-8")
    # Loaded once: processes are forked off this one, which must never open the GPU itself.
    torch_setup.torch_for(threads=1 if options.smallest else 0, portable=False)
    import lightning_fabric  # noqa: F401

    from darkroom.training import loop  # noqa: F401

    with tempfile.TemporaryDirectory(prefix="darkroom-gpu-") as folder:
        given = options.archives or os.environ.get(archives.VARIABLE)
        setting = Setting(
            device="cpu",
            small=options.smallest,
            work=Path(folder),
            archives=Path(given).absolute() if given else None,
            cifar=options.cifar.absolute() if options.cifar else None,
            deadline=started + 60 * options.minutes,
        )
        found, start = _device(setting, log)
        setting = replace(setting, device="cuda" if found.get("cuda") and not options.cpu else "cpu", start=start)
        report: Row = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": {"processor": machine(), "system": platform.platform(), "driver": _driver(), **found},
            "settings": {"minutes": options.minutes, "smallest": options.smallest, "device": setting.device},
            "parts": [],
        }
        # Where it only has to run, a busy machine must not cut it.
        scale = 5 if options.smallest else options.minutes / MINUTES
        chosen = [part for part in PARTS if not options.only or any(word in part.name for word in options.only)]
        for number, part in enumerate(chosen, 1):
            print(f"[{number:2}/{len(chosen)}] {part.group}: {part.name} ...", end=" ", flush=True)
            part = replace(part, seconds=part.seconds * scale)
            report["parts"].append(run(part, setting, log))
            report["seconds"] = round(time.monotonic() - started, 1)
            write_json(output / "gpu.json", report)
            write_text(output / "gpu.md", tables.markdown(report))
            print(tables.in_a_line(report["parts"][-1]), flush=True)
    print(f"\n{tables.markdown(report)}\nwrote gpu.json, gpu.md and gpu.log in {output}")
    if tables.failed(report):
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description="Tests and timings on a GPU.")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"time for all of it, at most ({MINUTES:.0f})")
    parser.add_argument(
        "--output", type=Path, default=Path("gpu-report"), metavar="DIR", help="folder for what it finds (gpu-report)"
    )
    parser.add_argument(
        "--archives", metavar="DIR", help=f"folder with {archives.REAL}; without it what {archives.VARIABLE} says"
    )
    parser.add_argument(
        "--cifar", type=Path, metavar="ARCHIVE", help="CIFAR-10 as the catalogue has it, cifar10/cifar10/train/..."
    )
    parser.add_argument(
        "--only", nargs="+", metavar="WORD", help="only the parts with one of these words in their name"
    )
    parser.add_argument("--cpu", action="store_true", help="measure the CPU though there is a GPU")
    parser.add_argument("--smallest", action="store_true", help="so little work that it shows only that all parts run")
    options = parser.parse_args()
    if not 0.1 <= options.minutes <= 1000:
        raise UserError(f"--minutes is {options.minutes}, but must be from 0.1 to 1000")
    for name in ("archives", "cifar"):
        path = getattr(options, name)
        if path and not Path(path).exists():
            raise UserError(f"--{name} is {path}, but there is nothing: correct it, or leave it")
    return options


def _device(setting: Setting, log: Path) -> tuple[Row, Start]:
    """What there is, and how processes are started: forked, unless a forked one does not see the card that is there."""
    ways: Sequence[Start] = ("fork", "spawn") if _has_card() else ("fork",)
    found: Row = {}
    for way in ways:
        part = run(Part("machine", f"device {way}", about, 40), replace(setting, start=way), log)
        found = part["rows"][0] if part["rows"] else {"error": part["error"]}
        if found.get("cuda"):
            return found, way
    return found, "fork"


def _has_card() -> bool:
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidiactl").exists()


def _driver() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=driver_version,power.limit,clocks.max.sm", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    return done.stdout.strip() or None


if __name__ == "__main__":
    console.run(main)
