import json

import numpy as np
import pandas as pd
import pytest

from darkroom.base import paths
from darkroom.dataset import packed
from stages import baseline, entry, extract, fetch, split
from tests import make


def run(project):
    for stage in (entry, fetch, extract, split, baseline):
        stage.main()
    return json.loads(paths.BASELINE.read_text(encoding="utf-8"))


def test_each_baseline_is_measured_on_val_and_test(project, capsys):
    project.add(path="x")
    generator = np.random.default_rng(0)
    files = {
        f"train/{label}/{number}.png": make.encode(generator.integers(low, low + 100, (8, 8, 1)).astype(np.uint8))
        for label, low in (("dark", 0), ("light", 100))
        for number in range(60)
    }
    project.archive(make.zip_of(files))
    project.set(baseline__max_train=20)
    found = run(project)
    assert found["train_images"] == 20
    assert found["majority_class"] == {"val_accuracy": 0.5, "test_accuracy": 0.5}
    for name in ("random_forest", "logistic_regression"):
        assert found[name]["val_accuracy"] > 0.9
        assert found[name]["test_accuracy"] > 0.9
    assert "accuracy on test: majority_class 50.00%" in capsys.readouterr().out
    predicted = pd.read_parquet(paths.BASELINE_PREDICTIONS).set_index("row")
    assert list(predicted) == ["majority_class", "random_forest", "logistic_regression"]
    assert predicted.index.tolist() == packed.load_split("test").tolist()
    labels = packed.labels_of(packed.load_index(), predicted.index.to_numpy())
    for name in predicted:
        assert (predicted[name] == labels).mean() == pytest.approx(found[name]["test_accuracy"], abs=1e-4)


def test_the_digits_are_learned_and_the_bytes_repeat(project):
    found = run(project)
    assert found["majority_class"]["test_accuracy"] < 0.15
    assert found["random_forest"]["test_accuracy"] > 0.85
    assert found["logistic_regression"]["test_accuracy"] > 0.92
    outputs = (paths.BASELINE, paths.BASELINE_PREDICTIONS)
    first = [path.read_bytes() for path in outputs]
    baseline.main()
    assert [path.read_bytes() for path in outputs] == first
