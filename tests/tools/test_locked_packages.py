import pytest

from darkroom.base.errors import UserError
from darkroom.tools import locked_packages


def test_packages_are_held_against_the_lock(tmp_path):
    lock = tmp_path / "requirements.txt"
    version = locked_packages.distributions(name="numpy").__iter__().__next__().version
    lock.write_text(f"numpy=={version} \\\n    --hash=sha256:00\nNot_There==1.0\nold==1 ; python_version < '3'\n")
    assert locked_packages.differing(lock) == (2, [locked_packages.Package("Not_There", "1.0", None)])
    assert str(locked_packages.Package("a", "1", "2")) == "a 2 (the lock has 1)"
    lock.write_text("not a package at all\n")
    with pytest.raises(UserError, match="make lock"):
        locked_packages.differing(lock)
