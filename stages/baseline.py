"""Measure what simple methods reach on the same split."""

from darkroom import baselines, paths
from darkroom.console import done, progress, run
from darkroom.dataset import labels_of, load_images, load_index, load_split
from darkroom.files import write_json
from darkroom.params import load


def main() -> None:
    settings = load()[0].baseline
    images, index = load_images(), load_index()
    chosen = baselines.choose(load_split("train"), settings.max_train, settings.seed)
    rows = {"train": chosen, "val": load_split("val"), "test": load_split("test")}
    sets = {name: (baselines.features(images, part), labels_of(index, part)) for name, part in rows.items()}
    train = sets.pop("train")
    results: dict[str, object] = {"train_images": len(chosen)}
    for name in progress(baselines.MODELS, what="baselines", unit="model", total=len(baselines.MODELS)):
        reached = baselines.accuracies(name, settings.seed, train, sets)
        results[name] = {f"{split}_accuracy": round(accuracy, 4) for split, accuracy in reached.items()}
    write_json(paths.BASELINE, results)
    shown = ", ".join(f"{name} {results[name]['test_accuracy']:.2%}" for name in baselines.MODELS)  # type: ignore[index]
    done(f"wrote {paths.BASELINE}; accuracy on test: {shown}", "dvc repro train")


if __name__ == "__main__":
    run(main)
