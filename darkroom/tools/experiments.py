"""Read experiments and committed states from DVC, and their training times from MLflow."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darkroom.base import git, paths
from darkroom.base.errors import UserError
from darkroom.base.words import did_you_mean
from darkroom.tracking import store

SHORTEST_REVISION = 4  # characters, as in Git


@dataclass(frozen=True)
class RunRecord:
    """Hashes of what a run has read, empty where they are not known, by `run_records.read`.

    `doubt` says why the figures of the revision are not those of its parameters, and is empty where they are. `code` is
    that of the code which decides the weights: what the stage `train` depends on and no stage writes. `as_written`
    says that the parameters still hold `auto`, as this version of Darkroom cannot read them.
    """

    doubt: str = ""
    data: str = ""
    division: str = ""
    code: str = ""
    as_written: bool = False


@dataclass(frozen=True)
class Experiment:
    """One row of `dvc exp show`: an experiment, or the state of a commit (`committed`).

    `state` is done, failed, queued or running; `created` is the time of its commit, ISO 8601. `params` holds dotted
    keys, those of other files than params.yaml behind the file's name (`datasets.yaml:digits.size`). `figures`
    (`val.accuracy`) and `epochs` are there only once it is done. `log` is what a task of the queue printed.
    """

    name: str
    revision: str
    state: str
    created: str
    params: dict[str, Any]
    figures: dict[str, float]
    epochs: float | None
    log: Path | None
    committed: bool = False
    record: RunRecord = RunRecord()

    @property
    def counts(self) -> bool:
        """Whether it has figures of its own."""
        return self.state == "done" and not self.record.doubt


def read(commits: Sequence[str] = ("HEAD",)) -> list[Experiment]:
    """All experiments of these commits, for each commit the latest first, then the committed state itself.

    The state of the present commit is named HEAD, that of another one by the first characters of its hash. Raises
    UserError outside of Git or DVC.
    """
    if shutil.which("git") is None:  # DVC itself would not complain
        raise UserError("git is not installed, or not on PATH: DVC keeps experiments in it")
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--hide-workspace"]
    command += [f"--rev={commit}" for commit in commits]
    answer = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", errors="replace", check=False)
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["it says nothing"])[-1].removeprefix("ERROR: ").rstrip(".")
        raise UserError(
            f"DVC lists no experiments here ({reason}): run this at the root of a Git repository after `dvc init`"
        )
    head, found = git.commit(), []
    for commit in json.loads(answer.stdout):
        found += [parse(item) for item in commit["experiments"] or []]
        name = "HEAD" if commit["rev"] == head else commit["rev"][:7]
        found.append(replace(parse({"name": name, "revs": [commit], "executor": None}), committed=True))
    # A name is unique below one commit only.
    counts = Counter(item.name for item in found)
    return [replace(item, name=item.revision[:7]) if counts[item.name] > 1 else item for item in found]


def parse(item: dict[str, Any]) -> Experiment:
    """One experiment from the JSON of `dvc exp show`."""
    # An experiment may hold several commits, the last one first.
    head, executor = item["revs"][0], item["executor"] or {}
    data = head["data"] or {}
    state = executor.get("state") or "success"
    params: dict[str, Any] = {}
    for file, values in _contents(data.get("params")).items():
        params |= dotted(values, "" if file == paths.PARAMS.name else f"{file}:")
    # An unfinished experiment still has the figures of the commit that it started from.
    metrics = _contents(data.get("metrics")) if state == "success" else {}
    log = (executor.get("local") or {}).get("log")
    return Experiment(
        name=item["name"] or head["rev"][:7],
        revision=head["rev"],
        state="done" if state == "success" else state,
        created=data.get("timestamp") or "",
        params=params,
        figures=numbers(metrics.get(paths.EVALUATE.as_posix(), {})),
        epochs=numbers(metrics.get(paths.TRAIN.as_posix(), {})).get("epochs"),
        log=Path(log) if log else None,
    )


def _contents(files: dict[str, Any] | None) -> dict[str, Any]:
    """The content of each file; an empty one for a file that DVC could not read."""
    return {name: file.get("data") or {} for name, file in (files or {}).items()}


def dotted(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Flatten nested settings to dotted keys that begin with `before`; lists and empty mappings stay as they are."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= dotted(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = value
    return flat


def numbers(values: dict[str, Any]) -> dict[str, float]:
    """The numbers among nested figures, by dotted keys."""
    return {
        key: float(value)
        for key, value in dotted(values).items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def choose(experiments: Sequence[Experiment], names: Sequence[str]) -> list[Experiment]:
    """The experiments that `names` name, or whose revisions begin like that; all where `names` is empty.

    Raises UserError for a name that fits none.
    """
    if not names:
        return list(experiments)
    chosen: set[int] = set()
    for name in names:
        fitting = {place for place, item in enumerate(experiments) if item.name == name}
        if not fitting and len(name) >= SHORTEST_REVISION:
            fitting = {place for place, item in enumerate(experiments) if item.revision.startswith(name)}
        if not fitting:
            hint = did_you_mean(name, [item.name for item in experiments])
            raise UserError(f"there is no experiment {name!r} on the commits asked for: {hint}")
        chosen |= fitting
    return [experiments[place] for place in sorted(chosen)]


def tail(log: Path | None, lines: int = 5) -> list[str]:
    """The last lines of a task's log, without empty lines and repetitions."""
    if log is None or not log.is_file():
        return ["no log: it failed before its first stage, see .dvc/tmp/exps/celery/*.out"]
    kept: list[str] = []
    for line in log.read_bytes()[-100_000:].decode("utf-8", errors="replace").splitlines():
        if line.strip() and line not in kept[-1:]:
            kept.append(line.rstrip())
    return kept[-lines:] or ["its log is empty"]


def training_seconds(names: Sequence[str]) -> dict[str, float]:
    """Training time in seconds by name of experiment, where MLflow knows it.

    It is the sum over the epochs of the latest run of that name. If the store does not answer, a warning says so, and
    only the times are missing.
    """
    address = store.uri()
    file = store.sqlite_file(address)
    if not names or (file is not None and not file.is_file()):
        return {}
    found: dict[str, float] = {}
    try:
        store.prepare()
        import mlflow

        client = mlflow.MlflowClient(address)
        everywhere = [item.experiment_id for item in client.search_experiments()]
        for name in names:
            runs = client.search_runs(
                everywhere,
                f'attributes.run_name = "{name}" AND metrics.seconds >= 0',
                order_by=["attributes.start_time DESC"],
                max_results=1,
            )
            for run in runs:
                history = client.get_metric_history(run.info.run_id, "seconds")
                found[name] = sum(metric.value for metric in history)
    except Exception as error:
        # Name the kind of the error only: its text may hold an address with a password.
        print(
            f"warning: training times are missing, as MLflow does not answer ({type(error).__name__})", file=sys.stderr
        )
    return found
