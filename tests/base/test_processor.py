import pytest

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


CPU = (
    "processor\t: 0\nmodel name\t: Fast CPU @ 3: GHz\nflags\t\t: fpu avx2 sse\n\nprocessor\t: 1\nmodel name\t: Other\n"
)


@pytest.mark.parametrize(
    ("machine", "content", "portable"),
    [
        ("x86_64", CPU, True),
        ("AMD64", CPU.replace("avx2", "avx"), False),
        ("x86_64", "", True),  # not known
        ("aarch64", CPU, False),
    ],
)
def test_portable_mode_wants_x86_64_with_avx2(tmp_path, monkeypatch, machine, content, portable):
    (tmp_path / "cpuinfo").write_text(content)
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor.platform, "machine", lambda: machine)
    assert processor.can_be_portable() is portable


def test_the_name_is_the_makers_or_that_of_the_architecture(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(processor.platform, "processor", lambda: "")
    monkeypatch.setattr(processor.platform, "machine", lambda: "riscv64")
    assert processor.name() == "riscv64"
    (tmp_path / "cpuinfo").write_text(CPU)
    assert processor.name() == "Fast CPU @ 3: GHz"
