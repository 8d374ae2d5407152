"""The zip file that `torch.save` writes, opened with nothing in it trusted.

What the zip directory promises is checked before a record is read, so that a small file cannot ask
for large memory.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mobile_nelf.errors import CheckpointError, require
from mobile_nelf.file_kinds import HEAD_BYTES, wrong_kind

__all__ = ["TorchArchive", "open_archive"]

#: Every tensor, buffer and parameter has a record; a D60 student with optimizer has 1,900.
MAX_RECORDS = 100_000
#: The pickle holds structure and no weights: 0.25 MB for a D60 student with module and optimizer.
MAX_PICKLE_BYTES = 4 * 2**20

#: Damage shows in zipfile as any of these, depending on the byte that is wrong.
_ZIP_ERRORS = (zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError, struct.error)
_ENCRYPTED = 0x1
_PICKLE = "data.pkl"
_EXPECTED = "expected a checkpoint that torch.save wrote"
#: First bytes of files that people give by mistake, and what to do then.
_KINDS = (
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", "is in the format of torch before 1.6; load it "
     "with weights_only=True and save it again with a newer torch"),
    (b"\x80", "is a bare pickle; save the state dict with torch.save"),
    (b"\x89PNG", "is a PNG picture"),
    (b"\xff\xd8\xff", "is a JPEG picture"),
    (b"\x1f\x8b", "is a gzip file; unpack it first"),
    (b"\x89HDF", "is an HDF5 file"),
    (b"\x93NUMPY", "is a NumPy array"),
)  # fmt: skip


class TorchArchive:
    """The records of one open file, under the names that `torch.save` gives them.

    Attributes:
        path: of the file, for messages.
    """

    def __init__(self, path: Path, zip_file: zipfile.ZipFile) -> None:
        """Checks the directory of the zip and finds the pickle.

        Raises:
            CheckpointError: the directory is not one that `torch.save` writes.
        """
        self.path = path
        self._zip = zip_file
        entries = zip_file.infolist()
        self._check_directory(entries)
        prefixes = [
            entry.filename.removesuffix(_PICKLE)
            for entry in entries
            if entry.filename.split("/")[1:] == [_PICKLE] or entry.filename == _PICKLE
        ]
        if len(prefixes) != 1:
            raise CheckpointError(f"{path}: is a zip without a {_PICKLE}; {_EXPECTED}")
        self._records = {
            entry.filename.removeprefix(prefixes[0]): entry
            for entry in entries
            if entry.filename.startswith(prefixes[0])
        }
        self._check_records()

    def _check_directory(self, entries: list[zipfile.ZipInfo]) -> None:
        if len(entries) > MAX_RECORDS:
            raise CheckpointError(
                f"{self.path}: lists {len(entries)} records, more than any student has "
                f"({MAX_RECORDS})"
            )
        if len({entry.filename for entry in entries}) != len(entries):
            raise CheckpointError(f"{self.path}: lists a record twice; {_EXPECTED}")
        if any(entry.flag_bits & _ENCRYPTED for entry in entries):
            raise CheckpointError(f"{self.path}: is an encrypted zip; {_EXPECTED}")
        # torch.save never compresses, so what comes out cannot be more than what is there. This
        # also finds directory entries that share one piece of the file.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise CheckpointError(
                f"{self.path}: is a compressed zip, torch.save stores records as they are; save it "
                "again with torch.save"
            )
        declared = sum(entry.file_size for entry in entries)
        size = self.path.stat().st_size
        if declared > size:
            raise CheckpointError(
                f"{self.path}: has {size} bytes and claims to hold {declared}; it is damaged or "
                "made to exhaust memory"
            )

    def _check_records(self) -> None:
        if "constants.pkl" in self._records:
            raise CheckpointError(
                f"{self.path}: is a TorchScript program, not weights; save the state dict of the "
                "network that was scripted"
            )
        size = self._records[_PICKLE].file_size
        if size > MAX_PICKLE_BYTES:
            raise CheckpointError(
                f"{self.path}: its {_PICKLE} has {size} bytes, more than the structure of any "
                f"student needs ({MAX_PICKLE_BYTES})"
            )
        if "byteorder" in self._records and self.read("byteorder") != b"little":
            raise CheckpointError(
                f"{self.path}: holds big-endian weights; save it again on a little-endian machine"
            )

    def pickle(self) -> bytes:
        """Returns the structure of the saved object, still pickled."""
        return self.read(_PICKLE)

    def size(self, name: str) -> int | None:
        """Returns the bytes of a record, None if there is no such record."""
        entry = self._records.get(name)
        return None if entry is None else entry.file_size

    def read(self, name: str) -> bytes:
        """Returns the content of an existing record.

        Raises:
            CheckpointError: the record is truncated or its checksum is wrong.
        """
        try:
            return self._zip.read(self._records[name])
        except _ZIP_ERRORS as error:
            raise _damaged(self.path) from error


@contextmanager
def open_archive(path: Path) -> Iterator[TorchArchive]:
    """Opens the file at `path`, whatever its extension.

    Raises:
        CheckpointError: it is not a zip that `torch.save` wrote; the message says what it is.
        InputError: there is no file at `path`.
    """
    require(path, "a checkpoint")
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            if not head.startswith(b"PK\x03\x04"):
                raise CheckpointError(f"{path}: {_kind(head, path.name)}")
            file.seek(0)
            try:
                zip_file = zipfile.ZipFile(file)
            except _ZIP_ERRORS as error:
                raise _damaged(path) from error
            with zip_file:
                yield TorchArchive(path, zip_file)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror or error}") from error


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(f"{path}: is truncated or damaged; copy or download it again")


def _kind(head: bytes, name: str) -> str:
    """Says what a file that starts with `head` is."""
    if not head:
        return f"is empty, {_EXPECTED}"
    if known := wrong_kind(head, name):
        return f"{known}; {_EXPECTED}"
    for magic, kind in _KINDS:
        if head.startswith(magic):
            return f"{kind}; {_EXPECTED}"
    if head[257:262] == b"ustar":
        return (
            "is a tar archive (torch before 0.4 wrote such files); unpack it, or save the state "
            f"dict again with a newer torch; {_EXPECTED}"
        )
    # An ONNX file is a protobuf: field 1 (IR version, a small integer), then a string or the graph.
    if len(head) > 3 and head[0] == 0x08 and head[1] < 32 and head[2] in b"\x12\x1a\x22\x3a\x42":
        return f"looks like an ONNX model, {_EXPECTED}; `mnelf check` takes ONNX files"
    # A long text may be cut within a character, which takes four bytes at most.
    if all(byte >= 32 or byte in b"\t\n\r" for byte in head) and _is_text(head):
        return f"is a text file, {_EXPECTED}"
    return f"is of an unknown kind, {_EXPECTED}"


def _is_text(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 4
    return True
