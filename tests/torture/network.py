"""Downloads from servers that break off, stall, lie, and change the file between two attempts.

Left out are lies that no client can tell from the truth without a sum: other bytes under the right mark.
"""

import contextlib
import gzip
import io
import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from email.utils import formatdate
from functools import partial
from hashlib import sha256
from pathlib import Path
from unittest import mock

import numpy as np

from darkroom.base import paths
from darkroom.base.errors import UserError
from darkroom.intake import download, sources
from stages import entry, fetch
from tests import make
from tests.conftest import ROOT, Project
from tests.torture.table import Row
from tests.web import Answer, file, kaggle, serve

# Three states of one file on a server; the last two are equally long.
VERSIONS = [
    make.zip_of({"train/a/1.bmp": make.picture(seed, side, side, 1, "BMP")}, zipfile.ZIP_STORED)
    for seed, side in ((1, 30), (2, 60), (3, 60))
]
MARKS = ("etag", "date", "weak", "none")
STALL = 0.2  # seconds without a byte after which a connection counts as broken
SLUG = "owner/set"
TOKEN = "secret-0123456789abcdef"
ASKED = "the right bytes or one sentence; no other bytes, no traceback, no token, no part of a file in data/raw"


def rows(seconds: float, seed: int) -> Iterator[Row]:
    start = time.monotonic()
    with _machine():
        yield _tenths(start + 0.4 * seconds)
        for what, trial, share in (
            ("URL: up to eight answers with random faults", _url, 0.6),
            ("URL with a sum in datasets.yaml, servers that also change bytes, the whole stage", _stage, 0.8),
            ("Kaggle's own client, random faults of Kaggle and of its storage", _kaggle, 1.0),
        ):
            yield _drawn(what, trial, start + share * seconds, seed)


@contextlib.contextmanager
def _machine():
    """No pauses, no patience, small pieces, no progress bar, no proxy, nobody's token."""
    others = ("KAGGLE_", "DVC_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(others)}
    with (
        tempfile.TemporaryDirectory() as home,
        mock.patch.dict(os.environ, kept | {"HOME": home, "KAGGLE_CONFIG_DIR": home}, clear=True),
        mock.patch("time.sleep"),
        mock.patch.object(download, "TIMEOUT", (STALL, STALL)),
        mock.patch.object(download, "PIECE", 100),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


def _tenths(end):
    """Cut at each tenth, and what is left again at each tenth, under each mark."""

    def trials():
        for mark in ("etag", "date", "none"):
            for first in range(11):
                for second in range(11):
                    body = VERSIONS[1]
                    start = len(body) * first // 10
                    cuts = [start, (len(body) - (0 if mark == "none" else start)) * second // 10]
                    if time.monotonic() > end:
                        return
                    with _project(), serve(_marked(1, mark, cuts)) as server:
                        ended = _run(lambda url=server.url: _from_url(url), lambda whole=body: whole)
                    yield ended and f"{mark}, cut at {cuts}: {ended}"

    return _row("URL: cut at each tenth and the rest at each tenth, with ETag, date, neither; no sentence", trials())


def _drawn(what, trial, end, seed):
    def trials():
        number = 0
        while time.monotonic() < end:
            with _project() as project:
                ended = trial(np.random.default_rng([seed, number]), project)
            yield ended and f"draw {number}: {ended}"
            number += 1

    return _row(what, trials())


def _row(what, trials):
    """A row out of trials, each of which gives what went wrong, or None."""
    ends = list(trials)
    failures = [end for end in ends if end]
    return Row(what, len(ends), len(ends) - len(failures), ASKED, tuple(failures[:10]))


@contextlib.contextmanager
def _project():
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name in ("params.yaml", "datasets.yaml"):
            shutil.copy(ROOT / name, folder)
        paths.RAW.mkdir(parents=True)
        yield Project(Path(folder))


def _from_url(address):
    return sources.from_url(f"{address}/path/set.zip", paths.RAW)


def _run(bring, right):
    """Download once: None where the right bytes came, else what came."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            content = bring().read_bytes()
    except UserError as error:
        said = str(error)
        if not (make.is_one_line(said) and said.isprintable() and TOKEN not in said + printed.getvalue()):
            return f"no plain sentence: {said!r}"
        if left := [path.name for path in paths.RAW.iterdir()]:
            return f"{left} is left in {paths.RAW} after: {said}"
        return Said(said)
    except Exception as error:
        return f"{error!r}"
    return None if content == right() else f"other bytes: {len(content):,} where {len(right()):,} are right"


class Said(str):
    """One sentence of the program's own."""


def _until_it_is_there(bring, right, faults):
    """Run until the bytes come, at the latest in the second run after the last fault. What went wrong, or None."""
    well = 0
    while isinstance(ended := _run(bring, right), Said):
        well += not faults
        if well > 1:
            return f"no end, though the server is well again: {ended}"
    return ended


# Trials


def _url(draw, _):
    server = Server(draw, _some(draw, FAULTS))
    with serve(server.answer) as at:
        return _until_it_is_there(lambda: _from_url(at.url), server.right, server.faults)


def _stage(draw, project):
    wanted = int(draw.integers(len(VERSIONS)))
    server = Server(draw, _some(draw, FAULTS | {"bytes changed": _flipped}), wanted)
    with serve(server.answer) as at:
        project.add(url=f"{at.url}/path/set.zip", sha256=sha256(VERSIONS[wanted]).hexdigest())

        def bring():
            entry.main()
            fetch.main()
            return paths.RAW / "set.zip"

        return _until_it_is_there(bring, lambda: VERSIONS[wanted], server.faults)


def _kaggle(draw, _):
    from kagglesdk import kaggle_env

    storage = Server(draw, _some(draw, {name: FAULTS[name] for name in FAULTS if name not in NOT_KAGGLE}), mark="etag")
    token = _any(draw, [{}, {"KAGGLE_API_TOKEN": TOKEN}, {"KAGGLE_USERNAME": "me", "KAGGLE_KEY": TOKEN}])

    def refusal(_):
        refused = storage.faults and draw.random() < 0.2
        return _refused((401, 403, 404, 429, 500, 503), None, draw) if refused else None

    with (
        serve(kaggle(storage.answer, refusal)) as at,
        mock.patch.dict(os.environ, token),
        mock.patch.dict(kaggle_env._env_to_endpoint, {kaggle_env.KaggleEnv.PROD: at.url}),
    ):
        return _until_it_is_there(lambda: sources.from_kaggle(SLUG, paths.RAW), storage.right, storage.faults)


def _some(draw, faults):
    """Up to eight of them, each used on one answer; a circle of redirections is longer than a client's patience."""
    chosen = [_any(draw, list(faults.items())) for _ in range(draw.integers(1, 9))]
    return [part for name, fault in chosen for part in [(name, fault)] * (40 if name == "moved in a circle" else 1)]


class Server:
    """Serves one of the versions, with one fault after the other on its answers, then well."""

    def __init__(self, draw, faults, version=1, mark=None):
        self.draw, self.faults, self.version = draw, faults, version
        self.own, self.mark = version, mark or _any(draw, MARKS)

    def right(self):
        return VERSIONS[self.version]

    def answer(self, request):
        name, fault = self.faults.pop(0) if self.faults else ("none", None)
        self.version = int(self.draw.integers(len(VERSIONS))) if name == "file changed" else self.version
        if not self.faults:
            self.version = self.own
        if name == "range ignored":
            request = request._replace(headers={})
        reply = _marked(self.version, self.mark)(request)
        return fault(reply, self.draw) if fault else reply


def _marked(version, mark, cuts=()):
    """A good server of one version, under the mark of that version."""
    date = formatdate(version, usegmt=True)
    value = {"etag": f'"{version}"', "weak": f'W/"{version}"', "date": date, "none": None}[mark]
    good = file(VERSIONS[version], value, cuts=cuts)

    def answer(request):
        reply = good(request)
        tag = reply.headers.get("ETag")
        return _with(reply, {"ETag": None, "Last-Modified": tag}) if mark == "date" else reply

    return answer


# Faults: each makes another answer out of a good one


def _any(draw, options):
    return options[draw.integers(len(options))]


def _with(reply, headers):
    return reply._replace(headers={**reply.headers, **headers})


def _cut(reply, draw):
    return reply._replace(cut=int(draw.integers(0, len(reply.body) + 1)))


def _stall(reply, draw):
    return _cut(reply, draw)._replace(stall=3 * STALL)


def _drip(reply, draw):
    return reply._replace(pieces=int(draw.integers(2, 6)))


def _longer(reply, draw):
    return _with(reply, {"Content-Length": len(reply.body) + int(draw.integers(1, 5000))})


def _shorter(reply, draw):
    return _with(reply, {"Content-Length": int(draw.integers(0, len(reply.body) + 1))})


def _wordy(reply, draw):
    return _with(reply, {"Content-Length": _any(draw, ["abc", "-5", "", "1e3", "0x10", "5, 6", "9" * 30])})


def _unannounced(reply, draw):
    reply = _with(reply, {"Content-Length": None})
    return _cut(reply, draw) if draw.random() < 0.5 else reply


def _chunked(reply, draw):
    at = int(draw.integers(0, len(reply.body) + 1))
    chunks = [chunk for chunk in (reply.body[:at], reply.body[at:]) if chunk]
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    reply = _with(reply._replace(body=body), {"Content-Length": None, "Transfer-Encoding": "chunked"})
    return _cut(reply, draw) if draw.random() < 0.5 else reply


def _refused(codes, _, draw):
    dates = [formatdate(time.time() + seconds, usegmt=True) for seconds in (-60, 60, 10**6)]
    pause = _any(draw, [None, "0", "1", "soon", "-1", "7200", "9" * 40, "Mon, 99 Foo 0000 99:99:99 GMT", *dates])
    return Answer(_any(draw, codes), b"<html>no</html>", {"Retry-After": pause})


def _moved(_, draw):
    places = ["/path/set.zip?moved", "ftp://127.0.0.1/set.zip", "file:///etc/passwd", "http://[", "//", "", None]
    return Answer(_any(draw, [301, 302, 303, 307, 308]), b"", {"Location": _any(draw, places)})


def _circle(_, draw):
    return Answer(302, b"", {"Location": "/path/set.zip"})


def _elsewhere(reply, draw):
    """Another part than the one that was asked for."""
    if reply.status != 206:
        return reply
    whole = int(reply.headers["Content-Range"].rpartition("/")[2])
    start = int(draw.integers(0, whole))
    if start == whole - len(reply.body):
        return reply
    said = _any(draw, [f"bytes {start}-{whole - 1}/{whole}", f"bytes {start}-{whole - 1}/*", "bytes */*", "x", None])
    return _with(reply._replace(body=bytes(whole - start)), {"Content-Range": said, "Content-Length": whole - start})


def _unmarked(reply, _):
    return _with(reply, {"ETag": None, "Last-Modified": None})


def _squeezed(reply, draw):
    body = gzip.compress(reply.body, _any(draw, [0, 9]))
    coding = _any(draw, ["gzip", "x-gzip", "deflate", "br", "gzip, gzip", "nonsense"])
    return _with(reply._replace(body=body), {"Content-Encoding": coding, "Content-Length": len(body)})


def _garbage(_, draw):
    noise = draw.bytes(int(draw.integers(0, 200)))
    heads = [
        noise,
        b"",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"\x1b[31mHTTP/1.1 200 OK\r\nETag: \x07\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nnonsense\r\n" + noise + b"\r\n\r\n",
        b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-\r\n\r\n",
    ]
    return Answer(200, head=_any(draw, heads))


def _page(_, draw):
    """The page of a login, or nothing, where the file should be."""
    body = _any(draw, [b"<!doctype html><title>Sign in</title>", b"", b"PK", b"<" * 5000, bytes(2000)])
    return Answer(200, body, {"Content-Type": "text/html"})


def _flipped(reply, draw):
    at = int(draw.integers(0, max(1, len(reply.body))))
    return reply._replace(body=reply.body[:at] + bytes([draw.integers(256)]) + reply.body[at + 1 :])


FAULTS = {
    "cut": _cut,
    "stall": _stall,
    "drip": _drip,
    "length too long": _longer,
    "length too short": _shorter,
    "length of words": _wordy,
    "no length": _unannounced,
    "chunks": _chunked,
    "busy": partial(_refused, (429, 500, 502, 503)),
    "refused": partial(_refused, (401, 403, 404, 410, 416, 204, 304)),
    "moved": _moved,
    "moved in a circle": _circle,
    "another part": _elsewhere,
    "no mark": _unmarked,
    "compressed": _squeezed,
    "garbage": _garbage,
    "web page": _page,
    "range ignored": None,
    "file changed": None,
}
# Kaggle's client waits five minutes for a byte, and does not look at where a part begins.
NOT_KAGGLE = ("stall", "another part")
