from darkroom.base import processor
from darkroom.tools import machine_findings


def test_a_quota_of_cores_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "QUOTA", tmp_path / "cpu.max")
    assert processor.granted_cores() == processor.cores()
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert processor.granted_cores() == processor.cores()
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    assert processor.granted_cores() == 0.5
    assert machine_findings.hardware().state == "warning"
