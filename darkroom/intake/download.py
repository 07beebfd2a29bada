"""Downloads over HTTP: each goes on where the last attempt stopped, in the next run too; errors are put into words."""

import hashlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from filelock import FileLock

from darkroom.base.console import bar
from darkroom.base.errors import UserError
from darkroom.base.files import write_text
from darkroom.base.paths import root
from darkroom.intake.brought import damage, is_web_page
from darkroom.intake.disk import check_room

T = TypeVar("T")

PIECE = 2**20
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
TRIES = 5
PATIENCE = 300  # seconds that a busy server may ask for before the next attempt
# Two plus signs set a key whether or not it is there: params.yaml need not list a user's own entries.
BY_HAND = "or download it by hand, not to data/raw, and name it: dvc exp run -S ++fetch.archive.ENTRY=/path/to/a.zip"


class Refused(UserError):
    """The server answered, but not with the file."""

    def __init__(self, message: str, response: requests.Response) -> None:
        super().__init__(message)
        self.response = response


@contextmanager
def waiting_for(source: str) -> Iterator[Path]:
    """A folder for partial downloads from this source, for one process at a time; removed when the block ends well.

    It outlives an interrupted run. DVC empties a stage's outputs before it runs, so the folder lies elsewhere.
    """
    folder = root() / ".downloads" / hashlib.sha256(source.encode()).hexdigest()[:16]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        folder.mkdir(exist_ok=True)  # not before: whoever held the lock may just have removed it
        yield folder
        shutil.rmtree(folder)


def check_sent(file: Path, sender: str) -> None:
    """Raise UserError, and remove the file, if a download is not what its name says but, for instance, a login page."""
    if reason := damage(file):
        size = file.stat().st_size
        with file.open("rb") as stream:
            page = is_web_page(stream.read(512))
        file.unlink()
        what = "no archive but a web page" if page else f"no whole archive ({reason})"
        raise UserError(f"{sender} sent {size:,} bytes, {what}: open the address in a browser, {BY_HAND}")


def download(url: str, file: Path, session: requests.Session | None = None, shown: Any = None) -> None:
    """Download a file, resuming what an interrupted run left, with growing pauses between attempts.

    `session` holds connections and headers, `shown` is a progress bar of bytes; by default the file has one of its own.
    Raises Refused if the server does not give the file, UserError for other trouble that no attempt mends.
    """

    def once() -> None:
        _attempt(url, file, session, shown)

    patiently(once, url)


def patiently(once: Callable[[], T], url: str) -> T:
    """Ask a server, and again after growing pauses while it is busy, or cannot be reached."""
    pause = 0.0
    for attempt in range(TRIES):
        if attempt:
            time.sleep(max(2**attempt, pause))
        try:
            return once()
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            trouble, pause = error, retry_after(error.response)
        except (requests.RequestException, ValueError) as error:
            raise UserError(f"{url} cannot be fetched ({reason(error)}): check the address, {BY_HAND}") from None
        if pause > PATIENCE:
            raise UserError(
                f"{urlsplit(url).netloc} asks to be left alone for {pause:,.0f} seconds: run again then, {BY_HAND}"
            )
    raise UserError(
        f"{urlsplit(url).netloc} cannot be reached, or the connection breaks off ({reason(trouble)}): "
        f"run again to go on where it stopped, {BY_HAND}"
    )


def check_status(response: requests.Response, url: str) -> None:
    """Raise requests.ConnectionError if another attempt may help, Refused if the server does not give what is asked."""
    code = response.status_code
    if code == 429 or code >= 500:
        raise requests.ConnectionError(f"the server answered {code}", response=response)
    if code not in (200, 206):
        raise Refused(f"{url} answered {status(code)}: check the address in a browser, {BY_HAND}", response)


def _attempt(url: str, partial: Path, session: requests.Session | None, shown: Any) -> None:
    """Download a file to `partial`; if a part of it is there, download the rest.

    A mark beside `partial` (ETag or date) identifies the file on the server. Bytes are appended only if the mark is
    still the same. Raises requests.ConnectionError if another attempt may help, and UserError if the server refuses.
    """
    # 1. Ask for the rest, on condition that the file is still the same.
    validator = partial.with_name(partial.name + ".validator")
    have = partial.stat().st_size if partial.exists() and validator.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator.read_text(encoding="utf-8")}
    get = session.get if session else requests.get
    with get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        # 2. A response without the file: try again, or give up.
        if response.status_code == 416:
            partial.unlink(missing_ok=True)
            raise requests.ConnectionError("the server refused to go on where the last attempt stopped")
        check_status(response, url)
        # 3. A partial response (206) must be the rest; any other begins the file anew.
        mark = _mark(response)
        if response.status_code == 206:
            start, total = _range(response)
            if start != have or not mark or mark != headers.get("If-Range"):
                partial.unlink(missing_ok=True)  # not every server that resumes looks at Range and If-Range
                raise requests.ConnectionError("the server went on at another place, or with another file")
        else:
            # Removed before the new mark is written, so that it never lies beside bytes of another file.
            partial.unlink(missing_ok=True)
            validator.unlink(missing_ok=True)
            if mark:
                write_text(validator, mark)
            length = response.headers.get("Content-Length", "")
            have, total = 0, int(length) if length.isdecimal() else None
        # 4. Append the bytes.
        _as_stored(response, url)
        check_room(partial.parent, (total or 0) - have, f"the download of {url}")
        with (
            partial.open("ab") as out,
            nullcontext(shown)
            if shown is not None
            else bar(what=partial.name, unit="B", total=total, initial=have, unit_scale=True) as progress,
        ):
            for piece in response.iter_content(PIECE):
                out.write(piece)
                progress.update(len(piece))
    if total is not None and partial.stat().st_size != total:
        raise requests.ConnectionError(f"{partial.stat().st_size} bytes came where {total} were announced")


def _mark(response: requests.Response) -> str:
    """The mark that changes when the file on the server does; empty if the server gives none."""
    # A weak tag may stand for other bytes; without a strong one nothing is resumed.
    tag = response.headers.get("ETag", "")
    mark = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")
    return mark if mark.isprintable() else ""  # another one cannot be sent back


def _range(response: requests.Response) -> tuple[int | None, int | None]:
    """The number of the first byte of a partial response, and the size of the whole file."""
    found = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})", response.headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2])) if found else (None, None)


def _as_stored(response: requests.Response, url: str) -> None:
    """Make `response` give the bytes as they lie on the server. Raises UserError if the server compresses them.

    Many servers call a tar.gz compressed by gzip for the transfer, so that a client would unpack it.
    """
    coding = response.headers.get("Content-Encoding", "identity").lower()
    if coding in ("gzip", "x-gzip") and urlsplit(url).path.lower().endswith((".gz", ".tgz")):
        del response.raw.headers["Content-Encoding"]
    elif coding != "identity":
        raise UserError(
            f"{urlsplit(url).netloc} compresses it on the way ({plain(coding)}), though asked not to: "
            f"switch that off there, {BY_HAND}"
        )


def retry_after(response: requests.Response | None) -> float:
    """The seconds that a server asks to wait, from a Retry-After of seconds or a date; 0 if it does not ask.

    Hugging Face asks by RateLimit instead: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers
    """
    headers = response.headers if response is not None else {}
    wanted = headers.get("Retry-After", "")
    if not wanted and (found := re.search(r";\s*r=0\s*;\s*t=([0-9]{1,9})\b", headers.get("RateLimit", ""))):
        return float(found[1])
    if re.fullmatch("[0-9]{1,9}", wanted):
        return float(wanted)
    try:
        return max(0.0, parsedate_to_datetime(wanted).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def status(code: int) -> str:
    """The status code of a response with its meaning, as `404 not found`."""
    return f"{code} {requests.status_codes._codes.get(code, ('error',))[0].replace('_', ' ')}"  # type: ignore[attr-defined]


def reason(error: BaseException) -> str:
    """The last link of an exception's chain, in a few words and without addresses or headers."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return type(error).__name__ if isinstance(error, requests.RequestException) else plain(str(error))


def plain(text: str) -> str:
    """Text from another machine, cut to 120 characters and without control characters."""
    return "".join(character if character.isprintable() else " " for character in text[:120]).strip()
