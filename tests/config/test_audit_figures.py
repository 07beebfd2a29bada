from darkroom.config.audit_figures import AuditFigures
from darkroom.dataset import audit, shapes
from tests import make


def test_the_figures_come_back_as_they_were_written(tmp_path):
    index = make.index_of([0, 0, 1])
    found = audit.summary(
        index, ["a", "b"], audit.duplicates(index, ["a", "b"]), 0, shapes.shapes(index, (8, 4), "pad"), ({"x": 1}, {})
    )
    found.write(tmp_path / "audit.json")
    assert AuditFigures.read(tmp_path / "audit.json") == found
    assert (found.shapes.stored, found.shapes.resize, found.shapes.change.worst) == ((4, 8), "pad", 0.5)
