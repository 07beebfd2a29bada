"""A server in Hugging Face's place: revisions, a listing in pages, files, and a storage of large ones elsewhere."""

import hashlib
import json
from urllib.parse import unquote, urlsplit

from tests.web import Answer, file, json_answer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
API = "/api/datasets/owner/set"


def sha1(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def listed(path, content, lfs=False):
    """A file as the listing has it."""
    entry = {"type": "file", "path": path, "size": len(content), "oid": sha1(content)}
    if lfs:
        pointer = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
        entry |= {"oid": "0" * 40, "lfs": pointer}
    return entry


def refused(status, code="", message=""):
    return Answer(status, b"{}", {"X-Error-Code": code, "X-Error-Message": message})


def hub(files, *, large=(), size=1000, listing=None, refusal=lambda _: None, cuts=()):
    """An answer function; `large` names the files that lie elsewhere, `size` is that of a page of the listing."""
    entries = [listed(path, content, path in large) for path, content in files.items()] if listing is None else listing
    elsewhere = {hashlib.sha256(files[path]).hexdigest(): file(files[path], cuts=cuts) for path in large}

    def answer(request):
        path, query = unquote(urlsplit(request.path).path), urlsplit(request.path).query
        host = request.headers["Host"]
        if reply := refusal(request):
            return reply
        if path == f"{API}/revision/main":
            return json_answer(200, {"sha": COMMIT})
        if path == f"{API}/tree/{COMMIT}":
            start = int(query.partition("cursor=")[2] or 0)
            reply = Answer(
                200, json.dumps(entries[start : start + size]).encode(), {"Content-Type": "application/json"}
            )
            if start + size < len(entries):
                following = f"<http://{host}{API}/tree/{COMMIT}?recursive=true&cursor={start + size}>"
                reply = reply._replace(headers={"Link": f'{following}; rel="next"'})
            return reply
        if path.startswith("/storage/"):
            return elsewhere[path.removeprefix("/storage/")](request)
        name = path.removeprefix(f"/datasets/owner/set/resolve/{COMMIT}/")
        if name in large:
            # Another name of the same machine: as in life, the token must not go there.
            there = f"http://{host.replace('127.0.0.1', 'localhost')}/storage/"
            return Answer(302, b"", {"Location": there + hashlib.sha256(files[name]).hexdigest()})
        return file(files[name], f'"{sha1(files[name])}"')(request) if name in files else refused(404, "EntryNotFound")

    return answer
