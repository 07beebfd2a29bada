"""The search's side of its warm process (`search_worker`): starts it, gives it stages to run, and answers it."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from darkroom.base.errors import UserError

COMMAND = (sys.executable, "-m", "darkroom.tools.search_worker")
WAIT = 1.0  # seconds between two calls of `meanwhile`


@dataclass(frozen=True)
class Ended:
    """How a stage ended, and what it cost: `error` is empty if all went well; `killed` where its process was lost."""

    error: str = ""
    pruned: bool = False
    killed: bool = False
    cpu_seconds: float = 0.0


class Warm:
    """The warm process that works in `folder`; it is started with the first job, and again where it was lost."""

    def __init__(self, folder: Path, log: Path, environment: Mapping[str, str]) -> None:
        self._folder, self._log, self._environment = folder, log, dict(environment)
        self._process: subprocess.Popen[bytes] | None = None
        self._left = b""

    def run(
        self,
        stage: str,
        environment: Mapping[str, str],
        go_on: Callable[[dict[str, float]], bool] | None = None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> Ended:
        """Run a stage in a fork; `meanwhile` is called every second.

        With `go_on` the stage is a trial's training: it gets each epoch's figures, and says whether the trial goes on.
        """
        process = self._started()
        job = {"stage": stage, "environment": dict(environment), "watched": go_on is not None, "log": str(self._log)}
        self._write(process, json.dumps(job))
        ended = Ended("its process was killed", killed=True)
        while True:
            line = self._read(process, meanwhile)
            if not line:
                self.close()
                return ended
            said: dict[str, Any] = json.loads(line)
            if "epoch" in said:
                self._write(process, "go on" if go_on is None or go_on(said["epoch"]) else "stop")
            elif "ended" in said:
                ended = Ended(said["ended"], said["pruned"])
            else:
                return replace(ended, cpu_seconds=said["cpu_seconds"])

    def close(self) -> None:
        """End the process, and with it what it runs."""
        if self._process is not None:
            for pipe in filter(None, (self._process.stdin, self._process.stdout)):
                pipe.close()
            self._process.wait()
            self._process, self._left = None, b""

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self.close()
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    COMMAND, cwd=self._folder,
                    env={**os.environ, **self._environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                    bufsize=0,
                )  # fmt: skip
        return self._process

    def _write(self, process: "subprocess.Popen[bytes]", line: str) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(line.encode() + b"\n")
        except BrokenPipeError:
            raise UserError(f"the process that trains has ended by itself: {self._log} says why") from None

    def _read(self, process: "subprocess.Popen[bytes]", meanwhile: Callable[[], object]) -> bytes:
        """The next line of the process; empty where it has ended."""
        assert process.stdout is not None
        while b"\n" not in self._left:
            meanwhile()
            if select.select([process.stdout], [], [], WAIT)[0]:
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    return b""
                self._left += part
        line, _, self._left = self._left.partition(b"\n")
        return line
