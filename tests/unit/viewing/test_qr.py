"""QR codes, read back by the standard's own rules."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from mobile_nelf.viewing.qr import CAPACITY, qr_matrix, qr_text

#: SHA-256 of a code that OpenCV's reader, which is no part of the tests, decoded.


def _is_function(y: int, x: int, size: int) -> bool:
    """Whether a module belongs to a pattern and not to the data."""
    corner = (y < 9 and x < 9) or (y < 9 and x >= size - 8) or (y >= size - 8 and x < 9)
    aligned = size > 21 and abs(y - (size - 7)) <= 2 and abs(x - (size - 7)) <= 2
    return corner or aligned or y == 6 or x == 6


def _words(matrix: list[list[bool]]) -> list[int]:
    size = len(matrix)
    bits = []
    columns = [x for x in range(size) if x != 6]
    pairs = [columns[at : at + 2] for at in range(0, len(columns), 2)]
    for index, pair in enumerate(reversed(pairs)):
        rows = range(size)
        for y in reversed(rows) if index % 2 == 0 else rows:
            for x in reversed(pair):
                if not _is_function(y, x, size):
                    bits.append(matrix[y][x] ^ ((x + y) % 2 == 0))
    return [
        int("".join(map(str, map(int, bits[at : at + 8]))), 2) for at in range(0, len(bits) - 7, 8)
    ]


def _times(a: int, b: int) -> int:
    product = 0
    while b:
        if b & 1:
            product ^= a
        a <<= 1
        if a > 255:
            a ^= 0x11D
        b >>= 1
    return product


@pytest.mark.parametrize("length", [1, 17, 18, 32, 33, 53, 54, 78, 79, 106])
def test_a_code_says_what_it_was_given(length):
    text = ("http://192.168.178.123:54321/" * 4)[:length]
    matrix = qr_matrix(text)
    version = (len(matrix) - 17) // 4
    words = _words(matrix)[: sum(CAPACITY[version - 1])]
    data = words[: CAPACITY[version - 1][0]]
    bits = "".join(f"{word:08b}" for word in data)
    assert bits[:4] == "0100"
    assert int(bits[4:12], 2) == length
    content = bytes(int(bits[at : at + 8], 2) for at in range(12, 12 + 8 * length, 8))
    assert content.decode() == text
    # A word of the code is zero at each root of its generator.
    root = 1
    for _ in range(CAPACITY[version - 1][1]):
        value = 0
        for word in words:
            value = _times(value, root) ^ word
        assert value == 0
        root = _times(root, 2)


def test_a_code_is_as_a_reader_took_it():
    rows = qr_matrix("http://192.168.1.23:8000/")
    drawn = "\n".join("".join("#" if dark else "." for dark in row) for row in rows)
    assert (
        hashlib.sha256(drawn.encode()).hexdigest()
        == "d9134ddfc99bcd1dcf5568922d8a53a6fa3f73157d46003b2365cbb66a65429e"
    )


@pytest.mark.parametrize("length", [1, 25, 54, 80, 106])
def test_another_reader_reads_it(length):
    """Of a picture as a phone sees it: large modules, light all around."""
    reader = pytest.importorskip("zxingcpp")
    text = ("https://192.168.178.123:54321/" * 4)[:length]
    dark = np.array(qr_matrix(text))
    picture = np.where(np.kron(np.pad(dark, 4), np.ones((6, 6))), 0, 255).astype(np.uint8)
    (found,) = reader.read_barcodes(picture)
    assert found.text == text


def test_a_terminal_shows_two_rows_a_line():
    lines = qr_text("a").splitlines()
    assert len(lines) == 13
    assert {len(line) for line in lines} == {25}
    assert lines[0] == "█" * 25


def test_long_texts_are_refused():
    with pytest.raises(ValueError, match="107 bytes"):
        qr_matrix("a" * 107)
