"""One attempt at a download over HTTP, which goes on where the last one stopped, and what went wrong, in words."""

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
BY_HAND = "or download it by hand, not to data/raw, and name it: dvc exp run -S fetch.archive=/path/to/archive.zip"


def attempt(url: str, partial: Path) -> None:
    """Bring a file to `partial`, or the rest of it where a part waits there; a mark beside it says of which file.

    What is not surely the rest of the bytes that wait is never put behind them. Raises requests.ConnectionError where
    another attempt may help, and UserError where the server refuses.
    """
    # 1. Ask for what is missing, provided that the file is still the same.
    validator = partial.with_name(partial.name + ".validator")
    have = partial.stat().st_size if partial.exists() and validator.exists() else 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": validator.read_text(encoding="utf-8")}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        # 2. An answer without a file: try again, or give up.
        code = answer.status_code
        if code == 416:
            partial.unlink(missing_ok=True)
            raise requests.ConnectionError("the server refused to go on where the last attempt stopped")
        if code == 429 or code >= 500:
            raise requests.ConnectionError(f"the server answered {code}", response=answer)
        if code not in (200, 206):
            raise UserError(f"{url} answered {status(code)}: check the address in a browser, {BY_HAND}")
        # 3. A part (206) must be the missing one; else the file begins anew.
        mark = _mark(answer)
        if code == 206:
            start, total = _range(answer)
            if start != have or not mark or mark != headers.get("If-Range"):
                partial.unlink(missing_ok=True)  # not every server that resumes looks at Range and If-Range
                raise requests.ConnectionError("the server went on at another place, or with another file")
        else:
            # First of all, so that bytes of another file never stand beside the new mark.
            partial.unlink(missing_ok=True)
            validator.unlink(missing_ok=True)
            if mark:
                write_text(validator, mark)
            length = answer.headers.get("Content-Length", "")
            have, total = 0, int(length) if length.isdecimal() else None
        # 4. The bytes, behind those that wait.
        _as_stored(answer, url)
        with (
            partial.open("ab") as out,
            bar(what=partial.name, unit="B", total=total, initial=have, unit_scale=True) as shown,
        ):
            for piece in answer.iter_content(PIECE):
                out.write(piece)
                shown.update(len(piece))
    if total is not None and partial.stat().st_size != total:
        raise requests.ConnectionError(f"{partial.stat().st_size} bytes came where {total} were announced")


def _mark(answer: requests.Response) -> str:
    """What tells a file on the server from a changed one; nothing where the server gives no such mark."""
    # A weak tag may stand for other bytes; without a strong one nothing is resumed.
    tag = answer.headers.get("ETag", "")
    mark = tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")
    return mark if mark.isprintable() else ""  # what is not cannot be sent back


def _range(answer: requests.Response) -> tuple[int | None, int | None]:
    """Which byte a part begins with, and how many the whole file has."""
    found = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18})", answer.headers.get("Content-Range", ""))
    return (int(found[1]), int(found[2])) if found else (None, None)


def _as_stored(answer: requests.Response, url: str) -> None:
    """See to it that the bytes are read as they lie on the server. Raises UserError where they are changed on the way.

    Of a tar.gz many a server says that it is text compressed with gzip, which a browser would then unpack.
    """
    coding = answer.headers.get("Content-Encoding", "identity").lower()
    if coding in ("gzip", "x-gzip") and urlsplit(url).path.lower().endswith((".gz", ".tgz")):
        del answer.raw.headers["Content-Encoding"]
    elif coding != "identity":
        raise UserError(
            f"{urlsplit(url).netloc} compresses it on the way ({_plain(coding)}), though asked not to: "
            f"switch that off there, {BY_HAND}"
        )


def retry_after(answer: requests.Response | None) -> float:
    """The seconds for which a server asks to be left alone, as a number or as a date; 0 where it does not ask."""
    wanted = answer.headers.get("Retry-After", "") if answer is not None else ""
    if re.fullmatch("[0-9]{1,9}", wanted):
        return float(wanted)
    try:
        return max(0.0, parsedate_to_datetime(wanted).timestamp() - time.time())
    except (ValueError, OverflowError):
        return 0.0


def status(code: int) -> str:
    """The code of an answer with its meaning, as `404 not found`."""
    return f"{code} {requests.status_codes._codes.get(code, ('error',))[0].replace('_', ' ')}"  # type: ignore[attr-defined]


def reason(error: BaseException) -> str:
    """The last link of an exception's chain, in a few words and without addresses or headers."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return type(error).__name__ if isinstance(error, requests.RequestException) else _plain(str(error))


def _plain(text: str) -> str:
    """Text from another machine, short and without anything that a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text[:120]).strip()
