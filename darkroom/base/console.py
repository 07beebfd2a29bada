"""What a person sees in the terminal: one clear sentence for a mistake, a progress bar, a closing line."""

import errno
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from tqdm import tqdm

from darkroom.base import paths, uncommitted
from darkroom.base.errors import UserError

T = TypeVar("T")


def fail(message: str) -> NoReturn:
    """Print one sentence on standard error and leave with exit code 1."""
    print(f"error: {message}", file=sys.stderr)
    _tell_the_way_back()
    raise SystemExit(1)


def _tell_the_way_back() -> None:
    """Say how earlier results come back; DVC deletes those of a stage before it runs it.

    Not where there were none, nor in the copies of `--temp` and `--queue`, for which DVC_ROOT names the repository.
    """
    if os.environ.get("DVC_ROOT") == str(Path.cwd()) and paths.REPORT.is_file():
        print(
            "to have back what you committed: git checkout params.yaml dvc.lock metrics models && dvc checkout; "
            "an experiment: dvc exp apply NAME",
            file=sys.stderr,
        )


def run(main: Callable[[], None]) -> None:
    """Run the `main` of a stage or command; a user's mistake ends in one sentence, not in a traceback."""
    replace_what_the_terminal_lacks()
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # as set for the time of the imports
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        uncommitted.tell()
        main()
    except UserError as error:
        fail(str(error))
    except KeyboardInterrupt:
        print("interrupted: nothing that was finished is lost; the same command starts again", file=sys.stderr)
        _tell_the_way_back()
        raise SystemExit(130) from None
    except BrokenPipeError:
        # The reader (`| head`) has gone; keep the interpreter from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except UnicodeEncodeError as error:
        if error.encoding != sys.getfilesystemencoding() or error.encoding == "utf-8":
            raise
        fail(f"{error.object!r} cannot name a file in this locale: set PYTHONUTF8=1, or LC_ALL=C.UTF-8")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            fail(f"the disk is full while writing {error.filename or 'an output'}: free some space and run again")
        if error.errno == errno.EFBIG:
            fail(f"{error.filename or 'an output'} is larger than a file may be here: raise the limit (`ulimit -f`)")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            fail(f"no permission for {error.filename}: make it readable and writable, then run again")
        if error.errno == errno.ENAMETOOLONG:
            fail(f"the name {str(error.filename)[:60]!r}... is too long for this system: shorten it")
        if error.errno == errno.EISDIR:
            fail(f"{error.filename2 or error.filename} is a folder, but must be a file: move it away, or name a file")
        if error.errno == errno.EEXIST and not Path(error.filename).is_dir():
            fail(f"{error.filename} is a file, but must be a folder: move it away, or name another place")
        if error.errno == errno.ENOTDIR:
            fail(f"{error.filename} cannot be reached: a part of it is a file, not a folder; name another place")
        if isinstance(error, FileNotFoundError):  # pyarrow gives its message alone
            fail(f"there is no {error.filename or error}: an earlier stage should have written it, run `dvc repro`")
        raise


def replace_what_the_terminal_lacks(errors: str = "replace") -> None:
    """Print a replacement for each letter that the encoding of standard output lacks, as in the locale C.

    On standard error Python itself does so. What C libraries, MLflow's server or DVC print is their own.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=errors)


@contextmanager
def silent_libraries() -> Iterator[None]:
    """Keep C libraries from writing on standard error, past Python; what Python writes there still comes through.

    libpng, libjpeg and libtiff report each damaged file there, without its name.
    """
    sys.stderr.flush()
    encoding = sys.stderr.encoding  # the terminal's
    with os.fdopen(os.dup(2), "w", encoding=encoding, errors="backslashreplace") as shown, redirect_stderr(shown):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        try:
            yield
        finally:
            os.dup2(shown.fileno(), 2)


def done(written: str, then: str) -> None:
    """The closing line of long work: what was written, and what to do next.

    Under DVC not the latter: it goes on by itself.
    """
    print(written)
    if "DVC_STAGE" not in os.environ:
        print(f"next: {then}")


def progress(items: Iterable[T], *, what: str, unit: str, total: int | None = None) -> Iterable[T]:
    """`items` behind a progress bar on standard error; silent when that is no terminal."""
    shown: Iterable[T] = bar(what=what, unit=unit, total=total, items=items)
    return shown


def bar(*, what: str, unit: str, total: int | None = None, items: Iterable[T] | None = None, **options: Any) -> Any:
    """A progress bar (tqdm) that is silent where standard error is no terminal."""
    return tqdm(items, desc=what, unit=unit, total=total, disable=None, dynamic_ncols=True, leave=False, **options)
