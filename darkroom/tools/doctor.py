"""Check this machine and this repository: one line for each thing that a run needs of them.

Slow questions, and those to servers, go to `darkroom.tools.probes` in processes of their own, which end after `LIMIT`
seconds.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator

from darkroom.base.console import done
from darkroom.base.errors import UserError, without_password
from darkroom.config.params import Params, load
from darkroom.tools import entry_findings, machine_findings, repository_findings
from darkroom.tools.finding import Finding, state_of
from darkroom.tools.repository_findings import DVC
from darkroom.tracking import store

LIMIT = 8.0  # seconds for all probes, from the start


class Probe:
    """A probe that runs in a process of its own."""

    def __init__(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "darkroom.tools.probes", name, *arguments]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def answer(self, until: float) -> tuple[str, str]:
        """State and text; a warning if none comes by the time `until` (of `time.monotonic`), a problem if it fails."""
        try:
            out, err = self._process.communicate(timeout=max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            return "warning", f"no answer within {LIMIT:g} s: run this again when the machine is less busy"
        finally:
            self.end()
        if self._process.returncode:
            return "problem", without_password((err.strip().splitlines() or ["it broke off without a word"])[-1])
        state, text = json.loads(out.splitlines()[-1])
        return state, text

    def end(self) -> None:
        """Kill the process, and wait for its end."""
        self._process.kill()
        self._process.wait()


def run() -> bool:
    """Print each finding as soon as it is known; return whether none is a problem."""
    until = time.monotonic() + LIMIT
    probes: dict[str, Probe] = {}
    found: list[Finding] = []
    try:
        for finding in _findings(probes, until):
            print(finding, flush=True)
            found.append(finding)
    finally:
        for probe in probes.values():
            probe.end()
    problems, warnings = (
        list(dict.fromkeys(finding.name for finding in found if finding.state == state))
        for state in ("problem", "warning")
    )
    told = f"problems: {', '.join(problems) or 'none'}; warnings: {', '.join(warnings) or 'none'}"
    done(told, "mend that, then python -m darkroom doctor" if problems else "dvc repro")
    return not problems


def _findings(probes: dict[str, Probe], until: float) -> Iterator[Finding]:
    """All findings, the quick ones first; `probes` receives the probes that are started, to be ended by the caller."""
    yield machine_findings.python()
    probes["pytorch"] = Probe("pytorch")
    settings: Params | None = None
    told = ""
    try:
        settings, entry = load()
    except UserError as error:
        told = str(error)
        yield Finding("problem", "parameters", told)
    yield from entry_findings.entries(told)
    if settings is not None and settings.tracking.enabled:
        probes["mlflow"], probes["runs"] = Probe("mlflow", store.uri()), Probe("runs")
    if (DVC / "tmp/exps/celery").is_dir():  # DVC makes it when something is queued for the first time
        probes["queue"] = Probe("queue")
    yield from _remotes(probes)
    yield machine_findings.packages()
    yield machine_findings.hardware()
    if settings is not None:
        yield Finding("ok", "parameters", f"data set {settings.dataset}")
        yield from entry_findings.given_test(settings, entry)
        yield from machine_findings.disk(settings, entry)
        yield machine_findings.kaggle(settings, entry)
        yield repository_findings.code(settings)
    yield from repository_findings.kept()
    yield from repository_findings.repository()
    yield repository_findings.locks()
    for name, probe in probes.items():
        state, text = probe.answer(until)
        yield machine_findings.gpu(settings, state, text) if name == "pytorch" else Finding(state_of(state), name, text)
    if settings is not None and not settings.tracking.enabled:
        yield Finding("ok", "mlflow", "tracking.enabled is false: no run is recorded")


def _remotes(probes: dict[str, Probe]) -> Iterator[Finding]:
    """Start a probe for each DVC remote; a finding where there is none, or no default one."""
    from dvc.config import Config
    from dvc.exceptions import DvcException

    try:
        config = Config(str(DVC.absolute()))
    except DvcException as error:
        yield Finding("problem", "dvc", f"its settings cannot be read ({str(error).splitlines()[0]})")
        return
    if not DVC.is_dir():
        yield Finding("problem", "dvc", "there is no .dvc here: run at the root of the repository, or dvc init")
        return
    for name in config["remote"]:
        probes[f"remote {name}"] = Probe("remote", name)
    if not config["remote"]:
        yield Finding("ok", "remote", "none, so outputs stay on this machine: dvc remote add -d store ADDRESS")
    elif not config["core"].get("remote"):
        yield Finding("warning", "remote", "none is the default: dvc remote default " + next(iter(config["remote"])))
