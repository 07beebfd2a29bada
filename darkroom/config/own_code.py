"""Loads the user's own functions from the folder `own/` by the names that the parameters give.

Every stage that imports this module depends on `own/`. The folder lies beside the package `darkroom`, also in the copy
that DVC makes for an experiment and in a served model.
"""

import fnmatch
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from darkroom.base import git
from darkroom.base.errors import UserError
from darkroom.base.imports import files_of, imported, module_file
from darkroom.base.paths import GRAPH, OWN

ROOT = Path(__file__).resolve().parents[2]
IGNORED = ("*.py[cod]", ".*.sw?", "*~")  # Python and editors leave these; .dvcignore lists them too


@cache
def load(name: str, parameters: str) -> Callable[..., Any]:
    """Load the function `own.module:function`; error messages tell the user to define it with these `parameters`.

    Raises UserError if it does not exist, cannot be imported, or lies in a file that Git does not track.
    """
    module, _, last = name.partition(":")
    _check_files(name)
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    with as_user_error(name):
        function: Any = getattr(importlib.import_module(module), last, None)
    if not callable(function):
        what = "has no" if function is None else "has something that is not a function as"
        raise UserError(f"{_path(module)} {what} {last}: write `def {last}({parameters})` in it")
    loaded: Callable[..., Any] = function
    return loaded


def files() -> list[Path]:
    """All files of own/, at any depth, without those that Python and editors leave there."""
    found = [file for file in (ROOT / OWN).rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return sorted(file for file in found if not any(fnmatch.fnmatch(file.name, form) for form in IGNORED))


def needed(name: str) -> list[str]:
    """The files of own/ that the function `own.module:function` needs: its own and those it imports, from the root.

    Raises UserError for a file that does not exist, is not Python, or imports from elsewhere in the project.
    """
    found: set[Path] = set()
    waiting = [name.partition(":")[0]]
    _check_there(waiting[0], name)
    while waiting:
        for file in set(files_of(waiting.pop(), ROOT)) - found:
            found.add(file)
            with as_user_error(name):
                imports = list(imported(file, ROOT))
            for other in imports:
                if other.partition(".")[0] == OWN.name:
                    _check_copied(other)
                    waiting.append(other)
                elif _in_project():
                    _check_inside(file, other.partition(".")[0])
    return sorted(file.relative_to(ROOT).as_posix() for file in found)


@contextmanager
def as_user_error(what: str, *, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn an exception of the user's code into a UserError, which says that `what` failed, in which line, and why.

    UserErrors and the types in `passing` are not changed.
    """
    try:
        yield
    except Exception as error:  # a user's code may raise anything
        if isinstance(error, (UserError, *passing)):
            raise
        reason = (str(error).splitlines() or ["no reason given"])[0]
        if isinstance(error, SyntaxError):
            reason = error.msg
        raise UserError(f"{what} failed{_place(error)}: {type(error).__name__}: {reason}") from None


def _place(error: Exception) -> str:
    """The innermost line of own/ in an error's traceback, in words; empty if there is none."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        frames.append((error.filename or "", error.lineno))
    lines = [
        f" in {Path(file).relative_to(ROOT)}, line {line}"
        for file, line in frames
        if Path(file).is_relative_to(ROOT / OWN)
    ]
    return lines[-1] if lines else ""


def _check_files(name: str) -> None:
    """Refuse a file that Git does not track: copies for experiments and clones would lack it."""
    files = needed(name)
    if not _in_project():
        return
    # Without Git or a repository the output is empty, and nothing is refused.
    others = git.output_if_any("-C", str(ROOT), "ls-files", "--others", "-z", "--", *files)
    missing = [file for file in others.split("\0") if file]
    if missing:
        are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
        raise UserError(
            f"{' and '.join(missing)} {are} not in Git, so that an experiment elsewhere would lack {them}: "
            f"git add {' '.join(missing)}"
        )


def _check_there(module: str, name: str) -> None:
    _check_copied(module)
    if module_file(module, ROOT) is None:
        raise UserError(f"{name} is asked for, but there is no {_path(module)}: write that file, or mend the name")


def _check_copied(module: str) -> None:
    """Refuse a module that exists in the repository, but not in this copy, which DVC made for an experiment."""
    repository = Path(os.environ.get("DVC_ROOT", ROOT)).resolve()
    file = module_file(module, repository)
    if file is not None and module_file(module, ROOT) is None:
        path = file.relative_to(repository).as_posix()
        raise UserError(
            f"{path} is not in this copy of the repository, for Git does not have it: git add {path}, and start the "
            "experiment anew"
        )


def _check_inside(file: Path, package: str) -> None:
    if package != "darkroom" and module_file(package, ROOT) is not None:
        raise UserError(
            f"{file.relative_to(ROOT)} imports {package}, which lies outside {OWN}/, so that a change to it would make "
            f"no stage run again: move it into {OWN}/"
        )


def _in_project() -> bool:
    """Whether this code runs in a project, not in a served model."""
    return (ROOT / GRAPH).is_file()


def _path(module: str) -> str:
    file = module_file(module, ROOT)
    return file.relative_to(ROOT).as_posix() if file else module.replace(".", "/") + ".py"
