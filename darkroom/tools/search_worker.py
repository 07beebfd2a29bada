"""The warm process of a search: Python, torch and MLflow are imported once, and each stage of a trial runs in a fork.

`search_process` starts `python -m darkroom.tools.search_worker` in the folder of the search, so that all code is that
of the search's commit. Lines of JSON go both ways: on standard input a job, and after each epoch whether to go on; on
standard output the figures of each epoch, and how the job ended. When standard input ends, the search has been killed,
and the fork ends at once: its checkpoint is there for the next one.

Libraries import most of what they need when it is first used, which is in a fork. So each fork tells what it had to
import, and the next one finds that imported: on digits this saves half of what a trial costs.
"""

import contextlib
import importlib
import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from darkroom.base import stage_cost, torch_setup
from darkroom.base.errors import UserError
from darkroom.config.params import load
from darkroom.dataset.packed import load_split

if TYPE_CHECKING:
    from darkroom.tracking.trials import GoOn


def main() -> None:
    """Take jobs until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the search ends us, by closing the pipe
    # What anything prints must not reach the pipe of answers.
    answers = os.dup(1)
    os.dup2(2, 1)
    _import_all()
    while line := _line(0):
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(told)
            status = _run(json.loads(line), answers)
            os.write(tell, json.dumps(sorted(sys.modules)).encode()) if not status else None
            os._exit(status)
        os.close(tell)
        with os.fdopen(told, "rb") as pipe:
            imported = pipe.read()
        _, status, used = os.wait4(child, 0)
        with contextlib.suppress(BrokenPipeError):  # the search has been killed
            _say(answers, {"status": os.waitstatus_to_exitcode(status), "cpu_seconds": used.ru_utime + used.ru_stime})
        if imported:
            _import_again(json.loads(imported))
    os._exit(0)  # nothing is left to do, and to take torch apart would take a second


def _import_all() -> None:
    settings = load()[0].train
    torch_setup.torch_for(threads=settings.threads, portable=settings.portable)
    import mlflow.tracking

    import darkroom.tracking.trials
    import darkroom.training.trainer

    del mlflow, darkroom  # they stay imported, for the forks


def _import_again(names: Sequence[str]) -> None:
    """Import what a fork had imported, but for the user's own code and the stages, which a fork loads itself."""
    for name in names:
        if name not in sys.modules and name.partition(".")[0] not in ("own", "stages"):
            with contextlib.suppress(Exception):  # some modules are made by others, under names that cannot be imported
                importlib.import_module(name)


def _run(job: Mapping[str, Any], answers: int) -> int:
    """Run one stage; return the exit status of its fork, which is 0 only if all went well."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(job["environment"])
    replies: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_listen, args=(replies,), daemon=True).start()
    ended: dict[str, Any] = {"ended": "", "pruned": False}
    try:
        if job["stage"] == "train":
            _train(partial(_go_on, answers, replies) if job["watched"] else None)
        else:
            importlib.import_module(f"stages.{job['stage']}").main()
        stage_cost.note()
    except UserError as error:
        from darkroom.tracking.trials import Pruned

        print(f"error: {error}", file=sys.stderr)
        ended = {"ended": str(error), "pruned": isinstance(error, Pruned)}
    except BaseException as error:
        traceback.print_exc()
        ended["ended"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    sys.stdout.flush()
    sys.stderr.flush()
    _say(answers, ended)
    return 1 if ended["ended"] else 0


def _train(go_on: "GoOn | None") -> None:
    """Just what the stage `train` does, with a record that asks after each epoch whether to go on."""
    params, entry = load(images=len(load_split("train")))
    settings = params.train
    torch_setup.torch_for(threads=settings.threads, portable=settings.portable, processes=settings.devices)
    from darkroom.tracking import trials
    from darkroom.training import trainer

    trained = trainer.train(params, entry, partial(trials.training, params, go_on))
    assert trained is not None  # None is for the second of several processes
    print(trained.in_words())


def _go_on(answers: int, replies: "queue.Queue[bytes]", figures: Mapping[str, float]) -> bool:
    _say(answers, {"epoch": {name: float(value) for name, value in figures.items()}})
    return replies.get().strip() == b"go on"


def _listen(replies: "queue.Queue[bytes]") -> None:
    """Hand on each line of standard input; where it ends, so does this process."""
    while line := _line(0):
        replies.put(line)
    os._exit(1)


def _line(pipe: int) -> bytes:
    """One line, read byte by byte: what follows it is for another process. Empty at the end."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(pipe, 1)
        if not byte:
            return b""
        line += byte
    return line


def _say(pipe: int, content: Mapping[str, Any]) -> None:
    os.write(pipe, json.dumps(content).encode() + b"\n")


if __name__ == "__main__":
    main()
