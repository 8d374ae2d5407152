"""What the viewer's server answers, over real connections."""

from __future__ import annotations

import hashlib
import http.client
import io
import shutil
import socket
import ssl

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.errors import InputError, MissingToolError
from mobile_nelf.viewing import Server, Shown
from mobile_nelf.viewing.shown import NotReadyError

POSE = ",".join(str(float(k)) for k in range(12))


def _frame(pose, width, height):
    assert pose.shape == (3, 4)
    return np.full((height, width, 3), int(pose[2, 3]) * 20, np.uint8)


@pytest.fixture(scope="module")
def server():
    files = {"index.html": b"<p>page", "weights.bin": b"\0\1", "a/b.js": b"1"}
    with Server(Shown("thing", files, _frame)) as running:
        running.start()
        yield running


def _get(server, path, host=None):
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.split(":")[2][:-1]))
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer, content


@pytest.mark.parametrize(
    ("path", "kind", "content"),
    [
        ("/", "text/html; charset=utf-8", b"<p>page"),
        ("/index.html?noui", "text/html; charset=utf-8", b"<p>page"),
        ("/weights.bin", "application/octet-stream", b"\0\1"),
        ("/a/b.js", "text/javascript; charset=utf-8", b"1"),
    ],
)
def test_files_come_with_their_type(server, path, kind, content):
    answer, found = _get(server, path)
    assert (answer.status, answer.headers["content-type"], found) == (200, kind, content)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/none", "/../etc/passwd", "/a", "//index.html/.."])
def test_nothing_else_is_served(server, path):
    assert _get(server, path)[0].status == 404


def test_frames_are_rendered(server):
    answer, content = _get(server, f"/frame.jpg?width=7&height=5&pose={POSE}")
    assert answer.headers["content-type"] == "image/jpeg"
    picture = np.asarray(Image.open(io.BytesIO(content)))
    assert picture.shape == (5, 7, 3)
    assert np.abs(picture.astype(int) - 220).max() <= 2


@pytest.mark.parametrize(
    "query",
    [
        "",
        "width=7&height=5&pose=1,2",
        f"width=0&height=5&pose={POSE}",
        f"width=7&height=99999&pose={POSE}",
        f"width=x&height=5&pose={POSE}",
        f"width=7&height=5&pose=nan,{POSE[4:]}",
    ],
)
def test_frames_that_make_no_sense_are_refused(server, query):
    assert _get(server, f"/frame.jpg?{query}")[0].status == 400


def test_names_of_others_are_refused(server):
    """A page of somebody else may point a name of its own at this machine."""
    assert _get(server, "/", host="evil.example:80")[0].status == 403
    assert _get(server, "/", host="localhost:80")[0].status == 200
    assert _get(server, "/", host="[::1]:80")[0].status == 200


def test_a_page_without_frames_has_none():
    with Server(Shown("thing", {"index.html": b""})) as plain:
        plain.start()
        assert _get(plain, f"/frame.jpg?width=7&height=5&pose={POSE}")[0].status == 404


def test_a_network_is_served_under_its_address():
    with Server(Shown("thing", {"index.html": b"x"}), host="0.0.0.0") as open_to_all:
        open_to_all.start()
        assert open_to_all.lan_url.startswith("http://")
        assert "0.0.0.0" not in open_to_all.lan_url
        assert _get(open_to_all, "/", host="192.168.1.2:80")[0].status == 200


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_https_shows_the_certificate_that_was_told():
    with Server(Shown("thing", {"index.html": b"page"}), host="0.0.0.0", https=True) as server:
        server.start()
        assert server.url.startswith("https://localhost:")
        port = int(server.url.split(":")[2][:-1])
        # Somebody who shakes no hands keeps nobody waiting.
        with socket.create_connection(("127.0.0.1", port)):
            own = ssl.get_server_certificate(("127.0.0.1", port))
            content = ssl.PEM_cert_to_DER_cert(own)
            assert server.fingerprint == hashlib.sha256(content).digest().hex(":").upper()
            trusting = ssl.create_default_context(cadata=own)
            for name in ("localhost", server.lan_url.split("/")[2].split(":")[0]):
                with (
                    socket.create_connection(("127.0.0.1", port)) as plain,
                    trusting.wrap_socket(plain, server_hostname=name) as safe,
                ):
                    safe.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
                    answer = b"".join(iter(lambda: safe.recv(1 << 16), b""))
                assert answer.endswith(b"page")


@pytest.mark.parametrize(
    ("script", "expected"),
    [(None, "which is not installed"), ("echo too old >&2; exit 1", r"failed .*\(too old\)")],
)
def test_without_openssl_there_is_no_https(tmp_path, monkeypatch, script, expected):
    if script is not None:
        (tmp_path / "openssl").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "openssl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=expected) as caught:
        Server(Shown("thing", {}), https=True)
    assert caught.value.arguments == ("https",)


def test_a_picture_that_is_not_there_yet_can_be_asked_for_again():
    def frame(pose, width, height):
        raise NotReadyError

    with Server(Shown("thing", {}, frame, lambda: {"step": 3})) as server:
        server.start()
        assert _get(server, f"/frame.jpg?width=7&height=5&pose={POSE}")[0].status == 503
        answer, content = _get(server, "/status.json")
        assert (answer.headers["content-type"], content) == ("application/json", b'{"step": 3}')


def test_a_port_in_use_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"127.0.0.1:{port}: cannot be listened at"):
            Server(Shown("thing", {}), port=port)
