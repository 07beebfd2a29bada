"""A Chromium without a window, driven over a pipe by its DevTools protocol; it needs no package.

The protocol: https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
needs_chromium = pytest.mark.skipif(PROGRAM is None, reason="no Chromium is installed")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe",
    "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update",
    "--hide-scrollbars", "--force-device-scale-factor=1",
)  # fmt: skip
PATIENCE = 90  # seconds that one answer may take
KEYS = {"Escape": 27, "Enter": 13, "Tab": 9, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40}


@contextmanager
def browser(folder):
    """A running Chromium, which keeps its profile in `folder`; pages are opened with its method `open`."""
    # The browser reads commands from its file descriptor 3 and answers on 4; ours are moved out of the way of these.
    (command_end, ours_to_write), (ours_to_read, answer_end) = os.pipe(), os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (command_end, answer_end)]
    os.close(command_end)
    os.close(answer_end)
    script = f'exec "$@" 3<&{high[0]} 4>&{high[1]} {high[0]}<&- {high[1]}>&-'
    program = ["bash", "-c", script, "bash", PROGRAM, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    process = subprocess.Popen(program, pass_fds=high, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for end in high:
        os.close(end)
    running = Browser(ours_to_write, ours_to_read)
    try:
        yield running
    finally:
        try:
            running.send("Browser.close")
            process.wait(PATIENCE)
        except (OSError, AssertionError, subprocess.TimeoutExpired):
            process.kill()
            process.wait()
        os.close(ours_to_write)
        os.close(ours_to_read)


class Browser:
    """The connection: commands go out with a number, and come back as answers among events."""

    def __init__(self, to_browser, from_browser):
        self._to, self._from = to_browser, from_browser
        self._number, self._rest, self._pages = 0, b"", {}

    def open(self, url, *, width=1280, height=900, dark=False):
        """A loaded page in a window of this size in pixels; narrower than 600, it is a phone's."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for room in ("Page", "Runtime", "Network", "Log"):
            page.send(f"{room}.enable")
        page.resize(width, height)
        page.dark(dark)
        page.go(url)
        return page

    def send(self, method, session=None, **params):
        """Send a command, and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        rest = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while rest:
            rest = rest[os.write(self._to, rest) :]
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self.receive(deadline)
            assert answer, f"Chromium gave no answer to {method} in {PATIENCE} s"
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']['message']}"
                return answer["result"]

    def receive(self, deadline):
        """The next message, None after the deadline; one that is an event is handed to its page."""
        while b"\0" not in self._rest:
            if not select.select([self._from], [], [], max(0, deadline - time.monotonic()))[0]:
                return None
            part = os.read(self._from, 1 << 20)
            assert part, "Chromium has ended"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(line)
        if "method" in message and message.get("sessionId") in self._pages:
            self._pages[message["sessionId"]].note(message["method"], message["params"])
        return message


class Page:
    """One tab. `errors` are the words of its console's errors, `requests` the addresses it asked for."""

    def __init__(self, chromium, session):
        self._chromium, self._session = chromium, session
        self.errors, self.requests, self._loaded = [], [], False

    def send(self, method, **params):
        return self._chromium.send(method, self._session, **params)

    def note(self, method, params):
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            found = params["exceptionDetails"]
            self.errors.append(found.get("exception", {}).get("description") or found["text"])
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
            self.errors.append(" ".join(str(part.get("value", part.get("description"))) for part in params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}".strip())

    def go(self, url):
        """Load an address, and wait until it has loaded."""
        self._loaded = False
        self.send("Page.navigate", url=url)
        deadline = time.monotonic() + PATIENCE
        while not self._loaded:
            assert self._chromium.receive(deadline), f"{url} did not load in {PATIENCE} s"

    def resize(self, width, height):
        self.width = width
        phone = width < 600
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        self.send("Emulation.setTouchEmulationEnabled", enabled=phone)

    def dark(self, on):
        """Say that the person wants dark pages, or bright ones."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def evaluate(self, script):
        """The value of a JavaScript expression, a promise's once it is there."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]["exception"].get("description")
        return found["result"].get("value")

    def wait_for(self, script):
        """Wait until the expression is true; return its value."""
        deadline = time.monotonic() + PATIENCE
        while not (value := self.evaluate(script)):
            said = "document.body.innerText"
            assert time.monotonic() < deadline, f"never true: {script}; the page says {self.evaluate(said)}"
            time.sleep(0.02)
        return value

    def press(self, *keys):
        """Press keys one after the other and let them go: letters, or some of KEYS."""
        for key in keys:
            event = {"key": key, "windowsVirtualKeyCode": KEYS.get(key) or ord(key.upper())}
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            self.send("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
            self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def click(self, selector):
        """Click with the mouse on the middle of the first element that the CSS selector finds."""
        found = f"document.querySelector({json.dumps(selector)})"
        x, y = self.evaluate(
            f"(() => {{ const e = {found}; e.scrollIntoView({{block: 'center', behavior: 'instant'}}); "
            "const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def screenshot(self, file, *, whole=True):
        """Write a PNG of the whole page, or of what the window shows."""
        shot = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        Path(file).write_bytes(base64.b64decode(shot["data"]))

    def print(self, file):
        """Write the page as a PDF of A4 sheets."""
        sheet = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": False}
        Path(file).write_bytes(base64.b64decode(self.send("Page.printToPDF", **sheet)["data"]))

    def too_wide(self):
        """The elements that stand out of the page at its right, unless one around them scrolls or hides the rest."""
        return self.evaluate(
            f"(() => {{ const width = {self.width};"
            + """
            const held = (element) => {
                for (let up = element.parentElement; up && up !== document.body; up = up.parentElement)
                    if (getComputedStyle(up).overflowX !== "visible")
                        return up.getBoundingClientRect().right <= width + 1;
                return false;
            };
            return [...document.body.querySelectorAll("*")]
                .filter((element) => element.getBoundingClientRect().right > width + 1 && !held(element))
                .map((element) => `${element.tagName}.${element.className} ${element.textContent.slice(0, 40)}`);
        })()"""
        )
