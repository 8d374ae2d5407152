"""A headless Chromium, told what to do over two pipes (Chrome DevTools Protocol)."""

from __future__ import annotations

import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from mobile_nelf.errors import BundleError
from mobile_nelf.parsing import parse_json

__all__ = ["Browser", "browser_path", "can_contain"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = ("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",)

#: A software adapter for WebGPU and WebGL2, so that a machine without a graphics card will do.
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--enable-unsafe-webgpu",
    "--use-webgpu-adapter=swiftshader",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    # A frame of a software adapter takes as long as it takes; it hangs nowhere.
    "--disable-gpu-watchdog",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
    "--hide-scrollbars",
    "--mute-audio",
    "--no-first-run",
    "--no-default-browser-check",
)

#: Becomes the browser, with its two pipes as descriptors 3 and 4.
LAUNCH = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

READ_SIZE = 1 << 20

#: Seconds until the browser has started, and for one of its answers unless told otherwise.
START_SECONDS = 60.0


def browser_path() -> str | None:
    """Returns the path of an installed Chromium or Chrome; None if there is none."""
    found = (shutil.which(name) for name in NAMES)
    return next((path for path in (*found, *PLACES) if path and Path(path).is_file()), None)


def can_contain() -> bool:
    """Whether the browser's own sandbox can run, which somebody else's script needs.

    It refuses to start as root.
    """
    return not hasattr(os, "geteuid") or os.geteuid() != 0


class Browser:
    """A browser with one page; a context manager that ends it.

    Attributes:
        messages: what the page and the browser complained about so far.
        requests: addresses that pages asked for, apart from data inside them.
    """

    def __init__(self, flags: tuple[str, ...] = (), *, reach: str = "") -> None:
        """Starts the browser.

        Args:
            flags: of its command line, besides those that it needs here.
            reach: host that pages can reach; no host at all if empty, addresses included.

        Raises:
            BundleError: none is installed, or it does not start.
        """
        path = browser_path()
        if path is None:
            raise BundleError("Chromium is not installed; install it, or Chrome")
        self.messages: list[str] = []
        self.requests: list[str] = []
        self._profile = tempfile.TemporaryDirectory(prefix="mnelf-", ignore_cleanup_errors=True)
        self._number = 0
        self._answers: dict[int, dict[str, Any]] = {}
        self._rest = b""
        commands_out, commands_in = os.pipe()
        answers_out, answers_in = os.pipe()
        self._write, self._read = commands_in, answers_out
        hosts = "MAP * ~NOTFOUND" + (f", EXCLUDE {reach}" if reach else "")
        sandbox = () if can_contain() else ("--no-sandbox",)
        self._log = (Path(self._profile.name) / "log").open("w+b")
        # Out of the way of 3 and 4, where Chromium expects them.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands_out, answers_in)]
        command = [
            path,
            *FLAGS,
            *sandbox,
            *flags,
            f"--host-resolver-rules={hosts}",
            f"--user-data-dir={self._profile.name}/profile",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", LAUNCH, *map(str, ends), *command, "about:blank"],
            pass_fds=ends,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._log,
            start_new_session=True,
        )
        for end in (commands_out, answers_in, *ends):
            os.close(end)
        self._session = ""
        try:
            targets = self.command("Target.getTargets", seconds=START_SECONDS)["targetInfos"]
            page = next(target for target in targets if target["type"] == "page")
            attached = self.command(
                "Target.attachToTarget", targetId=page["targetId"], flatten=True
            )
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network"):
                self.command(f"{domain}.enable")
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Browser:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Ends the browser."""
        self.close()

    def close(self) -> None:
        """Ends the browser and removes its profile."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for descriptor in (self._write, self._read):
            if descriptor >= 0:
                os.close(descriptor)
        self._write = self._read = -1
        self._log.close()
        self._profile.cleanup()

    def open(self, address: str) -> None:
        """Goes to an address and does not wait for its scripts.

        Raises:
            BundleError: the page cannot be loaded.
        """
        answer = self.command("Page.navigate", url=address)
        if answer.get("errorText"):
            raise BundleError(f"{address}: cannot be opened ({answer['errorText']})")

    def evaluate(self, expression: str, seconds: float = 60.0) -> Any:
        """Returns the value of an expression in the page, once its promise is kept.

        Raises:
            BundleError: it threw, or took longer than `seconds`.
        """
        answer = self.command(
            "Runtime.evaluate",
            seconds=seconds,
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            text = details.get("exception", {}).get("description") or details["text"]
            raise BundleError(f"the page failed: {text}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60.0) -> Any:
        """Returns the value of an expression as soon as it is true.

        Raises:
            BundleError: it did not become true within `seconds`.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = self.evaluate(expression, seconds)
            if value:
                return value
            time.sleep(0.05)
        complaints = "; ".join(self.messages[-3:]) or "no message"
        raise BundleError(f"the page did not get to {expression} in {seconds:g} s ({complaints})")

    def command(self, method: str, *, seconds: float = 60.0, **parameters: Any) -> dict[str, Any]:
        """Sends a command of the protocol and returns its result.

        Raises:
            BundleError: the browser refused it, ended, or took longer than `seconds`.
        """
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if getattr(self, "_session", ""):
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        try:
            while data:
                data = data[os.write(self._write, data) :]
        except OSError as error:
            raise BundleError(f"the browser ended: {self._last_words()}") from error
        end = time.monotonic() + seconds
        while self._number not in self._answers:
            self._receive(method, end)
        answer = self._answers.pop(self._number)
        if "error" in answer:
            raise BundleError(f"the browser refused {method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _receive(self, method: str, end: float) -> None:
        ready, _, _ = select.select([self._read], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise BundleError(f"the browser did not answer {method} in time")
        data = os.read(self._read, READ_SIZE)
        if not data:
            raise BundleError(f"the browser ended: {self._last_words()}")
        *whole, self._rest = (self._rest + data).split(b"\0")
        for part in whole:
            message = parse_json(part, finite=False)
            if "id" in message:
                self._answers[message["id"]] = message
            else:
                self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        method, parameters = event["method"], event.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            text = details.get("exception", {}).get("description") or details["text"]
            self.messages.append(text)
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.messages.append(parameters["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            address = parameters["request"]["url"]
            if not address.startswith("data:"):
                self.requests.append(address)

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        told = [line for line in lines if "dbus" not in line]
        return told[-1] if told else "it said nothing"
