"""A stage that is run alone, before the stages that come first."""

import pytest

from darkroom.base.console import run
from stages import audit, baseline, extract, split, stats


@pytest.mark.parametrize("stage", [extract, audit, split, stats, baseline], ids=lambda stage: stage.__name__)
def test_a_missing_input_is_named_in_one_sentence(project, capsys, stage):
    with pytest.raises(SystemExit) as caught:
        run(stage.main)
    out, err = capsys.readouterr()
    assert caught.value.code == 1
    assert out == ""
    assert err.startswith("error: there is no data/")
    assert err.endswith(", run `dvc repro`\n")
    assert err.count("\n") == 1
