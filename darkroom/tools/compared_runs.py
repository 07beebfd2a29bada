"""Which runs are compared: those of which commits, with what their own files say of them, and with which parameters."""

from collections.abc import Sequence
from dataclasses import replace

from darkroom.base import git, paths
from darkroom.base.errors import UserError
from darkroom.base.words import did_you_mean
from darkroom.tools import experiments, resolved_parameters, run_records
from darkroom.tools.configurations import text_of
from darkroom.tools.dvc_lock import LOCK
from darkroom.tools.experiments import Experiment, RunRecord

ALL, MLFLOW = "--all", "--mlflow"  # instead of a range: all commits, and the runs of MLflow's store


def commits(wanted: str | None) -> list[str]:
    """The commits whose experiments and states are compared: of a range `A..B`, of all (`ALL`), or HEAD alone.

    Of many commits only those count that have experiments, or that changed figures or dvc.lock: the others hold the
    same state once more. Raises UserError for what is no range of commits.
    """
    if wanted is None:
        return ["HEAD"]
    if wanted != ALL and (".." not in wanted or wanted.startswith("-")):
        raise UserError(f"--commits is {wanted!r}, but must be a range of commits, as main~10..main or v1..")
    span = ["--branches", "--tags", "--remotes", "HEAD"] if wanted == ALL else [wanted]
    within = git.output_if_any("rev-list", *span, "--").split()
    if not within:
        raise UserError(f"--commits {wanted} names no commit that Git knows: give a range, as main~10..main")
    changed = set(git.output("rev-list", *span, "--", str(LOCK), paths.EVALUATE.as_posix()).split())
    # An experiment is a reference whose name holds its commit, with a slash after two characters.
    refs = git.output("for-each-ref", "--format=%(refname)", "refs/exps").splitlines()
    bases = {"".join(ref.split("/")[2:4]) for ref in refs}
    found = [commit for commit in within if commit in changed | bases]
    if wanted == ALL:  # a branch that was deleted leaves its experiments
        found += sorted(
            base for base in bases - {*within} if len(base) == 40 and git.output_if_any("cat-file", "-t", base)
        )
    if not found:
        raise UserError(
            f"no commit of {'all' if wanted == ALL else wanted} has experiments, or changed {LOCK} or {paths.EVALUATE}"
        )
    return found


def read(wanted: str | None, names: Sequence[str]) -> list[Experiment]:
    """The runs of these commits (of `commits`), or of MLflow's store, that `names` choose; all where it is empty.

    Each has what its files say of it, and parameters as used. Raises UserError where there are none.
    """
    if wanted == MLFLOW:
        from darkroom.tools import mlflow_runs

        return experiments.choose(mlflow_runs.read(), names)
    found = experiments.read(commits(wanted))
    if wanted is None and all(item.committed for item in found):
        raise UserError(
            "there are no experiments on this commit (`darkroom compare --all-commits` compares those of others): "
            "`dvc exp run --queue -S train.seed=0,1,2,3,4 -S train.lr=0.1,0.2` queues some, `dvc queue start` runs them"
        )
    return with_records(experiments.choose(found, names))


def with_records(runs: Sequence[Experiment]) -> list[Experiment]:
    """The runs with what the files of their revisions say of them, and with parameters in place of each `auto`."""
    files = run_records.files_of([run.revision for run in runs])
    found = []
    for run in runs:
        own = files[run.revision]
        record = run_records.read(own) if run.state == "done" else RunRecord()
        params = resolved_parameters.resolved(run.params, own)
        record = replace(record, as_written=params is None)
        found.append(replace(run, params=run.params if params is None else params, record=record))
    return found


def where(runs: Sequence[Experiment], conditions: Sequence[str]) -> list[Experiment]:
    """The runs whose parameters have these values; each condition is `KEY=VALUE`, as `train.lr=0.1`.

    Raises UserError for a condition of another form, a parameter that no run has, and where no run is left.
    """
    for condition in conditions:
        key, between, value = condition.partition("=")
        known = {text_of(run.params[key]) for run in runs if key in run.params}
        if not between:
            raise UserError(f"--where is {condition!r}, but must be KEY=VALUE, as train.lr=0.1")
        if not known:
            hint = did_you_mean(key, dict.fromkeys(name for run in runs for name in run.params), 10)
            raise UserError(f"--where {condition}: no run has a parameter {key!r}: {hint}")
        if (wanted := _text_of(value)) not in known:
            raise UserError(f"--where {condition}: no run has it, {key} is {', '.join(sorted(known))}")
        runs = [run for run in runs if key in run.params and text_of(run.params[key]) == wanted]
    return list(runs)


def _text_of(value: str) -> str:
    """A value as `text_of` writes it, read as YAML, as `-S` does: 0.10 is a number, null is nothing."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return text_of(YAML(typ="safe").load(value))
    except (TypeError, YAMLError):  # a date, or no YAML: a word
        return value
