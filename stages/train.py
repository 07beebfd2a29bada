"""Train the network, and keep the weights of the epoch that is best on validation."""

import pandas as pd

from darkroom import paths, plots, runtime
from darkroom.catalog import Entry
from darkroom.console import UserError, bar, done, run
from darkroom.dataset import labels_of, load_classes, load_images, load_index, load_split
from darkroom.files import read_json, replacing, replacing_folder, sha256, write_csv, write_json
from darkroom.params import Params, load

HISTORY = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr"]


def main() -> None:
    params, entry = load()
    # Before any import of torch: some settings are read when it loads.
    runtime.torch_for(threads=params.train.threads, portable=params.train.portable)
    train(params, entry)


def train(params: Params, entry: Entry) -> None:
    """Train on the packed data set and write model, metrics and curves; record the run."""
    import torch
    from safetensors.torch import save_file

    from darkroom import augment, engine, models, tracking
    from darkroom.inference import to_bytes_scale

    settings = params.train
    device = engine.choose_device(settings.device, portable=settings.portable)
    images, index, classes = load_images(), load_index(), load_classes()
    stats = read_json(paths.STATS)
    mean, std = (to_bytes_scale(stats[name]).to(device) for name in ("mean", "std"))
    rows = {name: load_split(name) for name in ("train", "val")}
    data = {name: engine.Data.on(device, images[part], labels_of(index, part)) for name, part in rows.items()}

    torch.manual_seed(settings.seed)
    model = models.build(params.model, entry.shape, len(classes))
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    facts = {
        "dataset": params.dataset,
        "classes": classes,
        "height": entry.shape[0],
        "width": entry.shape[1],
        "channels": entry.shape[2],
        "mean": stats["mean"],
        "std": stats["std"],
        "model": params.model.model_dump(),
        "parameters": models.parameter_count(model),
        "augment": [item.model_dump(exclude_none=True) for item in params.augment],
        "train": settings.model_dump()
        | {"device": device.type, "threads": runtime.threads_for(settings.threads, settings.portable)},
    }
    steps = settings.epochs * -(-len(rows["train"]) // settings.batch_size)
    with (
        tracking.training(params, facts, model_summary=str(model)) as record,
        bar(what="train", unit="step", total=steps) as shown,
    ):

        def on_epoch(figures: dict[str, float]) -> None:
            shown.set_description(f"epoch {figures['epoch']}/{settings.epochs}, val {figures['val_accuracy']:.2%}")
            record.epoch(figures)

        result = engine.fit(
            model,
            data["train"],
            data["val"],
            mean,
            std,
            settings,
            augment.build(params.augment, mean.flatten()),
            on_step=shown.update,
            on_epoch=on_epoch,
        )
        history = pd.DataFrame(result.history)[HISTORY].round(6)
        _check_finite(history)
        with replacing(paths.WEIGHTS) as partial:
            save_file({name: value.contiguous().cpu() for name, value in result.weights.items()}, partial)
        write_json(paths.MODEL, facts)
        write_csv(paths.HISTORY, history)
        best = history.iloc[result.best_epoch - 1]
        write_json(
            paths.TRAIN,
            {
                "epochs": len(history),
                "best_epoch": result.best_epoch,
                "stopped_early": result.stopped_early,
                "parameters": facts["parameters"],
                **{name: round(float(best[name]), 4) for name in HISTORY[1:5]},
            },
        )
        with replacing_folder(paths.TRAIN_PICTURES) as folder:
            plots.save(plots.curves(history, result.best_epoch), folder / "curves.png")
        record.trained(sha256(paths.WEIGHTS))
    done(
        f"wrote {paths.WEIGHTS} ({facts['parameters']:,} parameters, best of {len(history)} epochs: "
        f"{result.best_epoch}, {best['val_accuracy']:.2%} on val) and {paths.TRAIN_PICTURES}/curves.png",
        "dvc repro evaluate",
    )


def _check_finite(history: pd.DataFrame) -> None:
    last = history.iloc[-1]
    if not pd.notna(last["train_loss"]) or last["train_loss"] == float("inf"):
        raise UserError(
            f"training diverged: the loss is no longer a number after epoch {int(last['epoch'])}. Lower train.lr, "
            "or raise train.warmup; nothing was written"
        )


if __name__ == "__main__":
    run(main)
