"""One attempt at a download over HTTP, which goes on where the last one stopped; errors are put into words."""

import re
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import requests

from darkroom.base.console import bar
from darkroom.base.errors import UserError
from darkroom.base.files import write_text

PIECE = 2**20
TIMEOUT = (10, 60)  # seconds to connect, seconds without a byte
# Two plus signs set a key whether or not it is there: params.yaml need not list a user's own entries.
BY_HAND = "or download it by hand, not to data/raw, and name it: dvc exp run -S ++fetch.archive.ENTRY=/path/to/a.zip"


def attempt(url: str, partial: Path) -> None:
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
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        # 2. A response without the file: try again, or give up.
        code = response.status_code
        if code == 416:
            partial.unlink(missing_ok=True)
            raise requests.ConnectionError("the server refused to go on where the last attempt stopped")
        if code == 429 or code >= 500:
            raise requests.ConnectionError(f"the server answered {code}", response=response)
        if code not in (200, 206):
            raise UserError(f"{url} answered {status(code)}: check the address in a browser, {BY_HAND}")
        # 3. A partial response (206) must be the rest; any other begins the file anew.
        mark = _mark(response)
        if code == 206:
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
        with (
            partial.open("ab") as out,
            bar(what=partial.name, unit="B", total=total, initial=have, unit_scale=True) as shown,
        ):
            for piece in response.iter_content(PIECE):
                out.write(piece)
                shown.update(len(piece))
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
            f"{urlsplit(url).netloc} compresses it on the way ({_plain(coding)}), though asked not to: "
            f"switch that off there, {BY_HAND}"
        )


def retry_after(response: requests.Response | None) -> float:
    """The seconds that a server asks to wait, from a Retry-After of seconds or a date; 0 if it does not ask."""
    wanted = response.headers.get("Retry-After", "") if response is not None else ""
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
    return type(error).__name__ if isinstance(error, requests.RequestException) else _plain(str(error))


def _plain(text: str) -> str:
    """Text from another machine, cut to 120 characters and without control characters."""
    return "".join(character if character.isprintable() else " " for character in text[:120]).strip()
