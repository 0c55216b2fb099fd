"""Headless Chromium over its DevTools pipe."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

import pytest

CANDIDATES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)

# Formulae are set after the load event.
_SETTLED = """(async () => {
  if (window.MathJax && MathJax.startup) await MathJax.startup.promise;
  await new Promise(done => setTimeout(done, 150));
  return true;
})()"""


def find_browser() -> str | None:
    """The first Chromium on the path."""
    return next((c for c in CANDIDATES if shutil.which(c)), None)


#: What every module that uses the browser is marked with.
MARKS = [
    pytest.mark.skipif(
        find_browser() is None,
        reason="no Chromium on the path (Debian: apt-get install chromium):"
        " the pages are not looked at as a reader does",
    ),
    pytest.mark.xdist_group("browser"),
]


class BrowserError(RuntimeError):
    """The browser did not answer, or answered with an error."""


@dataclasses.dataclass
class Visit:
    """What happened while a page was loaded."""

    requests: list[str] = dataclasses.field(default_factory=list)
    failures: list[str] = dataclasses.field(default_factory=list)
    errors: list[str] = dataclasses.field(default_factory=list)


def _has_loaded(event: dict, loader: str) -> bool:
    """Whether this is the end of that loading, not of an earlier page's."""
    params = event.get("params", {})
    return (
        event.get("method") == "Page.lifecycleEvent"
        and params["name"] == "load"
        and params["loaderId"] == loader
    )


class Browser:
    """One Chromium with one tab.

    Parameters
    ----------
    command : str
        The program.
    """

    def __init__(self, command: str):
        self._profile = tempfile.mkdtemp(prefix="book-browser-")
        to_child, self._write = os.pipe()
        self._read, from_child = os.pipe()
        self._buffer = b""
        self._count = 0
        self._events: list[dict] = []

        def wire():
            # Chromium reads commands from 3 and answers on 4. Both ends are first
            # moved out of the way: one of them may be 3 or 4 already.
            source, sink = os.dup(to_child), os.dup(from_child)
            high = [os.dup2(source, 60), os.dup2(sink, 61)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self._process = subprocess.Popen(
            [command, *FLAGS, f"--user-data-dir={self._profile}", "about:blank"],
            preexec_fn=wire,
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_child)
        os.close(from_child)
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        attach = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attach["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def close(self) -> None:
        """End the browser and remove its profile."""
        with contextlib.suppress(BrowserError, OSError):
            self._call("Browser.close")
        for fd in (self._read, self._write):
            with contextlib.suppress(OSError):
                os.close(fd)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._profile, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # ---------------------------------------------------------------- messages

    def _receive(self, deadline: float) -> dict:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select(
                [self._read], [], [], max(0.0, deadline - time.monotonic())
            )
            if not ready:
                raise BrowserError("the browser did not answer in time")
            data = os.read(self._read, 1 << 20)
            if not data:
                raise BrowserError("the browser ended")
            self._buffer += data
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _call(self, method: str, session: str | None = None, **params) -> dict:
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + 60
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == message["id"]:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]
            self._events.append(answer)

    def call(self, method: str, **params) -> dict:
        """Call a DevTools method of the tab."""
        return self._call(method, self._session, **params)

    def evaluate(self, expression: str):
        """The value of a JavaScript expression; promises are awaited."""
        result = self.call(
            "Runtime.evaluate",
            expression=expression,
            returnByValue=True,
            awaitPromise=True,
        )
        if "exceptionDetails" in result:
            raise BrowserError(str(result["exceptionDetails"])[:400])
        return result["result"].get("value")

    def wait_for(self, expression: str, *, timeout: float = 20):
        """The value of a JavaScript expression once it is true.

        A page that is being left, or not there yet, is waited for.
        """
        deadline = time.monotonic() + timeout
        while True:
            error = None
            try:
                value = self.evaluate(expression)
            except BrowserError as caught:
                value, error = None, caught
            if value:
                return value
            if time.monotonic() > deadline:
                raise BrowserError(f"never true: {expression}") from error
            time.sleep(0.05)

    # ------------------------------------------------------------------- pages

    def resize(self, width: int, height: int = 900) -> None:
        """Set the window's width; below 600 the page is told it is on a phone."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def scheme(self, name: str, *, media: str = "") -> None:
        """Prefer ``light`` or ``dark``; `media` ``"print"`` lays out for paper."""
        feature = {"name": "prefers-color-scheme", "value": name}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])

    def press(self, key: str, code: int = 0, text: str = "") -> None:
        """Press and release a key."""
        given = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        down = "keyDown" if text else "rawKeyDown"
        self.call("Input.dispatchKeyEvent", type=down, text=text, **given)
        self.call("Input.dispatchKeyEvent", type="keyUp", **given)

    def pdf(self) -> bytes:
        """The page printed on A4, without backgrounds, as printers do."""
        options = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": False}
        answer = self.call("Page.printToPDF", preferCSSPageSize=True, **options)
        return base64.b64decode(answer["data"])

    def visit(self, url: str, *, timeout: float = 60) -> Visit:
        """Load a page, wait until its formulae are set, and say what it asked for."""
        self._events.clear()
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError(f"{answer['errorText']}: {url}")
        # A place on the page that is shown already is reached without loading.
        loader = answer.get("loaderId")
        deadline = time.monotonic() + timeout
        while loader and not any(_has_loaded(e, loader) for e in self._events):
            self._events.append(self._receive(deadline))
        self.wait_for(_SETTLED)  # a page may lead on to another at once
        return self._collect()

    def _collect(self) -> Visit:
        seen = Visit()
        names = {}
        for event in self._events:
            method, params = event.get("method"), event.get("params", {})
            if method == "Network.requestWillBeSent":
                names[params["requestId"]] = params["request"]["url"]
                seen.requests.append(params["request"]["url"])
            elif method == "Network.responseReceived":
                response = params["response"]
                if response["status"] >= 400:
                    seen.failures.append(f"{response['status']} {response['url']}")
            elif method == "Network.loadingFailed" and params["requestId"] in names:
                name = names[params["requestId"]]
                seen.failures.append(f"{params['errorText']} {name}")
            elif method == "Runtime.exceptionThrown":
                details = params["exceptionDetails"]
                text = details.get("exception", {}).get("description", "")
                seen.errors.append(f"{details['text']} {text}"[:300])
            elif method == "Log.entryAdded" and params["entry"]["level"] == "error":
                seen.errors.append(params["entry"]["text"][:300])
            elif method == "Runtime.consoleAPICalled" and params["type"] == "error":
                said = [
                    str(a.get("value", a.get("description"))) for a in params["args"]
                ]
                seen.errors.append(" ".join(said)[:300])
        return seen

    def screenshot(self, path, *, full: bool = True, cap: int = 6000) -> None:
        """Write a PNG of the page, or of its first `cap` pixels."""
        clip = {}
        if full:
            size = self.call("Page.getLayoutMetrics")["cssContentSize"]
            box = {"x": 0, "y": 0, "scale": 1, "width": size["width"]}
            clip = {"clip": {**box, "height": min(size["height"], cap)}}
        shot = self.call(
            "Page.captureScreenshot", format="png", captureBeyondViewport=full, **clip
        )
        with open(path, "wb") as stream:
            stream.write(base64.b64decode(shot["data"]))
