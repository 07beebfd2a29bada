"""MLflow's pages: a server that is waited for, and that ends with this process. A stand-in answers for MLflow."""

import os
import signal
import socket
import sys
import threading
import time
from types import SimpleNamespace

import pytest
import requests

from darkroom.base.errors import UserError
from darkroom.tools import mlflow_pages
from darkroom.tracking import store

STAND_IN = """
import http.server, os, sys
print("jobs", os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"], *sys.argv[1:], flush=True)
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Health).serve_forever()
"""


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Lets this code run in MLflow's place."""

    def write(code):
        (tmp_path / "mlflow.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    monkeypatch.setattr(mlflow_pages, "latest_experiment", lambda: "experiments/7/runs")
    return write


@pytest.fixture
def free_port():
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


def answering(port):
    try:
        return requests.get(f"http://127.0.0.1:{port}/health", timeout=1).ok
    except requests.RequestException:
        return False


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_address_is_printed_when_the_server_answers_which_ends_with_this_process(
    stand_in, free_port, capfd, ending
):
    stand_in(STAND_IN)
    seen = []

    def end_when_told():
        end = time.monotonic() + 20
        while "answers on" not in "".join(seen) and time.monotonic() < end:
            time.sleep(0.01)
            seen.append(capfd.readouterr().out)
        seen.append(f"answering {answering(free_port)}")
        os.kill(os.getpid(), ending)

    before = signal.getsignal(signal.SIGTERM)
    waiting = threading.Thread(target=end_when_told, daemon=True)
    waiting.start()
    mlflow_pages.serve("sqlite:///here.db", free_port)
    waiting.join()
    told = "".join(seen)
    assert told.startswith("jobs false server --backend-store-uri sqlite:///here.db --host 127.0.0.1")
    assert "--workers 1" in told
    assert f"http://127.0.0.1:{free_port}/#/experiments/7/runs?workflowType=machine_learning\n" in told
    assert "answering True" in told
    assert not answering(free_port)
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_server_that_ends_early_is_told_and_no_address_printed(stand_in, free_port, capfd):
    stand_in("raise SystemExit(3)")
    with pytest.raises(UserError, match="exit code 3"):
        mlflow_pages.serve("sqlite:///here.db", free_port)
    assert "answers" not in capfd.readouterr().out


def test_a_server_that_does_not_end_is_killed(monkeypatch):
    monkeypatch.setattr(mlflow_pages, "END_SECONDS", 0.05)
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    with mlflow_pages._server([sys.executable, "-c", code]) as server:
        time.sleep(0.3)
    assert server.wait(5) in (-signal.SIGKILL, -signal.SIGTERM)


@pytest.mark.parametrize(("runs", "place"), [([], "experiments"), (["7"], "experiments/7/runs")])
def test_the_pages_open_at_the_experiment_with_the_latest_run(monkeypatch, runs, place):
    found = [SimpleNamespace(info=SimpleNamespace(experiment_id=number)) for number in runs]
    client = SimpleNamespace(
        search_experiments=lambda: [SimpleNamespace(experiment_id=number) for number in ("0", "7")],
        search_runs=lambda known, order_by, max_results: found if known == ["0", "7"] else None,
    )
    monkeypatch.setattr(store, "client", lambda: client)
    assert mlflow_pages.latest_experiment() == place
