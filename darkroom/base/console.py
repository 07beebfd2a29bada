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

from darkroom.base import paths, stage_cost, uncommitted
from darkroom.base.errors import UserError

T = TypeVar("T")


def fail(message: str) -> NoReturn:
    """Print one sentence on standard error and leave with exit code 1."""
    print(f"error: {message}", file=sys.stderr)
    _print_how_to_restore()
    raise SystemExit(1)


def _print_how_to_restore() -> None:
    """Say how to restore earlier results: DVC deletes the outputs of a stage before it runs the stage.

    Prints nothing where no earlier results exist, nor in the copies that `--temp` and `--queue` make: there DVC_ROOT
    names the repository, not the copy.
    """
    if os.environ.get("DVC_ROOT") == str(Path.cwd()) and paths.REPORT.is_file():
        print(
            "to have back what you committed: git checkout params.yaml dvc.lock metrics models && dvc checkout; "
            "an experiment: dvc exp apply NAME",
            file=sys.stderr,
        )


def run(main: Callable[[], None]) -> None:
    """Run the `main` of a stage or command; a user's mistake ends in one sentence, not in a traceback."""
    replace_unencodable_letters()
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:  # the commands set it so while they import
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        uncommitted.print_differences()
        main()
        stage_cost.note()
    except UserError as error:
        fail(str(error))
    except KeyboardInterrupt:
        print("interrupted: nothing that was finished is lost; the same command starts again", file=sys.stderr)
        _print_how_to_restore()
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
        if isinstance(error, FileNotFoundError):  # pyarrow's has a message, but no filename
            fail(f"there is no {error.filename or error}: an earlier stage should have written it, run `dvc repro`")
        raise


def replace_unencodable_letters(errors: str = "replace") -> None:
    """Let standard output replace each letter that its encoding lacks, which the locale C does to all beyond ASCII.

    Python already does so on standard error. This does not reach C libraries, MLflow's server or DVC.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=errors)


@contextmanager
def silent_libraries(into: int | None = None) -> Iterator[None]:
    """Silence C libraries on standard error; what Python writes there is still shown.

    libpng, libjpeg and libtiff report each damaged file there, without its name. `into` is a file descriptor that
    takes what they write.
    """
    # 1. Python's own messages go to a copy of the terminal.
    sys.stderr.flush()
    encoding = sys.stderr.encoding  # the terminal's
    with os.fdopen(os.dup(2), "w", encoding=encoding, errors="backslashreplace") as shown, redirect_stderr(shown):
        # 2. File descriptor 2, to which C libraries write, leads elsewhere while the block runs.
        if into is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
        else:
            os.dup2(into, 2)
        try:
            yield
        finally:
            os.dup2(shown.fileno(), 2)


def done(written: str, then: str) -> None:
    """Print what long work has written and what to do next; under DVC only the first, for DVC goes on by itself."""
    print(written)
    if "DVC_STAGE" not in os.environ:
        print(f"next: {then}")


def progress(items: Iterable[T], *, what: str, unit: str, total: int | None = None) -> Iterable[T]:
    """Iterate over `items` and show a progress bar on standard error, if that is a terminal."""
    shown: Iterable[T] = bar(what=what, unit=unit, total=total, items=items)
    return shown


@contextmanager
def share_read(what: str, size: int, unit: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar over the `size` bytes of a file, for things of it whose number is unknown until its end.

    Yields a function to be called now and then, with the numbers of things found and of bytes read so far.
    """
    with bar(what=what, unit="B", total=size, unit_scale=True) as shown:
        furthest = 0

        def reached(things: int, place: int) -> None:
            nonlocal furthest
            if place > furthest:
                shown.set_postfix_str(f"{things:,} {unit}", refresh=False)
                shown.update(place - furthest)
                furthest = place

        yield reached


def bar(*, what: str, unit: str, total: int | None = None, items: Iterable[T] | None = None, **options: Any) -> Any:
    """A progress bar (tqdm) on standard error, shown only if that is a terminal."""
    return tqdm(items, desc=what, unit=unit, total=total, disable=None, dynamic_ncols=True, leave=False, **options)
