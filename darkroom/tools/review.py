"""`darkroom review`: a page on this machine where a person goes through doubtful labels with the keyboard."""

import getpass
import os
import signal
import sys
import webbrowser

from darkroom.base import git, paths
from darkroom.base.words import counted
from darkroom.tools import decisions, ports, review_page, review_queue
from darkroom.tools.review_pictures import Pictures

WORDS = {"keep": "kept", "relabel": "relabelled", "drop": "dropped"}


def run(port: int, who: str | None, *, browser: bool) -> None:
    """Serve the page until Ctrl+C, then say what to type. Raises UserError where there is nothing to review yet."""
    ports.check(port)
    queue = review_queue.load()
    decisions.check(queue.dataset)
    if not queue.items:
        print(f"{queue.dataset}: no label is doubted, no picture stands twice, no test picture is mistaken")
        return
    review = review_page.Review(queue, who or name(), Pictures())
    server = review_page.server(review, port)
    address = f"http://{ports.HOST}:{server.server_port}/{review.token}/"
    print(f"{queue.dataset}: {counted(len(queue.items), 'picture')} to look at" + _gone(queue.gone))
    print(f"{address} shows them to {review.who}, Ctrl+C ends it", flush=True)
    if browser and _has_screen():
        webbrowser.open(address)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
    print(closing(queue, review.made))


def name() -> str:
    """Who decides, where the command line does not say it: the name that Git knows, else that of the account."""
    known = git.output_if_any("config", "user.name")
    try:
        return known or getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "unknown"


def closing(queue: review_queue.Queue, made: int) -> str:
    """What is decided by now, and the commands that make something of it."""
    known = decisions.read(queue.dataset)
    held = [decisions.holding(known, item.path, item.label) for item in queue.items]
    kinds: list[str] = [one.kind for one in held if one]
    done = f"{counted(made, 'decision')} in this session; of {counted(len(held), 'picture')} {len(kinds):,} are decided"
    counts = ", ".join(f"{kinds.count(kind):,} {word}" for kind, word in WORDS.items())
    corrected = len(kinds) - kinds.count("keep")
    if not corrected:
        return f"{done} ({counts}); {paths.CORRECTIONS} says nothing of them, so that there is nothing to run again"
    return (
        f"{done} ({counts}), see {paths.CORRECTIONS} and {decisions.REVIEWED}\n"
        "next: dvc repro, then darkroom summary --against HEAD, which says what the corrections changed"
    )


def _gone(count: int) -> str:
    if not count:
        return ""
    return f" ({counted(count, 'other')} that the tables name are not in the data any more: `dvc repro`)"


def _has_screen() -> bool:
    """Whether a browser has a window to open in: without one, Python would start one in this terminal."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
