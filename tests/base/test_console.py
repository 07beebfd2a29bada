import errno
import io
import os
import subprocess
import sys

import pytest
from tqdm import tqdm

from darkroom.base import console, paths
from darkroom.base.console import bar, done, progress, run, share_read, silent_libraries
from darkroom.base.errors import UserError, without_password
from stages import entry
from tests import make
from tests.conftest import ROOT


def fails_with(error, capsys):
    def main():
        raise error

    with pytest.raises(SystemExit) as caught:
        run(main)
    out, err = capsys.readouterr()
    assert out == ""
    return caught.value.code, err


def test_a_mistake_ends_in_one_sentence_and_exit_code_1(capsys):
    assert fails_with(UserError("the key is wrong: mend it"), capsys) == (1, "error: the key is wrong: mend it\n")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a\nb", "a\\nb"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("Übung 漢", "Übung 漢"),
    ],
)
def test_names_that_would_break_the_line_are_escaped(name, shown, capsys):
    assert fails_with(UserError(f"{name} is damaged"), capsys) == (1, f"error: {shown} is damaged\n")


TERMINALS = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


def in_terminal(kind, *words):
    """Run Python as in a terminal of this kind."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHON", "LANG"))}
    environment = known | {"PYTHONPATH": str(ROOT)} | TERMINALS[kind]
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, check=False)


@pytest.mark.parametrize(
    ("kind", "shown"), [("ascii", b"gr??e ? ?"), ("latin-1", b"gr\xf6\xdfe ? ?"), ("C", b"gr??e ? ?")]
)
def test_a_terminal_that_lacks_letters_gets_others_instead(kind, shown):
    code = (
        "from darkroom.base.console import bar, done, run\n"
        "def main():\n"
        "    list(bar(what='gr\\u00f6\\u00dfe', unit='x', items=[1]))\n"
        "    done('gr\\u00f6\\u00dfe \\u2192 \\udcff', 'more')\n"
        "run(main)"
    )
    answer = in_terminal(kind, "-c", code)
    assert (answer.returncode, answer.stderr) == (0, b"")
    assert answer.stdout.startswith(shown + b"\n")


@pytest.mark.parametrize("kind", ["ascii", "latin-1"])
def test_a_stage_there_ends_well(project, kind):
    (project.folder / "gr\u00f6\u00dfe \u2192.zip").write_bytes(make.zip_of(make.pictures(["a"], each=1)))
    project.add(path="gr\u00f6\u00dfe \u2192.zip")
    entry.main()
    answer = in_terminal(kind, "-m", "stages.fetch")
    assert answer.returncode == 0, answer.stderr
    assert b" ?.zip (" in answer.stdout


def test_a_file_that_the_locale_cannot_name_is_told_in_one_sentence(project):
    project.add(path="gr\u00f6\u00dfe.zip")
    entry.main()
    answer = in_terminal("C", "-m", "stages.fetch")
    assert answer.returncode == 1
    assert make.is_one_line(answer.stderr.decode())
    assert b"cannot name a file in this locale: set PYTHONUTF8=1" in answer.stderr


@pytest.mark.parametrize("error", [UserError("wrong"), KeyboardInterrupt(), OSError(errno.ENOSPC, "No space")])
def test_what_dvc_has_deleted_before_the_stage_can_be_had_back(error, project, capsys, monkeypatch):
    def lines():
        return fails_with(error, capsys)[1].splitlines()

    paths.REPORT.parent.mkdir()
    paths.REPORT.touch()
    assert len(lines()) == 1  # run by hand, which deletes nothing
    monkeypatch.setenv("DVC_ROOT", str(project.folder / "elsewhere"))
    assert len(lines()) == 1  # an experiment in a copy
    monkeypatch.setenv("DVC_ROOT", str(project.folder))
    assert lines()[1:] == [
        "to have back what you committed: git checkout params.yaml dvc.lock metrics models && dvc checkout; "
        "an experiment: dvc exp apply NAME"
    ]
    paths.REPORT.unlink()
    assert len(lines()) == 1  # the first run: nothing stood here


def test_an_interruption_ends_in_one_sentence_and_exit_code_130(capsys):
    code, err = fails_with(KeyboardInterrupt(), capsys)
    assert code == 130
    assert err.startswith("interrupted: ")
    assert err.count("\n") == 1


def test_a_command_that_is_at_work_is_interrupted_as_ever():
    """Its modules are imported with the system's own answer to Ctrl+C, which ends the process without a word."""
    code = (
        "import os, signal; from darkroom.base.console import run\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "run(lambda: os.kill(os.getpid(), signal.SIGINT))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 130
    assert ended.stderr.startswith("interrupted: ")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "error: the disk is full while writing an output"),
        (OSError(errno.ENOSPC, "No space", "a.npy"), "error: the disk is full while writing a.npy"),
        (OSError(errno.EFBIG, "File too large", "a.npy"), "error: a.npy is larger than a file may be here"),
        (PermissionError(errno.EACCES, "Permission denied", "data"), "error: no permission for data"),
        (OSError(errno.EROFS, "Read-only", "data"), "error: no permission for data"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "x" * 999), f"error: the name '{'x' * 60}'... is too long"),
        (
            IsADirectoryError(errno.EISDIR, "Is a directory", ".a.partial", None, "a"),
            "error: a is a folder, but must be",
        ),
        (
            NotADirectoryError(errno.ENOTDIR, "Not a directory", "a/b"),
            "error: a/b cannot be reached: a part of it is a",
        ),
        (FileExistsError(errno.EEXIST, "File exists", "a"), "error: a is a file, but must be a folder"),
        (
            FileNotFoundError(errno.ENOENT, "No such file", "data/split.parquet"),
            "error: there is no data/split.parquet",
        ),
    ],
)
def test_a_trouble_of_the_system_ends_in_one_sentence(error, says, capsys):
    code, err = fails_with(error, capsys)
    assert code == 1
    assert err.startswith(says)
    assert err.count("\n") == 1


def test_any_other_error_is_a_bug_and_keeps_its_traceback():
    def main():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(main)


def test_a_reader_that_goes_away_is_no_trouble():
    script = "from darkroom.base.console import run\nrun(lambda: [print('x' * 1000, flush=True) for _ in range(10000)])"
    command = f'{sys.executable} -c "{script}" | head -c 10; exit ${{PIPESTATUS[0]}}'
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_the_closing_line_says_what_is_next_but_under_dvc_which_goes_on_by_itself(capsys, monkeypatch):
    monkeypatch.delenv("DVC_STAGE", raising=False)
    done("wrote a file", "dvc repro")
    assert capsys.readouterr().out == "wrote a file\nnext: dvc repro\n"
    monkeypatch.setenv("DVC_STAGE", "fetch")
    done("wrote a file", "dvc repro")
    assert capsys.readouterr().out == "wrote a file\n"


def test_progress_passes_everything_on_and_is_silent_without_a_terminal(capfd):
    assert list(progress(range(5), what="count", unit="item", total=5)) == list(range(5))
    with bar(what="count", unit="B", total=10) as shown:
        shown.update(5)
    assert capfd.readouterr() == ("", "")


def test_a_share_that_is_read_is_shown_with_the_things_found_in_it(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(
        console,
        "tqdm",
        lambda *args, **options: tqdm(*args, **options | {"disable": False, "file": shown, "mininterval": 0}),
    )
    with share_read("decode", 1000, "files") as reached:
        for things, place in ((1, 100), (2, 50), (3, 1000)):  # members may stand in another order than their directory
            reached(things, place)
    assert "decode:  10%" in shown.getvalue()
    assert "decode: 100%" in shown.getvalue()
    assert "3 files" in shown.getvalue()


def test_libraries_are_silent_and_python_is_not(capfd):
    with silent_libraries():
        os.write(2, b"libpng error: IDAT: CRC error\n")
        print("decode: 5 images", file=sys.stderr)
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "decode: 5 images\nafterwards\n"


def test_what_libraries_say_can_be_kept(capfd, tmp_path):
    with (tmp_path / "said").open("wb") as file, silent_libraries(file.fileno()):
        os.write(2, b"libpng error: IDAT: CRC error\n")
        print("decode: 5 images", file=sys.stderr)
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "decode: 5 images\nafterwards\n"
    assert (tmp_path / "said").read_bytes() == b"libpng error: IDAT: CRC error\n"


def test_addresses_lose_their_passwords():
    assert without_password("cannot reach https://me:secret@host/a@b") == "cannot reach https://...@host/a@b"
    assert str(UserError("https://me:secret@host/a.zip is gone")) == "https://...@host/a.zip is gone"
