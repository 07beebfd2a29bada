import pytest

from darkroom.tools.entry_draft import Evidence


def test_a_draft_is_told_and_not_changed():
    evidence = Evidence("train", "data", "12 folders")
    with pytest.raises(AttributeError):
        evidence.value = "other"
