"""What a run is found and told by: its name, its tags, and its parameters."""

import json
import os
from collections.abc import Mapping
from typing import Any

from darkroom.base import git, paths
from darkroom.base.files import sha256
from darkroom.config.model_facts import ModelFacts
from darkroom.config.params import Params
from darkroom.config.yaml_files import flatten

MODEL_TAG = "model_sha256"  # set when the model is recorded; later stages find the run by it
COMMIT = "mlflow.source.git.commit"  # the tag of a run from which MLflow itself reads the commit
PARENT = "mlflow.parentRunId"  # the tag of a run that MLflow shows below another one
SEARCH_RUN = "DARKROOM_SEARCH_RUN"  # in the environment of a trial: the id of the run of its search
MAX_PARAM = 6000  # characters that MLflow keeps of a parameter


def name() -> str:
    """DVC's name of the experiment, else the git commit."""
    return os.environ.get("DVC_EXP_NAME") or (git.commit() or "run")[:7]


def tags(params: Params) -> dict[str, str]:
    """The data set, the hashes of data and split, the commit, and DVC's experiment.

    DVC commits an experiment after its last stage, so that no stage can know its revision; the Git reference under
    which DVC will keep it is known: `git rev-parse` turns it into the revision.
    """
    found = data_tags(params.dataset)
    found |= {COMMIT: commit} if (commit := git.commit()) else {}
    return found | experiment() | parent()


def parent() -> dict[str, str]:
    """The run of the search below which a trial's run stands. Empty outside of a search."""
    found = os.environ.get(SEARCH_RUN)
    return {PARENT: found} if found else {}


def data_tags(dataset: str) -> dict[str, str]:
    """The name of the data set, with the hashes of its images and of its split."""
    return {"dataset": dataset, "data_sha256": sha256(paths.INDEX), "split_sha256": sha256(paths.SPLIT)}


def experiment() -> dict[str, str]:
    """DVC's experiment: name, commit that it began from, reference. Empty outside `dvc exp run`."""
    title, baseline = os.environ.get("DVC_EXP_NAME"), os.environ.get("DVC_EXP_BASELINE_REV")
    if not title or not baseline:
        return {}
    reference = f"refs/exps/{baseline[:2]}/{baseline[2:]}/{title}"
    return {"experiment": title, "experiment_baseline": baseline, "experiment_ref": reference}


def parameters(params: Params, facts: ModelFacts) -> dict[str, Any]:
    """All parameters as they were used, by their dotted names; and how large the network is, and what it began from."""
    # The parameters of the training come from the model: the meaning of `auto` depends on the machine and, for small
    # sets, on the number of images, which not every stage knows.
    values = flatten(params) | {
        f"train.{key}": value for key, value in facts.train.model_dump().items() if value is not None
    }
    values |= {"classes": len(facts.classes), "parameters": facts.parameters}
    values |= {"fetch.archive": params.archive} if params.archive else {}
    if facts.pretrained is not None:
        values |= {f"pretrained.{key}": getattr(facts.pretrained, key) for key in ("source", "license", "sha256")}
    return values


def as_text(values: Mapping[str, Any]) -> dict[str, str]:
    """Parameters as a run keeps them: texts of at most `MAX_PARAM` characters."""
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    return {key: text[:MAX_PARAM] for key, text in texts.items()}


def decisive(values: Mapping[str, str]) -> dict[str, str]:
    """The parameters that can change a result."""
    return {key: value for key, value in values.items() if not key.startswith("tracking.")}
