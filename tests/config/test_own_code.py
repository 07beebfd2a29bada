import subprocess

import pytest

from darkroom.base.errors import UserError
from darkroom.config import own_code

GIT = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com")


def load(name="own.mine:change"):
    return own_code.load(name, "images, draw")


def refusal(name="own.mine:change"):
    with pytest.raises(UserError) as refused:
        load(name)
    return str(refused.value)


@pytest.fixture
def project(own):
    """The folder of own/ in a project under Git, nothing added yet."""
    (own_code.ROOT / "dvc.yaml").write_text("")
    git("init", "-q")
    git("add", "own/__init__.py")
    return own_code.ROOT


def git(*arguments):
    subprocess.run([*GIT, *arguments], cwd=own_code.ROOT, check=True)


def test_a_function_is_found_by_its_name(own):
    own("mine.py", "def change(): return 7")
    own("deep/er.py", "from ..mine import change")
    assert load()() == 7
    assert load("own.deep.er:change")() == 7


def test_no_other_folder_of_that_name_is_looked_into(own, tmp_path, monkeypatch):
    own("mine.py", "def change(): return 7")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text("def change(): return 8")
    monkeypatch.chdir(tmp_path)
    assert load()() == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "own/mine.py has no change: write `def change(images, draw)` in it"),
        (
            "change = 3",
            "own/mine.py has something that is not a function as change: write `def change(images, draw)` in",
        ),
        ("import nothing_of_the_kind", "own.mine:change failed in own/mine.py, line 1: ModuleNotFoundError: No module"),
        ("def change(:", "own.mine:change failed in own/mine.py, line 1: SyntaxError: "),
        ("\n1 / 0", "own.mine:change failed in own/mine.py, line 2: ZeroDivisionError: division by zero"),
        ("raise ValueError", "own.mine:change failed in own/mine.py, line 1: ValueError: no reason given"),
    ],
)
def test_what_is_wrong_in_a_file_is_one_sentence(own, text, message):
    own("mine.py", text)
    assert refusal().startswith(message)


def test_a_file_that_is_not_there_is_one_sentence(own):
    assert refusal() == ("own.mine:change is asked for, but there is no own/mine.py: write that file, or mend the name")
    assert "there is no own/a/b.py" in refusal("own.a.b:change")


def test_a_file_that_git_lacks_is_refused_by_name(own, project):
    own("mine.py", "def change(): return 7")
    assert refusal() == (
        "own/mine.py is not in Git, so that an experiment elsewhere would lack it: git add own/mine.py"
    )
    git("add", "own/mine.py")  # a commit is not asked for: DVC's experiments carry what the index has
    own("mine.py", "def change(): return 8")
    assert load()() == 8


@pytest.mark.parametrize(
    "text", ["from own import helper", "from own.helper import f", "import own.helper", "from . import helper",
             "def change():\n    from .helper import f"],
)  # fmt: skip
def test_what_it_imports_from_own_must_be_in_git_too(own, project, text):
    own("mine.py", text)
    own("helper.py", "f = change = print")
    own("other.py", "what nobody imports may be anything")
    git("add", "own/mine.py")
    assert refusal() == (
        "own/helper.py is not in Git, so that an experiment elsewhere would lack it: git add own/helper.py"
    )


def test_several_files_that_git_lacks_are_all_named(own, project):
    own("mine.py", "from own import helper")
    own("helper.py")
    assert refusal().endswith("would lack them: git add own/helper.py own/mine.py")


def test_without_git_nothing_is_asked_of_it(own, monkeypatch, tmp_path):
    own("mine.py", "def change(): return 7")
    (own_code.ROOT / "dvc.yaml").write_text("")
    assert load()() == 7
    own_code.load.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))  # where there is no git
    assert load()() == 7


def test_the_code_of_a_served_model_may_lie_in_a_repository_that_ignores_it(own, project):
    own("mine.py", "def change(): return 7")
    (project / "dvc.yaml").unlink()
    assert load()() == 7


def test_a_copy_that_lacks_a_file_says_why(own, tmp_path, monkeypatch):
    """As in --temp and --queue, where DVC_ROOT names the repository."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.py").write_text("")
    (tmp_path / "own" / "helper.py").write_text("")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert refusal() == (
        "own/mine.py is not in this copy of the repository, for Git does not have it: git add own/mine.py, and start "
        "the experiment anew"
    )
    own("mine.py", "from own import helper")
    assert refusal().startswith("own/helper.py is not in this copy of the repository")
    assert "there is no own/other.py" in refusal("own.other:change")


def test_what_it_imports_must_lie_in_own(own, project):
    (project / "helper.py").write_text("")
    own("mine.py", "import helper")
    git("add", "-A")
    assert refusal() == (
        "own/mine.py imports helper, which lies outside own/, so that a change to it would make no stage run again: "
        "move it into own/"
    )


def test_all_files_at_any_depth_but_those_of_python_and_editors(own):
    for name in (
        "a.py",
        "deep/er/b.py",
        "deep/weights.npy",
        "__pycache__/a.cpython-311.pyc",
        "a.pyc",
        ".a.py.swp",
        "a~",
    ):
        own(name)
    found = [file.relative_to(own_code.ROOT).as_posix() for file in own_code.files()]
    assert found == ["own/__init__.py", "own/a.py", "own/deep/er/b.py", "own/deep/weights.npy"]
