from types import SimpleNamespace

import pytest

from darkroom.tools.commands import main
from darkroom.tracking import at_work
from tests import make


@pytest.fixture
def runs(monkeypatch):
    """The runs that MLflow calls running, as name and state; those that were closed."""
    found, closed = [], []

    def unfinished():
        return [(SimpleNamespace(info=SimpleNamespace(run_name=name, run_id=name)), state) for name, state in found]

    monkeypatch.setattr(at_work, "unfinished", unfinished)
    monkeypatch.setattr(at_work, "close", closed.append)
    return SimpleNamespace(found=found, closed=closed)


def test_each_task_and_each_run_has_a_line_and_the_next_command_follows(queue, runs, capsys):
    main(["queue"])
    assert capsys.readouterr().out == "the queue is empty\nnext: dvc exp run --queue -S KEY=VALUE\n"
    queue.put("killed", train__epochs=9)
    queue.take("killed")
    queue.put("good")
    queue.take("good")
    queue.finish("good")
    runs.found += [("killed", "cut off"), ("far", "elsewhere"), ("busy", "at work")]
    main(["queue"])
    assert capsys.readouterr().out.splitlines() == [
        "ghost     killed        DVC says Running, and nobody is at work; train.epochs 9",
        "done      1             good",
        "mlflow    killed        a run that MLflow calls running, and nobody is at work",
        "mlflow    far           a run that another clone or machine has begun: "
        "whether it is at work cannot be judged here",
        "mlflow    busy          a run at work",
        "1 with nobody at work, 1 done",
        "next: python -m darkroom queue --retry",
    ]


def test_a_retry_queues_again_and_closes_the_runs_that_were_cut_off(queue, runs, capsys):
    for name in ("one", "other"):
        queue.put(name)
        queue.take(name)
    runs.found += [("one", "cut off"), ("other", "cut off"), ("far", "elsewhere"), ("busy", "at work")]
    main(["queue", "--retry", "one"])
    out = capsys.readouterr().out
    assert "one: queued again" in out
    assert out.endswith("1 task taken up\nnext: dvc queue start\n")
    assert queue.states() == {"one": "queued", "other": "ghost"}
    assert runs.closed == ["one"]
    main(["queue", "--retry"])
    assert queue.states() == {"one": "queued", "other": "queued"}
    assert set(runs.closed) == {"one", "other"}


def test_a_task_that_cannot_be_queued_keeps_no_other_from_it(queue, runs, capsys):
    for name in ("one", "other"):
        queue.put(name)
        queue.take(name)
    entry = queue.read()["one"].entry
    queue.dvc.scm.set_ref(f"refs/exps/{entry.baseline_rev[:2]}/{entry.baseline_rev[2:]}/one", entry.baseline_rev)
    with pytest.raises(SystemExit) as caught:
        main(["queue", "--retry"])
    assert caught.value.code == 1
    assert "error: there is another experiment one" in capsys.readouterr().err
    assert queue.states() == {"one": "ghost", "other": "queued"}


def test_a_bad_value_is_told_before_a_worker_takes_it_and_is_not_retried(queue, runs, capsys):
    """DVC itself asks nobody before it queues: the first stage refuses the value when its turn comes."""
    queue.put("bad", train__lr=-3)
    main(["queue"])
    line, *_ = capsys.readouterr().out.splitlines()
    assert line.startswith("queued    bad           it will be refused (params.yaml: ")
    assert "dvc queue remove bad" in line
    queue.take("bad")
    queue.fail("bad", "error: a value\n")
    main(["queue"])
    assert capsys.readouterr().out.startswith("failed    bad           error: a value; ")
    said = make.refusal(lambda: main(["queue", "--retry", "bad"]))
    assert "bad would be refused again" in said
    assert queue.states() == {"bad": "failed"}


def test_a_store_that_does_not_answer_keeps_no_task_from_the_queue(queue, monkeypatch, capsys):
    monkeypatch.setattr(at_work, "unfinished", lambda: 1 / 0)
    queue.put("one")
    queue.take("one")
    main(["queue", "--retry"])
    assert "does not answer: division by zero" in capsys.readouterr().err
    assert queue.states() == {"one": "queued"}
