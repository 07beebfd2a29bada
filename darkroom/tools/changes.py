"""What changed since a commit or an experiment: corrections, suspected labels, and the accuracy on the test images.

Earlier figures are read from Git, earlier predictions from DVC's cache or remote.
"""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError
from ruamel.yaml import YAML

from darkroom.base import git, paths
from darkroom.base.errors import UserError
from darkroom.base.words import counted
from darkroom.config.model_facts import ModelFacts
from darkroom.config.patterns import composed
from darkroom.config.stage_files import ErrorFigures, Evaluation, StageFile
from darkroom.config.stage_tables import PREDICTIONS
from darkroom.dataset.packed import load_classes, load_index
from darkroom.report import summary
from darkroom.tools import decisions
from darkroom.tools.decisions import Decision

RESAMPLES = 10_000
Corrections = dict[str, tuple[str, str]]  # action and label by the composed form of the path


def in_words(revision: str) -> str:
    """What changed since a revision, in lines. Raises UserError where one of the two states has no figures."""
    if not paths.EVALUATE.is_file() or not paths.MODEL.is_file():
        raise UserError("nothing has been evaluated yet: `dvc repro` runs the pipeline")
    commit = resolved(revision)
    dataset = ModelFacts.read(paths.MODEL).dataset
    places = (paths.PARAMS, paths.EVALUATE, paths.ERRORS, paths.CORRECTIONS)
    names = [f"{commit}:./{path.as_posix()}" for path in places]
    params, evaluated, errors, corrections = git.contents(names)
    if evaluated is None:
        raise UserError(f"{revision} has no {paths.EVALUATE}: name a commit or an experiment that has been evaluated")
    other = (YAML(typ="safe").load(params or b"") or {}).get("dataset")
    if other != dataset:
        raise UserError(f"{revision} has figures of the data set {other}, not of {dataset}: they do not compare")
    before, now = _as(Evaluation, evaluated, revision), Evaluation.read(paths.EVALUATE)
    lines = [f"{dataset}, since {revision} ({commit[:7]})"]
    lines.append(f"corrections: {_difference(_corrections(corrections, dataset), _held(dataset))}")
    if errors is not None and paths.ERRORS.is_file():
        was, are = _as(ErrorFigures, errors, revision).suspects.images, ErrorFigures.read(paths.ERRORS).suspects.images
        lines.append(f"suspected labels: {was:,}, now {are:,}")
    earlier, present = (f"{one.test.accuracy:.2%} ({summary.interval(one.test)})" for one in (before, now))
    lines.append(f"test accuracy, each on its own test images and labels (95 % interval): {earlier}, now {present}")
    return "\n".join([*lines, *_paired(commit, revision), *_waiting(dataset)])


def resolved(revision: str) -> str:
    """The hash of a commit, or of an experiment by its name. Raises UserError for others."""
    if found := git.output_if_any("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"):
        return found
    for line in git.output_if_any("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines():
        found, _, name = line.partition(" ")
        if name.rpartition("/")[2] == revision:
            return found
    raise UserError(f"{revision} is neither a commit nor an experiment: `git log` and `dvc exp show` list them")


def gap_interval(gaps: NDArray[np.int64]) -> tuple[float, float]:
    """The 95 % interval of the mean of gaps of -1, 0 or 1: percentile bootstrap (Efron 1979, 10.1214/aos/1176344552).

    Each image has one gap, so that both states are judged on the same images of each resample.
    """
    shares = [(gaps == one).mean() for one in (-1, 0, 1)]
    drawn = np.random.default_rng(0).multinomial(len(gaps), shares, RESAMPLES)
    low, high = np.quantile((drawn[:, 2] - drawn[:, 0]) / len(gaps), [0.025, 0.975])
    return float(low), float(high)


def _paired(commit: str, revision: str) -> list[str]:
    """The gap on the test images that both states share, by the labels of now."""
    then, now = _tested_then(commit), _tested_now()
    if then is None:
        return [
            f"no interval of the gap: DVC does not have {paths.PREDICTIONS} of {revision} "
            "(`dvc fetch --all-commits` asks a remote)"
        ]
    both = now.merge(then, on=["path", "sha256"], suffixes=("", "_then"))
    if both.empty:
        return ["no interval of the gap: no picture is a test image of both"]
    right, before = (both[name] == both["label"] for name in ("predicted", "predicted_then"))
    low, high = gap_interval(right.to_numpy(np.int64) - before.to_numpy(np.int64))
    gap = right.mean() - before.mean()
    verdict = "better" if low > 0 else "worse" if high < 0 else "no evidence of a change"
    relabelled = int((both["label"] != both["label_then"]).sum())
    limits = f"95 % interval {100 * low:+.2f} to {100 * high:+.2f}"
    return [
        f"on the {len(both):,} test images of both, by the labels of now ({relabelled:,} differ): {before.mean():.2%}, "
        f"now {right.mean():.2%}, {100 * gap:+.2f} points ({limits}): {verdict}",
        "the interval is of the choice of test images; another seed of the training moves both: see `darkroom compare`",
    ]


def _tested_now() -> pd.DataFrame:
    return _named(PREDICTIONS.read("row", "split", "label", "predicted"), load_index("path", "sha256"), load_classes())


def _tested_then(commit: str) -> pd.DataFrame | None:
    """As `_tested_now`, of a commit; None where its files cannot be had."""
    import dvc.api  # takes a second

    def opened(path: Path, read: Callable[[IO[bytes]], Any]) -> Any:
        with dvc.api.open(path.as_posix(), rev=commit, mode="rb") as file:
            return read(file)

    try:
        columns = ["row", "split", "label", "predicted"]
        predictions = opened(paths.PREDICTIONS, lambda file: pd.read_parquet(file, columns=columns))
        index = opened(paths.INDEX, lambda file: pd.read_parquet(file, columns=["path", "sha256"]))
        return _named(predictions, index, opened(paths.CLASSES, json.load))
    except Exception:  # whatever a remote, a cache that was cleared or a damaged file raises
        return None


def _named(predictions: pd.DataFrame, index: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
    """The test images: path, sha256 of the pixels, and the names of label and prediction."""
    tested = predictions[predictions["split"] == "test"]
    rows, names = tested["row"].to_numpy(), np.array(classes, dtype=object)
    return pd.DataFrame(
        {
            "path": index["path"].to_numpy()[rows],
            "sha256": index["sha256"].to_numpy()[rows],
            "label": names[tested["label"].to_numpy(np.int64)],
            "predicted": names[tested["predicted"].to_numpy(np.int64)],
        }
    )


def _corrections(content: bytes | None, dataset: str) -> Corrections:
    """The corrections of a data set in a table that Git has; what it may hold beside them is passed over."""
    lines = csv.reader(io.StringIO((content or b"").decode("utf-8-sig", "replace"), newline=""))
    return _plain(decisions.corrected(lines, dataset))


def _held(dataset: str) -> Corrections:
    return _plain(decisions.read(dataset))


def _plain(known: dict[str, Decision]) -> Corrections:
    return {path: (one.kind, one.label) for path, one in known.items() if one.kind != "keep"}


def _difference(before: Corrections, now: Corrections) -> str:
    new = [action for path, (action, _) in now.items() if path not in before]
    changed = sum(path in before and before[path] != one for path, one in now.items())
    gone = len(before.keys() - now.keys())
    words = f"{len(new):,} new ({new.count('relabel'):,} relabelled, {new.count('drop'):,} dropped)"
    return f"{words}, {changed:,} changed, {gone:,} taken back"


def _waiting(dataset: str) -> list[str]:
    """A line where corrections are not in the data yet, or still are."""
    applied: Corrections = {}
    if paths.CORRECTED.is_file():
        done = pd.read_csv(paths.CORRECTED, dtype=str, keep_default_na=False)
        applied = {
            composed(path): (action, label)
            for path, action, label in done[["path", "action", "now"]].itertuples(index=False)
        }
    held = _held(dataset)
    count = sum(applied.get(path) != one for path, one in held.items()) + len(applied.keys() - held.keys())
    return [f"{counted(count, 'correction')} not in these figures yet: `dvc repro`"] if count else []


def _as(kind: type[StageFile], content: bytes, revision: str) -> Any:
    try:
        return kind.model_validate_json(content)
    except ValidationError:
        raise UserError(f"the figures of {revision} are of another version, and do not compare with these") from None
