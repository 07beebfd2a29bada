"""Measure what simple methods reach on the same split."""

import numpy as np
import pandas as pd

from darkroom import baselines, paths
from darkroom.console import done, progress, run
from darkroom.dataset import labels_of, load_images, load_index, load_split
from darkroom.files import write_json, write_parquet
from darkroom.params import load


def main() -> None:
    settings = load()[0].baseline
    images, index = load_images(), load_index("label")
    chosen = baselines.choose(load_split("train"), settings.max_train, settings.seed)
    rows = {"train": chosen, "val": load_split("val"), "test": load_split("test")}
    labels = {name: labels_of(index, part) for name, part in rows.items()}
    features = {name: baselines.features(images, part) for name, part in rows.items()}
    train = features.pop("train"), labels.pop("train")
    on_test = pd.DataFrame({"row": rows["test"]})
    results: dict[str, object] = {"train_images": len(chosen)}
    for name in progress(baselines.MODELS, what="baselines", unit="model", total=len(baselines.MODELS)):
        found = baselines.predictions(name, settings.seed, train, features)
        results[name] = {
            f"{split}_accuracy": round(float(np.mean(found[split] == labels[split])), 4) for split in found
        }
        on_test[name] = found["test"]
    write_parquet(paths.BASELINE_PREDICTIONS, on_test)
    write_json(paths.BASELINE, results)
    shown = ", ".join(f"{name} {results[name]['test_accuracy']:.2%}" for name in baselines.MODELS)  # type: ignore[index]
    done(f"wrote {paths.BASELINE}; accuracy on test: {shown}", "dvc repro train")


if __name__ == "__main__":
    run(main)
