"""MLflow's pages on this machine: one server process, whose address is printed when it answers."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import requests

from darkroom.base.errors import UserError
from darkroom.tools.ports import HOST
from darkroom.tracking import store

# MLflow opens on its pages for language models unless the address names those for training.
PAGES = "workflowType=machine_learning"
ASK_SECONDS = 0.2  # between two questions whether the server answers
END_SECONDS = 10  # that it may take to end


def serve(address: str, port: int) -> None:
    """Serve the store at `address` until Ctrl+C, to this machine alone. Raises UserError where the server ends early.

    One worker is enough for one person, and background jobs, which MLflow keeps for language models, are off: the
    server takes a fraction of the memory and of the time to start.
    """
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", address]
    command += ["--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    page = f"http://{HOST}:{port}/#/{latest_experiment()}?{PAGES}"
    with _server(command) as server:
        while server.poll() is None and not _answers(port):
            time.sleep(ASK_SECONDS)
        if server.poll() is None:
            print(f"MLflow answers on {page}\nCtrl+C ends it", flush=True)
        # A signal that arrives just before a wait without end would not be seen until that wait is over.
        while (code := server.poll()) is None:
            time.sleep(ASK_SECONDS)
        if code:
            raise UserError(f"MLflow's server has ended with exit code {code}: what it says stands above")


def latest_experiment() -> str:
    """The part of a page's address that shows the experiment with the latest run, else all experiments."""
    client = store.client()
    known = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(known, order_by=["attributes.start_time DESC"], max_results=1)
    return f"experiments/{runs[0].info.experiment_id}/runs" if runs else "experiments"


@contextmanager
def _server(command: list[str]) -> Iterator["subprocess.Popen[bytes]"]:
    """The process of a server, which ends with this one; Ctrl+C ends the block as if it had come to its end."""
    # SIGINT too: what a shell without job control starts in the background ignores it, Python included.
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    # In a session of its own: Ctrl+C in the terminal reaches this process alone, which then ends the server in order.
    server = subprocess.Popen(
        command, env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}, start_new_session=True
    )
    try:
        yield server
    except KeyboardInterrupt:
        print("MLflow has ended", flush=True)
    finally:
        if server.poll() is None:
            server.terminate()  # MLflow passes it on to its worker
            try:
                server.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
        for number, action in before.items():
            signal.signal(number, action)


def _answers(port: int) -> bool:
    try:
        return requests.get(f"http://{HOST}:{port}/health", timeout=1).ok
    except requests.RequestException:
        return False
