"""Serves a page and its frames to browsers, from the standard library."""

from __future__ import annotations

import io
import ipaddress
import json
import socket
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from PIL import Image

from mobile_nelf.errors import InputError
from mobile_nelf.viewing.certificate import own_certificate
from mobile_nelf.viewing.shown import INDEX, NotReadyError, Shown

__all__ = ["Server"]

#: Where the page asks for what it cannot compute; see web_viewer/src/remote.js.
FRAME = "frame.jpg"
STATUS = "status.json"

#: Longest side of a frame that a request may ask for.
MAX_SIDE = 2048

JPEG_QUALITY = 85

#: Python's own table depends on the machine and lacks some; a browser refuses scripts by type.
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".png": "image/png",
}


class Server:
    """A server that runs until it is closed; a context manager.

    Attributes:
        url: where a browser on this machine finds the page.
        lan_url: where one on the same network does; empty if only this machine is served.
        fingerprint: SHA-256 of the certificate, as browsers show it; empty without https.
    """

    def __init__(
        self, shown: Shown, host: str = "127.0.0.1", port: int = 0, *, https: bool = False
    ) -> None:
        """Begins to listen, and answers once `serve` or `start` runs.

        Args:
            shown: what is served.
            host: address to listen at; 0.0.0.0 for every network of this machine.
            port: to listen at; any free one if 0.
            https: with a certificate that this machine makes for itself, of which browsers warn.

        Raises:
            InputError: the address cannot be used.
            MissingToolError: https needs a tool that is not installed.
        """
        local = _is_loopback(host)
        handler = _handler(shown, local)
        try:
            self._server = _HTTPServer((host, port), handler)
        except (OSError, OverflowError) as error:
            raise InputError(
                f"{host}:{port}: cannot be listened at ({error}); choose another port, or 0 for "
                "any free one",
                arguments=["port"],
            ) from error
        number = self._server.server_address[1]
        own = "localhost" if host in ("0.0.0.0", "127.0.0.1") else host
        near = "" if local else _lan_address(host)
        self.fingerprint = ""
        if https:
            try:
                context, self.fingerprint = own_certificate(list(dict.fromkeys([own, near or own])))
            except BaseException:
                self._server.server_close()
                raise
            # Shaking hands is left to the thread of each connection: one that is slow, or does not
            # trust the certificate, keeps nobody waiting.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "https" if https else "http"
        self.url = f"{scheme}://{own}:{number}/"
        self.lan_url = near and f"{scheme}://{near}:{number}/"
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Server:
        """Returns itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stops."""
        self.close()

    def serve(self) -> None:
        """Answers until the program is interrupted."""
        self._server.serve_forever()

    def start(self) -> None:
        """Answers in a thread of its own, until `close`."""
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stops answering."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _HTTPServer(ThreadingHTTPServer):
    """Ends with the program, and says nothing of browsers that go away."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tells of faults of this program alone."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _handler(shown: Shown, local: bool) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        """Answers GET alone, from memory."""

        def do_GET(self) -> None:
            """Answers with a file or a frame."""
            # A page of somebody else could point a name of its own at this machine.
            if local and not _is_loopback((self.headers.get("host") or "").rpartition(":")[0]):
                self._answer(HTTPStatus.FORBIDDEN, b"unknown host", "text/plain")
                return
            address = urlsplit(self.path)
            path = address.path.lstrip("/") or INDEX
            if path == FRAME and shown.frame is not None:
                self._frame(parse_qs(address.query))
            elif path == STATUS and shown.status is not None:
                self._answer(HTTPStatus.OK, json.dumps(shown.status()).encode(), TYPES[".json"])
            elif path in shown.files:
                kind = TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")
                self._answer(HTTPStatus.OK, shown.files[path], kind)
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"not found", "text/plain")

        def _frame(self, query: dict[str, list[str]]) -> None:
            assert shown.frame is not None
            try:
                pose = np.array([float(x) for x in query["pose"][0].split(",")]).reshape(3, 4)
                width, height = int(query["width"][0]), int(query["height"][0])
                good = np.isfinite(pose).all() and min(width, height) >= 1
                if not good or max(width, height) > MAX_SIDE:
                    raise ValueError
            except (KeyError, ValueError):
                self._answer(HTTPStatus.BAD_REQUEST, b"no such frame", "text/plain")
                return
            try:
                with lock:  # one at a time; the model and the processor are shared
                    picture = shown.frame(pose, width, height)
            except NotReadyError:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"not ready", "text/plain")
                return
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "JPEG", quality=JPEG_QUALITY)
            self._answer(HTTPStatus.OK, buffer.getvalue(), "image/jpeg")

        def _answer(self, status: HTTPStatus, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing; a line for each frame helps nobody."""

    return Handler


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _lan_address(host: str) -> str:
    """The address of this machine on its network."""
    if host != "0.0.0.0":
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing; the system only chooses the way that a packet would take.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()
