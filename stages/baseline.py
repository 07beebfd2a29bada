"""Measure what simple methods reach on the same split."""

import numpy as np
import pandas as pd

from darkroom.analysis import baselines
from darkroom.base import paths
from darkroom.base.console import done, progress, run
from darkroom.base.files import write_json, write_parquet
from darkroom.config.params import load
from darkroom.dataset.packed import chunks, labels_of, load_images, load_index, load_split


def main() -> None:
    settings = load()[0].baseline
    images, index = load_images(), load_index("label")
    rows = load_split("train")
    chosen = baselines.choose(rows, labels_of(index, rows), settings.max_train, settings.seed)
    pixels = np.concatenate([baselines.features(part) for _, part in chunks(images, chosen)])
    train = pixels, labels_of(index, chosen)
    shown = progress(baselines.MODELS, what="baselines", unit="model", total=len(baselines.MODELS))
    models = {name: baselines.fit(name, settings.seed, *train) for name in shown}
    results: dict[str, dict[str, float]] = {name: {} for name in models}
    for split in ("val", "test"):
        rows = load_split(split)
        found, labels = baselines.predictions(models, images, rows), labels_of(index, rows)
        for name, predicted in found.items():
            results[name][f"{split}_accuracy"] = round(float(np.mean(predicted == labels)), 4)
    write_parquet(paths.BASELINE_PREDICTIONS, pd.DataFrame({"row": rows} | found))
    write_json(paths.BASELINE, {"train_images": len(chosen)} | results)
    reached = ", ".join(f"{name} {figures['test_accuracy']:.2%}" for name, figures in results.items())
    done(f"wrote {paths.BASELINE}; accuracy on test: {reached}", "dvc repro train")


if __name__ == "__main__":
    run(main)
