"""Every path of the pipeline, relative to the root of the repository, where DVC runs each stage."""

import os
from pathlib import Path

GRAPH = Path("dvc.yaml")
PARAMS = Path("params.yaml")
DATASETS = Path("datasets.yaml")
OWN = Path("own")  # a user's own functions

ENTRY_SOURCE = Path("data/entry/source.json")
ENTRY_LAYOUT = Path("data/entry/layout.json")

RAW = Path("data/raw")
SOURCE = RAW / "source.json"

CORRECTIONS = Path("data/corrections.csv")

DATA = Path("data/images")
IMAGES = DATA / "images.npy"
INDEX = DATA / "index.parquet"
CLASSES = DATA / "classes.json"
REJECTED = DATA / "rejected.csv"
PASSED_OVER = DATA / "passed_over.csv"
CORRECTED = DATA / "corrected.csv"
SAMPLE = DATA / "sample_submission.csv"

AUDIT = Path("metrics/audit.json")
DUPLICATES = Path("metrics/duplicates.csv")
AUDIT_PICTURES = Path("metrics/audit")

SPLIT = Path("data/split.parquet")
SPLIT_TABLE = Path("metrics/split.csv")
STATS = Path("metrics/stats.json")
PRETRAINED = Path("data/pretrained")
PRETRAINED_NOTE = PRETRAINED / "pretrained.json"
FEATURES_LIMIT = 8 * 2**30
BASELINE = Path("metrics/baseline.json")
BASELINE_PREDICTIONS = Path("data/baseline_predictions.parquet")

WEIGHTS = Path("models/model.safetensors")
MODEL = Path("models/model.json")
EPOCHS = Path("models/epochs")
AUGMENTED = Path("models/augmented.npy")
TRAIN = Path("metrics/train.json")
LAYERS = Path("metrics/model.txt")
HISTORY = Path("metrics/history.csv")
CURVES = Path("metrics/curves.json")
TRAIN_PICTURES = Path("metrics/train")

EVALUATE = Path("metrics/evaluate.json")
REPORT_JSON = Path("metrics/classification_report.json")
REPORT_TEXT = Path("metrics/classification_report.txt")
PER_CLASS = Path("metrics/per_class.csv")
CONFUSION = Path("metrics/confusion_matrix.csv")
CALIBRATION = Path("metrics/calibration.csv")
COVERAGE = Path("metrics/coverage.csv")
SLICES = Path("metrics/slices.csv")
PREDICTIONS = Path("data/predictions.parquet")
EVALUATE_PICTURES = Path("metrics/evaluate")

INSIDE = Path("metrics/inside.json")
INSIDE_PICTURES = Path("metrics/inside")
FAMILIARITY = Path("models/familiarity.safetensors")

SUBMISSION = Path("data/submission.csv")
PREDICT_PICTURES = Path("metrics/predict")

ERRORS = Path("metrics/errors.json")
ERRORS_TABLE = Path("metrics/errors.csv")
SUSPECTS = Path("metrics/suspects.csv")
NEAR_DUPLICATES = Path("metrics/near_duplicates.csv")
ERRORS_PICTURES = Path("metrics/errors")

REPORT = Path("metrics/report.html")
CARD = Path("models/README.md")


def features() -> Path:
    """Where features of frozen networks are kept: at most `FEATURES_LIMIT` bytes."""
    return root() / ".features"


def root() -> Path:
    """The root of the repository, where downloads and MLflow's runs outlive a run of the pipeline.

    DVC runs `--temp` and `--queue` experiments in a copy that it deletes; there DVC_ROOT names the repository itself.
    """
    return Path(os.environ.get("DVC_ROOT", ".")).absolute()


def project(folder: Path) -> Path | None:
    """The nearest folder, this one or one above it, with dvc.yaml and params.yaml; None if there is none."""
    return next(
        (place for place in (folder, *folder.parents) if (place / GRAPH).is_file() and (place / PARAMS).is_file()), None
    )
