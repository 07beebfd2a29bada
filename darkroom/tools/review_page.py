"""The web server of `darkroom review`: one page, its pictures, and the decisions that it sends.

It answers this machine alone, and only who knows the address with its token: a page of another site in the same browser
can neither read it nor post a decision.
"""

import hmac
import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from darkroom import report
from darkroom.base.errors import UserError
from darkroom.tools import decisions
from darkroom.tools.decisions import Decision
from darkroom.tools.ports import HOST
from darkroom.tools.review_explanations import Explanations
from darkroom.tools.review_pictures import Pictures
from darkroom.tools.review_queue import KINDS, Item, Queue

TEMPLATES = Path(__file__).with_name("templates")
FILES = {
    "": (TEMPLATES / "review.html", "text/html; charset=utf-8"),
    "review.css": (TEMPLATES / "review.css", "text/css; charset=utf-8"),
    "review.js": (TEMPLATES / "review.js", "text/javascript; charset=utf-8"),
    # The colours and letters of the report.
    "report.css": (Path(str(report.__file__)).with_name("templates") / "report.css", "text/css; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
LONGEST_BODY = 2**16  # bytes of a decision
Answer = tuple[int, str, bytes]  # status, type, content


@dataclass
class Review:
    """What the page shows and does: `who` decides about the pictures of `queue`."""

    queue: Queue
    who: str
    pictures: Pictures
    explanations: Explanations = field(default_factory=Explanations)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    made: int = 0  # decisions in this session

    def __post_init__(self) -> None:
        self.by_row = {item.row: item for item in self.queue.items}

    def get(self, place: str) -> Answer:
        """The answer to GET, by the part of the address behind the token."""
        if place in FILES:
            file, kind = FILES[place]
            return 200, kind, file.read_bytes()
        name, *rest = place.split("/")
        numbers = [int(one) for one in rest if one.isdecimal()]
        shown: dict[tuple[str, int], Callable[..., Answer]] = {
            ("queue", 0): self._queue,
            ("decisions", 0): self._decisions,
            ("packed", 1): lambda row: _picture(self.pictures.packed(row)),
            ("original", 1): lambda row: _picture(self.pictures.original(row)),
            ("heat", 2): lambda row, label: _picture(self.explanations.heat(row, label)),
            ("nearest", 1): self._nearest,
        }
        answer = shown.get((name, len(rest)))
        if answer is None or len(numbers) != len(rest) or any(row >= len(self.pictures.images) for row in numbers[:1]):
            return _json(404, {"error": "there is nothing here"})
        return answer(*numbers)

    def decide(self, asked: Any) -> Answer:
        """Write a decision that the page sends: row, wanted and seen, each of the two a decision or null."""
        item = self.by_row.get(asked["row"])
        wanted, seen = (self._decision(item, asked[name]) for name in ("wanted", "seen"))
        if item is None:
            return _json(404, {"error": "this picture is not under review"})
        try:
            now = decisions.decide(self.queue.dataset, (item.path, item.label), wanted, seen)
        except decisions.Conflict as conflict:
            return _json(200, {"conflict": True, "now": conflict.now and asdict(conflict.now)})
        self.made += 1
        return _json(200, {"now": now and asdict(now)})

    def _decision(self, item: Item | None, given: Any) -> Decision | None:
        """A decision as the page sends it. Who took back a decision gives who and when of the one before."""
        if given is None or item is None:
            return None
        kind, label = given["kind"], given["label"]
        if kind not in ("keep", "relabel", "drop") or (kind == "relabel" and label not in self.queue.classes):
            raise ValueError
        label = {"keep": item.label, "drop": ""}.get(kind, label)
        if given.get("when"):
            return Decision(kind, label, str(given["who"]), str(given["when"]))
        return decisions.made(kind, label, self.who)

    def _queue(self) -> Answer:
        found = {name: getattr(self.queue, name) for name in ("dataset", "classes", "gone")}
        items = [asdict(item) for item in self.queue.items]
        for item in items:
            item["beside"] = [self._labelled(row) for row in item["beside"]]
            item["near"] = [self._labelled(row) for row in item["near"]]
            item["original"] = self.pictures.has_more(item["row"])
        return _json(200, found | {"who": self.who, "kinds": KINDS, "items": items})

    def _decisions(self) -> Answer:
        """What holds for each picture of the queue by its row; others may have decided since."""
        state, known = decisions.state(), decisions.read(self.queue.dataset)
        held = {item.row: decisions.holding(known, item.path, item.label) for item in self.queue.items}
        return _json(200, {"state": state, "decisions": {row: asdict(one) for row, one in held.items() if one}})

    def _nearest(self, row: int) -> Answer:
        near = self.explanations.nearest(row)
        return _json(200, near._asdict() | {"rows": [self._labelled(row) for row in near.rows]})

    def _labelled(self, row: int) -> dict[str, Any]:
        label = self.pictures.label(row)
        name = "" if label is None else self.queue.classes[label]
        return {"row": row, "label": name, "path": self.pictures.path(row)}


def _json(status: int, content: Any) -> Answer:
    return status, "application/json", json.dumps(content).encode()


def _picture(content: bytes | None) -> Answer:
    if content is None:
        return 204, "image/png", b""
    return 200, "image/png" if content.startswith(b"\x89PNG") else "image/jpeg", content


def server(review: Review, port: int) -> ThreadingHTTPServer:
    """The server, bound to a port of this machine (0: any free one); `serve_forever` runs it."""
    handler = type("ReviewHandler", (_Handler,), {"review": review})
    made = ThreadingHTTPServer((HOST, port), handler)
    handler.port = made.server_port  # type: ignore[attr-defined]
    made.daemon_threads = True
    return made


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    review: Review
    port: int

    def do_GET(self) -> None:
        place = self._place()
        self._answer(lambda: _refused() if place is None else self.review.get(place))

    def do_POST(self) -> None:
        place, length = self._place(), self.headers.get("Content-Length", "")
        own = f"http://{self.headers.get('Host')}"
        if (
            place != "decision"
            or self.headers.get("Origin", own) != own
            or self.headers.get("Content-Type") != "application/json"
            or not (length.isdecimal() and int(length) <= LONGEST_BODY)
        ):
            self.close_connection = True  # what it sends is not read
            self._answer(_refused)
            return
        body = self.rfile.read(int(length))
        self._answer(lambda: self.review.decide(json.loads(body)))

    def _place(self) -> str | None:
        """The part of the address behind the token; None for who does not know it, or came by another host's name."""
        start = f"/{self.review.token}/"
        known = hmac.compare_digest(self.path[: len(start)].encode(), start.encode())
        is_here = self.headers.get("Host") in (f"{HOST}:{self.port}", f"localhost:{self.port}")
        return self.path[len(start) :].partition("?")[0] if known and is_here else None

    def _answer(self, made: Callable[[], Answer]) -> None:
        try:
            status, kind, content = made()
        except (KeyError, TypeError, ValueError):
            status, kind, content = _json(400, {"error": "this is no decision"})
        except (UserError, OSError) as error:
            status, kind, content = _json(500, {"error": str(error)})
        with suppress(ConnectionError):  # the page may have gone on to another picture
            self._send(status, kind, content)

    def _send(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        keeps = "private, max-age=3600" if kind.startswith("image/") else "no-store"
        for name, value in {**HEADERS, "Cache-Control": keeps, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the terminal is for people."""


def _refused() -> Answer:
    return _json(403, {"error": "open the address that `darkroom review` prints"})
