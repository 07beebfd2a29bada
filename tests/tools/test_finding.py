from darkroom.tools.finding import Finding
from tests import make


def test_a_finding_is_one_line():
    assert make.is_one_line(str(Finding("ok", "x", "y")))
