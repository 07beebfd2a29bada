"""Unpacks a nested archive of Kaggle's layout to DATA/train, DATA/val and DATA/test, a folder for each class.

    python -m benchmarks.peers.unpack ARCHIVE SPLIT.csv DATA

SPLIT.csv has the columns path and split, so that all train on the same images. A user would divide them in about as
many lines, by scikit-learn's train_test_split, twice.
"""

import csv
import sys
import tarfile
import zipfile
from pathlib import Path

archive, split, target = map(Path, sys.argv[1:])
with zipfile.ZipFile(archive) as outer:
    outer.extract("trainingSet.tar.gz", target)
with tarfile.open(target / "trainingSet.tar.gz") as inner:
    inner.extractall(target / "trainingSet", filter="data")
with split.open(newline="") as table:
    for row in csv.DictReader(table):
        source = target / row["path"]
        folder = target / row["split"] / source.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        source.rename(folder / source.name)
