"""Says what a file is that was given in place of another one."""

from __future__ import annotations

import re
from pathlib import PurePath

__all__ = ["HEAD_BYTES", "wrong_kind", "wrong_text"]

#: Bytes of a file that tell its kind.
HEAD_BYTES = 512

#: What files begin with, and what that means. White space before it does not count.
_STARTS = (
    (
        b"version https://git-lfs",
        "is a pointer of Git LFS and not the file itself; get the file with `git lfs pull`",
    ),
    (b"<!doctype html", "is a web page and not the file itself; download the file again"),
    (b"<html", "is a web page and not the file itself; download the file again"),
    (b"<?xml", "is an XML document, such as a server sends for an error; download the file again"),
)
_SOURCE = "give the checkpoint or the ONNX file that it was made from"
#: Names of files that are known by them alone.
_SUFFIXES = {
    ".dnn": f"is a model that its tool has imported (.dnn) and that only it reads; {_SOURCE}",
    ".mlmodel": f"is a compiled model of a phone (.mlmodel); {_SOURCE}",
    ".tflite": f"is a TensorFlow Lite model; {_SOURCE}",
}
#: The first and the last of the three markers that Git leaves in a text.
_MARKER = re.compile(rb"^<{7}(?: |$)", re.MULTILINE)
_MARKER_END = re.compile(rb"^>{7}(?: |$)", re.MULTILINE)


def wrong_kind(head: bytes, name: str = "") -> str:
    """Says what a file is and what to do, to be put after its path; empty if that is not known.

    Args:
        head: its first `HEAD_BYTES` bytes.
        name: of the file.
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, kind in _STARTS:
        if start.startswith(magic):
            return kind
    if head[4:8] == b"TFL3":
        return _SUFFIXES[".tflite"]
    return _SUFFIXES.get(PurePath(name).suffix.lower(), "")


def wrong_text(content: bytes) -> str:
    """Says why a text, such as JSON, cannot be read: as `wrong_kind`, or both sides of a merge."""
    marker = _MARKER.search(content)
    if marker is None or _MARKER_END.search(content, marker.end()) is None:
        return wrong_kind(content[:HEAD_BYTES])
    line = content.count(b"\n", 0, marker.start()) + 1
    return (
        f"holds merge markers of Git, the first in line {line}; take one of the two versions with "
        "`git checkout --ours` or `--theirs`"
    )
