import pytest

from darkroom.base.errors import UserError
from darkroom.classifier.model_folder import model_files


def test_both_files_are_found_or_the_missing_ones_named(tmp_path):
    facts, weights = tmp_path / "model.json", tmp_path / "model.safetensors"
    with pytest.raises(UserError, match=f"there is no {facts} and no {weights}: `dvc repro train` makes it"):
        model_files(tmp_path)
    facts.touch()
    with pytest.raises(UserError, match=f"there is no {weights}: "):
        model_files(tmp_path)
    weights.touch()
    assert model_files(str(tmp_path)) == (facts, weights)
