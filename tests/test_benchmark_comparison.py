import os
import sys

import pytest

from benchmarks import comparison

LOOP = "import time, sys\nfor at in (1, 2):\n  print('epoch', at, 'val 0.5')\n  time.sleep(0.1)\nsys.exit({})"


def watch(folder, text, mark):
    return comparison.watch([sys.executable, "-c", text], folder, dict(os.environ), mark)


@pytest.mark.parametrize("mark", [r"epoch (\d+) val", "^epoch"])
def test_a_watched_command_tells_when_its_epochs_end(tmp_path, mark):
    figures, printed = watch(tmp_path, LOOP.format(0), mark)
    assert printed.split() == ["epoch", "1", "val", "0.5", "epoch", "2", "val", "0.5"]
    assert 0 < figures["first"] < figures["wall"] - 0.1
    assert 0 <= figures["epoch_cpu"] < figures["cpu"]


def test_a_line_drawn_again_counts_when_it_came_first(tmp_path):
    draw = "print('epoch 1/1, val 50%', end='\\r', flush=True)"
    figures, _ = watch(tmp_path, f"import time\nfor _ in range(3):\n  {draw}\n  time.sleep(0.1)", comparison.MARK)
    assert figures["first"] < figures["wall"] - 0.2


def test_our_progress_bar_is_seen(tmp_path):
    text = "from darkroom.base.console import bar\nwith bar(what='train', unit='step', total=2) as shown:\n"
    text += "  for at in (1, 2): shown.update(); shown.set_description(f'epoch {at}/2, val 50%')"
    environment = os.environ | {"PYTHONPATH": str(comparison.ROOT)}
    figures, _ = comparison.watch([sys.executable, "-c", text], tmp_path, environment, comparison.MARK)
    assert figures["first"] < figures["wall"]


@pytest.mark.parametrize(("text", "says"), [(LOOP.format(3), "failed"), ("print('no news')", "no epoch")])
def test_a_command_that_fails_or_says_nothing_is_an_error(tmp_path, text, says):
    with pytest.raises(RuntimeError, match=says):
        watch(tmp_path, text, r"epoch (\d+) val")


def test_lines_are_those_of_code(tmp_path, monkeypatch):
    (tmp_path / "benchmarks" / "peers").mkdir(parents=True)
    text = '"""Head,\n\ntwo lines."""\n\nimport sys\n\n# why\nprint(sys.path)  # what\n'
    (tmp_path / "benchmarks" / "peers" / "mine.py").write_text(text)
    monkeypatch.setattr(comparison, "ROOT", tmp_path)
    assert comparison.code_lines("mine") == 2
