import pytest

from tests import advisories


def advisory(*events, versions=(), kind="ECOSYSTEM", **more):
    return {"affected": [{"ranges": [{"type": kind, "events": list(events)}], "versions": list(versions)}], **more}


@pytest.mark.parametrize(
    ("events", "concerned"),
    [
        ([{"introduced": "0"}], ["0.1", "2.9", "2.10", "99"]),
        ([{"introduced": "0"}, {"fixed": "2.10"}], ["0.1", "2.9"]),
        ([{"introduced": "2.9"}, {"fixed": "2.10"}, {"introduced": "99"}], ["2.9", "99"]),
        ([{"introduced": "0"}, {"last_affected": "2.10"}], ["0.1", "2.9", "2.10"]),
        ([], []),
    ],
)
def test_a_version_is_concerned_between_its_introduction_and_its_end(events, concerned):
    found = [version for version in ("0.1", "2.9", "2.10", "99") if advisories.concerns(advisory(*events), version)]
    assert found == concerned


def test_a_version_that_is_named_is_concerned_unless_the_advisory_was_withdrawn():
    commits = [{"introduced": "0"}, {"fixed": "b43e0e3"}]
    assert advisories.concerns(advisory(*commits, kind="GIT", versions=["1.0"]), "1.0")
    assert not advisories.concerns(advisory(*commits, kind="GIT", versions=["1.0"]), "1.1")
    assert not advisories.concerns(advisory(versions=["1.0"], withdrawn="2024-01-01"), "1.0")


def test_each_locked_package_is_looked_up(tmp_path, monkeypatch, capsys):
    lock = tmp_path / "requirements.txt"
    lock.write_text(
        "Some.Thing==1.0 ; python_version >= '3' \\\n    --hash=sha256:0\nother==2.0 \\\n", encoding="utf-8"
    )
    monkeypatch.setattr(advisories, "LOCK", lock)
    for name in ("some-thing", "third"):
        (tmp_path / "vulns" / name).mkdir(parents=True)
        (tmp_path / "vulns" / name / "PYSEC-1.yaml").write_text(
            "{id: PYSEC-1, aliases: [CVE-7], affected: [{ranges: [{type: ECOSYSTEM, events: [{introduced: '0'}]}]}]}"
        )
    assert advisories.main(tmp_path) == 1
    assert capsys.readouterr().out == (
        "Some.Thing 1.0: PYSEC-1 CVE-7\n"
        "2 locked packages, 1 advisories about them, 1 of these about the locked versions\n"
    )
