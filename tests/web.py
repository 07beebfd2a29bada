"""A web server on 127.0.0.1 whose answers are written in the test."""

import json
import threading
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Request(NamedTuple):
    path: str
    headers: Mapping
    body: bytes


class Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: Mapping = {}
    cut: int | None = None  # bytes after which the connection breaks off
    stall: float = 0  # seconds of silence before it ends
    pieces: int = 1  # in which the body is sent, with a hundredth of a second between them
    head: bytes | None = None  # sent in place of status and headers


class Server(NamedTuple):
    url: str
    requests: list


@contextmanager
def serve(answer):
    """Serve `answer(request)` for every GET and POST; it is a function, or a list of answers used one by one."""
    seen, stopped = [], threading.Event()
    queue = None if callable(answer) else list(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            request = Request(self.path, self.headers, body)
            seen.append(request)
            reply = queue.pop(0) if queue is not None else answer(request)
            self.close_connection = True
            with suppress(ConnectionError):  # the client may have gone
                self.send_head(reply)
                self.send_body(reply)

        def send_head(self, reply):
            if reply.head is not None:
                self.wfile.write(reply.head)
                return
            self.send_response(reply.status)
            for name, value in ({"Content-Length": len(reply.body)} | dict(reply.headers)).items():
                if value is not None:
                    self.send_header(name, str(value))
            self.send_header("Connection", "close")
            self.end_headers()

        def send_body(self, reply):
            body = reply.body[: reply.cut]
            step = max(1, -(-len(body) // reply.pieces))
            for start in range(0, len(body), step):
                stopped.wait(0.01 if start else 0)
                self.wfile.write(body[start : start + step])
            stopped.wait(reply.stall)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{server.server_port}", seen)
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        thread.join()


def file(body, etag='"1"', *, ranges=True, honours_if_range=True, cuts=()):
    """An answer function that serves one file as a good server does; `cuts` breaks off the first answers."""
    left = list(cuts)

    def answer(request):
        headers = {"ETag": etag} if etag else {}
        cut = left.pop(0) if left else None
        wanted = request.headers.get("Range")
        if ranges and wanted and (not honours_if_range or request.headers.get("If-Range") == etag):
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                return Answer(416)
            headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
            return Answer(206, body[start:], headers, cut)
        return Answer(200, body, headers, cut)

    return answer


# Kaggle: what its client asks for, and the address that it is sent on to.
DOWNLOAD, INTROSPECT = "/v1/datasets.DatasetApiService/DownloadDataset", "/v1/security.OAuthService/IntrospectToken"
COMPETITION = "/v1/competitions.CompetitionApiService/DownloadDataFiles"
STORAGE = "/storage/set.zip?signature=1"


def kaggle(storage, refusal=lambda _: None, *, active=True, place=STORAGE):
    """An answer function in Kaggle's place. `storage` answers for its storage, `refusal` may bar the way there."""

    def answer(request):
        if request.path == INTROSPECT:
            return json_answer(200, {"active": active, "username": "me" if active else ""})
        if request.path in (DOWNLOAD, COMPETITION):
            # Another name of the same machine: as in life, the token must not go there.
            host = request.headers["Host"].replace("127.0.0.1", "localhost")
            return refusal(request) or Answer(302, b"", {"Location": f"http://{host}{place}"})
        reply = storage(request)
        return reply._replace(headers={**reply.headers, "Accept-Ranges": "bytes", "Content-Type": "application/zip"})

    return answer


def json_answer(status, content):
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"})
