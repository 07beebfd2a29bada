"""What Git says of the repository of the working folder."""

import shutil
import subprocess

from darkroom.base.errors import UserError


def output(*arguments: str) -> str:
    """What a command of Git prints, without the last line end. Raises UserError where it fails, or Git is missing."""
    if shutil.which("git") is None:
        raise UserError("git is not installed, or not on PATH: install it")
    answer = _run(*arguments)
    if answer.returncode:
        reason = (answer.stderr.strip().splitlines() or ["it says nothing"])[0].removeprefix("fatal: ")
        raise UserError(
            f"{' '.join(['git', *arguments][-2:])} fails ({reason}): run this at the root of a repository with a commit"
        )
    return answer.stdout.rstrip("\n")


def output_if_any(*arguments: str) -> str:
    """As `output`, but empty where it fails, or Git is missing."""
    if shutil.which("git") is None:
        return ""
    answer = _run(*arguments)
    return "" if answer.returncode else answer.stdout.rstrip("\n")


def commit() -> str:
    """The commit that is checked out; empty where there is none."""
    return output_if_any("rev-parse", "HEAD")


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    # Names of files need not be text in any encoding.
    return subprocess.run(["git", *arguments], capture_output=True, text=True, errors="replace", check=False)
