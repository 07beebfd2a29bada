"""Train the network, and keep the weights of the epoch that is best on validation."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from darkroom.base import paths, torch_setup
from darkroom.base.console import bar, done, run
from darkroom.base.errors import UserError
from darkroom.base.files import read_json, replacing, replacing_folder, sha256, write_csv, write_json, write_text
from darkroom.config.augmentations import own_functions
from darkroom.config.catalogue import Entry
from darkroom.config.params import Params, load
from darkroom.dataset.packed import labels_of, load_classes, load_images, load_index, load_split
from darkroom.drawing import charts, style
from darkroom.training import verdict

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Sequential

    from darkroom.augment.pipeline import Change
    from darkroom.training.batches import Batches

HISTORY = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"]
SAVE_SECONDS = 5  # between checkpoints, at least
SHOWN = 32  # images in the picture of the augmentation


def main() -> None:
    params, entry = load(images=len(load_split("train")))
    settings = params.train
    # Before any import of torch: some settings are read when it loads.
    torch_setup.torch_for(threads=settings.threads, portable=settings.portable, processes=settings.devices)
    train(params, entry)


def train(params: Params, entry: Entry) -> None:
    """Train on the packed data set and write model, metrics and pictures; record the run.

    With several processes each runs this, and only the first writes.
    """
    import torch

    from darkroom.augment import pipeline
    from darkroom.network import architectures, devices, layer_table, normalisation
    from darkroom.network.normalisation import to_bytes_scale
    from darkroom.tracking import recording
    from darkroom.training import calibration, loop, precision, processes
    from darkroom.training.batches import of_splits
    from darkroom.training.checkpoint import Checkpoint, fingerprint

    settings = params.train
    images, index, classes, stats = load_images(), load_index("label"), load_classes(), read_json(paths.STATS)
    if images.shape[1:] != entry.shape:
        raise UserError(
            f"the images in {paths.IMAGES} are {images.shape[1:]} (height, width, channels), but {paths.DATASETS} asks "
            f"for {entry.shape}: `dvc repro` brings them to it"
        )

    def build() -> torch.nn.Sequential:
        return architectures.build(params.model, entry.shape, len(classes))

    device = devices.place(settings)
    chosen = precision.choose(settings, device, build, entry.shape)
    torch.manual_seed(settings.seed)
    network = build()
    pretrained = _start_from(network, params)
    layers = layer_table.table(network, entry.shape)
    mean_values, std_values = normalisation.statistics(params.model, stats["mean"], stats["std"])
    facts = {
        "dataset": params.dataset,
        "classes": classes,
        "height": entry.shape[0],
        "width": entry.shape[1],
        "channels": entry.shape[2],
        "mean": mean_values,
        "std": std_values,
        "border": stats["border"],
        "model": params.model.model_dump(),
        "weights_sha256": pretrained,
        "parameters": architectures.parameter_count(network),
        "augment": [item.model_dump(exclude_none=True) for item in params.augment],
        "train": settings.model_dump()
        | {"device": device.type if settings.device == "auto" else settings.device}
        | {"threads": torch.get_num_threads(), "precision": chosen},
    }
    fabric = processes.fabric(settings, device, chosen)
    if fabric.world_size > 1:
        processes.share_statistics(network, fabric.device)
    network = network.to(fabric.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean, std, border = (to_bytes_scale(facts[name]).to(fabric.device) for name in ("mean", "std", "border"))
    rows = {name: load_split(name) for name in ("train", "val")}
    labels = {name: labels_of(index, rows[name]) for name in rows}
    data = of_splits(
        images, rows, labels, fabric.device, memory_share=settings.memory_share, processes=settings.devices
    )
    change = pipeline.build(params.augment, border.flatten(), mean.flatten())

    def fit(resume: loop.State | None, **calls: Callable[..., object]) -> loop.Result:
        return loop.fit(
            fabric, network, data["train"], data["val"], mean, std, settings, change, resume=resume, **calls
        )

    if not fabric.is_global_zero:
        fit(fabric.broadcast(None))
        return
    checkpoint = Checkpoint(fingerprint([facts, torch.__version__], _decisive_files(facts["augment"])))
    resume = fabric.broadcast(checkpoint.load())
    kept = checkpoint.folder / "epochs"
    print(layers)
    if resume:
        print(f"an earlier run of this training was cut off: going on after epoch {resume['epoch']}")
    steps = settings.epochs * -(-len(data["train"]) // settings.batch_size)
    with (
        recording.training(params, facts, layers, run_id=resume["run_id"] if resume else None) as record,
        bar(what="train", unit="step", total=steps) as shown,
    ):
        if resume:
            shown.update(steps // settings.epochs * resume["epoch"])
        saved = time.monotonic()

        def on_epoch(figures: dict[str, float], state: Callable[[], dict[str, Any]]) -> None:
            nonlocal saved
            epoch = int(figures["epoch"])
            shown.set_description(f"epoch {epoch}/{settings.epochs}, val {figures['val_accuracy']:.2%}")
            record.epoch(figures)
            if settings.keep_epochs:
                _save_weights(kept / f"epoch-{epoch:03}.safetensors", network.state_dict())
            if epoch == settings.epochs or time.monotonic() - saved >= SAVE_SECONDS:
                checkpoint.save(state() | {"run_id": record.run_id})
                saved = time.monotonic()

        result = fit(resume, on_step=shown.update, on_epoch=on_epoch)
        history = pd.DataFrame(result.history)[HISTORY].round(6)
        if result.diverged:
            checkpoint.clear()
            raise UserError(
                f"training diverged: the loss is no longer a number after epoch {len(history)}. Lower train.lr, "
                "or raise train.warmup; nothing was written"
            )
        network.load_state_dict(result.weights)
        scores = loop.logits(network, data["val"], mean, std, settings.batch_size).numpy()
        temperature = calibration.fit_temperature(data["val"].labels.cpu().numpy(), scores)
        best, words = history.iloc[result.best_epoch - 1], verdict.fit_in_words(history)
        _save_weights(paths.WEIGHTS, result.weights)
        write_json(paths.MODEL, facts | {"temperature": temperature})
        write_text(paths.LAYERS, layers + "\n")
        write_csv(paths.HISTORY, history)
        write_json(
            paths.TRAIN,
            {
                "epochs": len(history),
                "best_epoch": result.best_epoch,
                "stopped_early": result.stopped_early,
                "parameters": facts["parameters"],
                **{name: round(float(best[name]), 4) for name in HISTORY[1:5]},
                "temperature": temperature,
                "fit": words,
            },
        )
        with replacing_folder(paths.EPOCHS) as folder:
            # Never empty, for DVC warns of an empty output.
            write_csv(folder / "index.csv", history if settings.keep_epochs else history.head(0))
            for file in kept.glob("*.safetensors") if settings.keep_epochs else []:
                (folder / file.name).write_bytes(file.read_bytes())
        with replacing_folder(paths.TRAIN_PICTURES) as folder:
            augmented, boundary = bool(params.augment), settings.freeze_epochs
            curves = charts.curves(history, result.best_epoch, boundary=boundary, augmented=augmented)
            style.save(curves, folder / "curves.png")
            before, after = _augmented(data["train"], change, settings.seed)
            changed = "before and after augmentation" if augmented else "as they are, for augment is empty"
            title = f"Training images {changed}, {len(before)} of one batch"
            style.save(charts.before_after(before, after, columns=8, title=title), folder / "augmented.png")
        record.trained(sha256(paths.WEIGHTS), params.tracking.register_as)
    checkpoint.clear()
    done(
        f"{words}\nwrote {paths.WEIGHTS} ({facts['parameters']:,} parameters, best of {len(history)} epochs: "
        f"{result.best_epoch}, {best['val_accuracy']:.2%} on val) and {paths.TRAIN_PICTURES}/curves.png",
        "dvc repro evaluate",
    )


def _start_from(network: "Sequential", params: Params) -> str | None:
    """Load the weights to start from, if any; give their sha256."""
    if params.model.weights is None:
        return None
    from darkroom.network import torchvision_bodies  # imports torchvision, which takes seconds

    return torchvision_bodies.load_pretrained(network, params.model)


def _save_weights(path: Path, weights: "dict[str, Tensor]") -> None:
    from safetensors.torch import save_file

    with replacing(path) as partial:
        save_file({name: value.contiguous().cpu() for name, value in weights.items()}, partial)


def _augmented(data: "Batches", change: "Change", seed: int) -> tuple[Any, Any]:
    """Some training images as they are stored, and as the network gets them (uint8, N x H x W x C)."""
    import torch

    from darkroom.augment.randomness import seed_of, whole

    generator = torch.Generator().manual_seed(seed_of(seed, 0))
    positions = torch.randperm(len(data), generator=generator)[:SHOWN]
    (images,) = data.read([positions])
    draw = whole(generator, positions, data.device)
    after = change(images.permute(0, 3, 1, 2).float(), draw).permute(0, 2, 3, 1)
    return images.cpu().numpy(), after.round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def _decisive_files(augment: Any) -> list[Path]:
    """Files that decide what a training gives, besides its parameters."""
    files = [paths.INDEX, paths.CLASSES, paths.SPLIT, paths.STATS, Path(__file__)]
    files += Path(torch_setup.__file__).parents[1].rglob("*.py")
    own = [Path(name.partition(":")[0].replace(".", "/") + ".py") for name in own_functions(augment)]
    return files + [file for file in own if file.is_file()]


if __name__ == "__main__":
    run(main)
