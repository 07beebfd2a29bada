"""Measure the accuracy of simple methods on the same split: on pixels, and on the features of pretrained weights."""

import numpy as np
import pandas as pd

from darkroom.analysis import baselines
from darkroom.base import paths, torch_setup
from darkroom.base.console import done, progress, run
from darkroom.config.params import load
from darkroom.config.stage_files import BaselineAccuracy, Baselines
from darkroom.config.stage_tables import BASELINE_PREDICTIONS
from darkroom.dataset.packed import chunks, labels_of, load_images, load_index, load_split


def main() -> None:
    # 1. Fit each method to (at most so many) training images.
    params, entry = load()
    seed, images, index = params.baseline.seed, load_images(), load_index("label")
    tested = {name: load_split(name) for name in ("val", "test")}
    rows = load_split("train")
    chosen = baselines.sample(rows, labels_of(index, rows), params.baseline.max_train, seed)
    pixels = np.concatenate([baselines.pixel_features(part) for _, part in chunks(images, chosen)])
    train = pixels, labels_of(index, chosen)
    shown = progress(baselines.MODELS, what="baselines", unit="model", total=len(baselines.MODELS))
    models = {name: baselines.fit(name, seed, *train) for name in shown}
    # 2. Predict val and test.
    found = {name: baselines.predict(models, images, rows) for name, rows in tested.items()}
    labels = {name: labels_of(index, rows) for name, rows in ({"train": chosen} | tested).items()}
    words = dict.fromkeys(models, "")
    # 3. Do the same with the features of the pretrained network, if there is one.
    if params.model.weights is not None:
        torch_setup.torch_for(threads=params.train.threads, portable=params.train.portable)
        from darkroom.analysis import feature_baselines

        known = feature_baselines.features(params, entry, images, {"train": chosen} | tested)
        for name in feature_baselines.METHODS:
            predicted, words[name] = feature_baselines.predict(name, seed, known, labels)
            for split, of in predicted.items():
                found[split][name] = of
    # 4. Compare with the labels, and write.
    right = {name: {model: float(np.mean(of == labels[name])) for model, of in found[name].items()} for name in tested}
    results = {
        model: BaselineAccuracy(val_accuracy=round(right["val"][model], 4), test_accuracy=round(reached, 4))
        for model, reached in right["test"].items()
    }
    BASELINE_PREDICTIONS.write(pd.DataFrame({"row": tested["test"]} | found["test"]))
    Baselines(train_images=len(chosen), **results).write(paths.BASELINE)
    reached = ", ".join(f"{name}{words[name]} {figures.test_accuracy:.2%}" for name, figures in results.items())
    done(f"wrote {paths.BASELINE}; accuracy on test: {reached}", "dvc repro train")


if __name__ == "__main__":
    run(main)
