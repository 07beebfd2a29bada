"""Brings a data set repository of Hugging Face at one commit, as one zip of its files.

Files come through `download`, for Hugging Face's own client keeps no part of a file that was interrupted, and follows
a listing without end; the client gives the token. Each file must have the hash by which Git or Git LFS knows it, so
that the commit decides every byte. API: https://huggingface.co/docs/hub/api
"""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urljoin, urlsplit

import requests
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from darkroom.base.console import bar
from darkroom.base.errors import UserError
from darkroom.base.words import counted, size
from darkroom.intake import stored_zip
from darkroom.intake.disk import check_room
from darkroom.intake.download import (
    BY_HAND,
    TIMEOUT,
    Refused,
    check_status,
    download,
    patiently,
    plain,
    reason,
    waiting_for,
)
from darkroom.intake.download import status as status_of

COMMIT = re.compile("[0-9a-f]{40}")
# About a data set, and no part of it.
ABOUT = re.compile(r"(^|/)(README|LICENSE|LICENCE|dataset_infos\.json|requirements\.txt)[^/]*$|\.(md|py|ipynb)$", re.I)
HIDDEN = re.compile(r"(^|/)\.")  # .gitattributes and the like
NO_PATH = re.compile(r"(^|/)\.{0,2}(/|$)|\\")  # a part that is empty, . or ..
PIECE = 2**20
ANSWER = 2**26  # bytes of one answer; a page of a listing has 1,000 files
PAGES = 2000
FILES = 1_000_000


class _Lfs(BaseModel):
    oid: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]  # sha256 of the file
    size: Annotated[int, Field(ge=0)]


class _Listed(BaseModel):
    """A file or a folder in a listing."""

    type: str
    path: str
    oid: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]  # as Git names it
    size: Annotated[int, Field(ge=0)] = 0
    lfs: _Lfs | None = None

    @property
    def key(self) -> str:
        """The hash by which the file is known."""
        return self.lfs.oid if self.lfs else self.oid

    @property
    def bytes(self) -> int:
        return self.lfs.size if self.lfs else self.size


class _Commit(BaseModel):
    sha: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


def page_of(name: str) -> str:
    """The page of a data set."""
    return f"{_server()}/datasets/{name}"


def pinned(place: str) -> str:
    """owner/name@commit for owner/name, or for owner/name@branch; the server says which commit that is now.

    Raises UserError if it cannot be read.
    """
    name, _, revision = place.partition("@")
    if COMMIT.fullmatch(revision):
        return place
    address = f"{_server()}/api/datasets/{name}/revision/{quote(revision or 'main', safe='')}?expand=sha"
    body, _ = _asked(_session(), address, place)
    try:
        return f"{name}@{_Commit.model_validate_json(body).sha}"
    except ValidationError:
        raise UserError(f"{_server()} does not say which commit {place} is: check HF_ENDPOINT, {BY_HAND}") from None


def data_set(place: str, folder: Path) -> Path:
    """Download all files of owner/name@commit but hidden ones, and pack them in the order of their paths."""
    name, _, commit = place.partition("@")
    if not COMMIT.fullmatch(commit):
        raise UserError(_without_commit(place))
    session = _session()
    with waiting_for(f"huggingface:{place}") as waiting:
        files = _files(session, name, commit)
        total = sum(file.bytes for file in files)
        check_room(folder, 2 * total, f"{name}, downloaded and packed,")
        print(f"downloading {page_of(name)}: {counted(len(files), 'file')}, {size(total)}")
        with bar(what=name, unit="B", total=total, unit_scale=True) as shown:
            for file in files:
                whole = waiting / file.key  # by its hash, so that no name from elsewhere reaches the disk
                if whole.exists():
                    shown.update(file.bytes)
                    continue
                part = waiting / f"{file.key}.part"
                try:
                    download(f"{page_of(name)}/resolve/{commit}/{quote(file.path)}", part, session, shown)
                except Refused as refused:
                    raise UserError(_refusal(refused.response, place)) from None
                _check(part, file)
                part.rename(whole)
        target = folder / f"{name.partition('/')[2]}.zip"
        stored_zip.pack([(file.path, waiting / file.key) for file in files], target, name)
    return target


def _without_commit(place: str) -> str:
    """The sentence for a place that may be other files tomorrow, with the line to write."""
    try:
        return f"huggingface: {place} names no commit, so it may change: write `huggingface: {pinned(place)}`"
    except Refused:
        raise
    except UserError as error:
        name = place.partition("@")[0]
        return (
            f"huggingface: {place} names no commit, so it may change: write {name}@ and one of "
            f"{page_of(name)}/commits/main, which could not be read ({error})"
        )


def _server() -> str:
    return (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")


def _session() -> requests.Session:
    """Connections that carry the user's token, which requests takes off where a server leads to another one."""
    from huggingface_hub import get_token

    session = requests.Session()
    try:
        token = get_token()
    except Exception as error:
        raise UserError(f"the token of Hugging Face cannot be had ({reason(error)}): set HF_TOKEN") from None
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    return session


def _asked(session: requests.Session, address: str, place: str) -> tuple[bytes, str | None]:
    """The body of an answer of the API, and the address of the next page of a listing."""

    def once() -> tuple[bytes, str | None]:
        with session.get(address, stream=True, timeout=TIMEOUT) as response:
            check_status(response, address)
            body = bytearray()
            for piece in response.iter_content(PIECE):
                body += piece
                if len(body) > ANSWER:
                    raise UserError(f"{_server()} answers with more than {size(ANSWER)} about {place}: {BY_HAND[3:]}")
            return bytes(body), response.links.get("next", {}).get("url")

    try:
        return patiently(once, address)
    except Refused as refused:
        raise Refused(_refusal(refused.response, place), refused.response) from None


def _files(session: requests.Session, name: str, commit: str) -> list[_Listed]:
    """The files of a commit, but hidden ones, in the order of their paths."""
    listing = TypeAdapter(list[_Listed])
    address: str | None = f"{_server()}/api/datasets/{name}/tree/{commit}?recursive=true&expand=false"
    found: dict[str, _Listed] = {}
    pages = 0
    while address:
        if urlsplit(address)[:2] != urlsplit(_server())[:2]:  # it would be shown the token
            raise UserError(f"{_server()} lists the files of {name} on another server: {BY_HAND[3:]}")
        body, following = _asked(session, address, f"{name}@{commit}")
        try:
            entries = listing.validate_json(body)
        except ValidationError as error:
            what = error.errors(include_url=False)[0]
            raise UserError(
                f"{_server()} lists the files of {name} in no known form ({plain(what['msg'])}): "
                f"check HF_ENDPOINT, {BY_HAND}"
            ) from None
        for entry in entries:
            if entry.type == "file":
                _check_path(entry.path, name)
                if entry.path in found:
                    raise UserError(f"{_server()} lists {entry.path!r} of {name} twice: run again, {BY_HAND}")
                found[entry.path] = entry
        pages += 1
        if len(found) > FILES or pages > PAGES:
            raise UserError(f"{name} has more than {FILES:,} files, or its listing has no end: {BY_HAND[3:]}")
        address = urljoin(address, following) if following else None
    shown = [found[path] for path in sorted(found) if not HIDDEN.search(path)]
    _check_data(shown, name)
    return shown


def _check_path(path: str, name: str) -> None:
    if NO_PATH.search(path) or not path.isprintable():
        raise UserError(f"{name} holds a file {path[:200]!r}, which is no path inside an archive: {BY_HAND[3:]}")


def _check_data(files: Sequence[_Listed], name: str) -> None:
    """Raise UserError if a repository holds words about data alone, or a script that brings them from elsewhere."""
    if any(not ABOUT.search(file.path) for file in files):
        return
    scripts = [file.path for file in files if file.path.endswith(".py")]
    if scripts:
        raise UserError(
            f"{name} holds no data but a script ({scripts[0]}) that brings them from elsewhere, which Darkroom "
            "does not run: read there where they lie, and name that as `url:` or `path:`"
        )
    raise UserError(f"{name} holds no data at this commit: look at {page_of(name)}")


def _check(part: Path, file: _Listed) -> None:
    """Raise UserError, and remove the part, unless it is the file of the listing."""
    digest = hashlib.sha256() if file.lfs else hashlib.sha1(usedforsecurity=False)
    if not file.lfs:
        digest.update(b"blob %d\0" % part.stat().st_size)
    with part.open("rb") as stream:
        while piece := stream.read(PIECE):
            digest.update(piece)
    if digest.hexdigest() != file.key:
        sent = part.stat().st_size
        part.unlink()
        raise UserError(
            f"{_server()} sent {sent:,} bytes as {file.path}, which are not the {file.bytes:,} of this commit: "
            f"run again, {BY_HAND}"
        )


def _refusal(response: requests.Response, place: str) -> str:
    code, known = response.status_code, response.headers.get("X-Error-Code", "")
    name, _, revision = place.partition("@")
    page = page_of(name)
    if known == "GatedRepo":
        return (
            f"{name} is given to those alone who asked for it (it answered {code}): ask at {page}, and set HF_TOKEN to "
            f"a token of {_server()}/settings/tokens, {BY_HAND}"
        )
    if known == "RevisionNotFound":
        return f"{name} has no commit {revision} (it answered {code}): take one of {page}/commits/main"
    if code == 401 or (code == 404 and known in ("", "RepoNotFound")):
        return (
            f"Hugging Face has no data set {name} that may be read so (it answered {code}): check `huggingface:` in "
            f"datasets.yaml against {page}, and set HF_TOKEN if it is private"
        )
    said = plain(response.headers.get("X-Error-Message", ""))
    return f"Hugging Face answered {status_of(code)} for {place}{f' ({said})' if said else ''}: open {page}, {BY_HAND}"
