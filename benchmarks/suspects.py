"""How many wrong labels the errors stage finds: some are made wrong on purpose, by corrections, and counted.

The pipeline runs in a folder of its own, once, with the data set's own recipe: mnist, or digits where the run is
quick. Each flipped picture gets one of the other classes, all equally likely. Precision is the share of the suspects
that were flipped, so that labels which the makers got wrong count against it; recall is the share of the flipped that
are suspects. The training images are looked at where --folds trains models for it.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.fresh import ROOT
from benchmarks.table import Setting, Table
from darkroom.base import paths
from darkroom.base.console import bar
from darkroom.base.files import read_json, write_csv
from darkroom.config.yaml_files import dump, read_yaml
from darkroom.intake.corrections import COLUMNS

SEED = 0
STAGES = (
    "entry", "fetch", "extract", "flip", "extract", "audit", "split", "stats", "baseline", "train", "evaluate",
    "errors",
)  # fmt: skip


def run(setting: Setting) -> list[Table]:
    folder, dataset = setting.folder(), "digits" if setting.quick else "mnist"
    _repository(folder, dataset, setting)
    seconds = {}
    for name in bar(what="suspects", unit="stage", items=STAGES):
        started = time.perf_counter()
        if name == "flip":
            index = pd.read_parquet(folder / paths.INDEX)
            wrong = flip(index, read_json(folder / paths.CLASSES), dataset, setting.flip, SEED)
            write_csv(folder / paths.CORRECTIONS, wrong)
        else:
            _call(name, folder)
        seconds[name] = time.perf_counter() - started
    index, suspects = pd.read_parquet(folder / paths.INDEX), pd.read_csv(folder / paths.SUSPECTS, dtype=str)
    split = pd.read_parquet(folder / paths.SPLIT).merge(index, on="row")
    rows = []
    for name in ("train", "val", "test") if setting.folds else ("val", "test"):
        images = set(split.loc[split["split"] == name, "path"])
        flipped, found = images & set(wrong["path"]), images & set(suspects["path"])
        hits = len(flipped & found)
        shares = [f"{hits / max(1, count):.3f}" for count in (len(found), len(flipped))]
        rows.append([name, *(f"{count:,}" for count in (len(images), len(flipped), len(found), hits)), *shares])
    notes = (
        f"{setting.flip:.1%} of the labels flipped, seed {SEED}; {setting.folds} models for the training images.",
        f"train took {seconds['train']:.0f} s, errors {seconds['errors']:.0f} s.",
    )
    columns = ("split", "images", "flipped", "suspects", "both", "precision", "recall")
    data = "digits, bundled" if setting.quick else setting.title
    return [Table("suspects: wrong labels made on purpose, and found", data, 1, columns, rows, notes=notes)]


def flip(index: pd.DataFrame, classes: list[str], dataset: str, share: float, seed: int) -> pd.DataFrame:
    """Corrections that give a share of the labelled pictures, drawn at random, one of the other classes."""
    generator = np.random.default_rng(seed)
    labelled = index[index["label"].notna()]
    chosen = labelled.iloc[np.sort(generator.choice(len(labelled), round(share * len(labelled)), replace=False))]
    labels = chosen["label"].to_numpy(np.int64)
    others = (labels + generator.integers(1, len(classes), len(labels))) % len(classes)
    table = {"dataset": dataset, "path": chosen["path"], "action": "relabel", "label": [classes[at] for at in others]}
    return pd.DataFrame(table, columns=list(COLUMNS))


def _repository(folder: Path, dataset: str, setting: Setting) -> None:
    """The code and the parameters in a folder of their own."""
    for name in ("darkroom", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / paths.DATASETS, folder)
    params = read_yaml(ROOT / paths.PARAMS)
    params["dataset"] = dataset
    params["fetch"]["archive"] = {} if setting.quick else {dataset: str(setting.archive)}
    params["errors"]["train_folds"] = setting.folds
    params["tracking"]["enabled"] = False
    (folder / paths.PARAMS).write_text(dump(params), encoding="utf-8")


def _call(stage: str, folder: Path) -> None:
    command = [sys.executable, "-m", f"stages.{stage}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
