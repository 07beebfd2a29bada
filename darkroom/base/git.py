"""What Git says about the repository of the working folder."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator

from darkroom.base.errors import UserError


def output(*arguments: str) -> str:
    """What a Git command prints, without trailing line feeds. Raises UserError if it fails or Git is missing."""
    if shutil.which("git") is None:
        raise UserError("git is not installed, or not on PATH: install it")
    finished = _run(*arguments)
    if finished.returncode:
        reason = (finished.stderr.strip().splitlines() or ["it says nothing"])[0].removeprefix("fatal: ")
        raise UserError(
            f"{' '.join(['git', *arguments][-2:])} fails ({reason}): run this at the root of a repository with a commit"
        )
    return finished.stdout.rstrip("\n")


def output_if_any(*arguments: str) -> str:
    """As `output`, but empty if the command fails or Git is missing."""
    if shutil.which("git") is None:
        return ""
    finished = _run(*arguments)
    return "" if finished.returncode else finished.stdout.rstrip("\n")


def commit() -> str:
    """The hash of the commit that is checked out; empty if there is none."""
    return output_if_any("rev-parse", "HEAD")


def contents(names: Iterable[str]) -> Iterator[bytes | None]:
    """The content of each of these, such as `HEAD:./params.yaml`; None where Git has no such file.

    Raises subprocess.SubprocessError outside of a repository.
    """
    wanted = list(names)
    request = "".join(f"{name}\n" for name in wanted).encode()
    left = subprocess.run(
        ["git", "cat-file", "--batch"], input=request, capture_output=True, check=True, timeout=60
    ).stdout
    # Git answers with a line that ends in the size, then so many bytes and a line feed.
    start = 0
    for _ in wanted:
        end = left.index(b"\n", start)
        head, start = left[start:end], end + 1
        if head.endswith(b" missing"):
            yield None
        else:
            size = int(head.split()[-1])
            yield left[start : start + size]
            start += size + 1


def _run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    # A file's name need not be valid text in any encoding.
    return subprocess.run(["git", *arguments], capture_output=True, text=True, errors="replace", check=False)
