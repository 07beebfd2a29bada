"""A working folder with a model, its data, and something to review."""

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file

from darkroom.base import paths
from darkroom.base.files import write_json, write_parquet
from darkroom.config.model_facts import ModelFacts
from darkroom.config.stage_tables import DUPLICATES, MISTAKES, NEAR_DUPLICATES, SUSPECTS
from tests import make, models

CLASSES = ["ant", "bee", "cow"]
SHAPE = (8, 8, 1)
LEARNED, COPY, NEAR = "confident learning", "same pixels with another label", "near-duplicate with another label"


def name(row, sort="train"):
    return f"{sort}/{row}.png"


def tables(suspects=(), conflicts=(), near=(), mistakes=()):
    """What the stages found: (row, suggestion, label, why), groups of (row, label), pairs, (row, true, predicted)."""
    SUSPECTS.write(
        pd.DataFrame(
            [("mine", name(row), "relabel", to, label, row, "train", 0.0123, why) for row, to, label, why in suspects],
            columns=list(SUSPECTS.columns),
        )
    )
    rows = [(at, "conflict", row, name(row), "train", label) for at, of in enumerate(conflicts) for row, label in of]
    DUPLICATES.write(pd.DataFrame(rows, columns=list(DUPLICATES.columns)))
    pairs = [
        ("test", name(row), row, label, name(other), other, other_label, label == other_label, 0.01)
        for row, label, other, other_label in near
    ]
    NEAR_DUPLICATES.write(pd.DataFrame(pairs, columns=list(NEAR_DUPLICATES.columns)))
    wrong = [(name(row), row, true, predicted, 0.9, 2.0, true, "0.1", "0 1", 1) for row, true, predicted in mistakes]
    MISTAKES.write(pd.DataFrame(wrong, columns=list(MISTAKES.columns)))


def site(rows=12):
    """Twelve pictures, of which each third is for testing, labelled ant, bee, cow in turn; and a model of them."""
    images, labels = models.blobs(rows)
    make.packed(images, labels.tolist(), ["train", "val", "test"] * (rows // 3), CLASSES)
    paths.MODEL.parent.mkdir(exist_ok=True)
    facts = models.facts(SHAPE, CLASSES, dataset="mine")
    ModelFacts.model_validate(facts).write(paths.MODEL)
    write_json(paths.MODEL, facts)
    torch.manual_seed(0)
    save_file(models.classifier(SHAPE).network.state_dict(), paths.WEIGHTS)
    paths.CORRECTIONS.write_text("dataset,path,action,label\n")
    tables(
        suspects=[(1, "cow", "bee", LEARNED), (4, "ant", "bee", LEARNED), (7, "ant", "bee", LEARNED)],
        mistakes=[(2, "cow", "ant")],
    )


def moved(by=1):
    """The index is made anew with so many pictures less at its beginning."""
    index = pd.read_parquet(paths.INDEX)[by:].reset_index(drop=True)
    write_parquet(paths.INDEX, index.assign(row=np.arange(len(index))))
    np.save(paths.IMAGES, np.load(paths.IMAGES)[by:])
