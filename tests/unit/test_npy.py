"""`.npy` files from elsewhere, against NumPy's own writer."""

from __future__ import annotations

import io

import numpy as np
import pytest

from mobile_nelf.npy import MAX_NPY_BYTES, parse_npy
from tests.helpers.hostile import HOSTILE_HEADERS


def written(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize("dtype", ["<f4", ">f8", "<f2", "i1", "<u8", "?", ">i4"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4), (1, 0, 2)])
def test_what_numpy_writes_is_read(dtype, shape):
    array = (np.arange(np.prod(shape)) - 2).reshape(shape).astype(dtype)
    for stored in (array, np.asfortranarray(array)):
        found = parse_npy(written(stored))
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_every_version_of_the_format_is_read(version):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.eye(3), version=version)
    np.testing.assert_array_equal(parse_npy(buffer.getvalue()), np.eye(3))


def with_header(text: str, data: bytes = b"\0" * 12) -> bytes:
    return b"\x93NUMPY\1\0" + len(text).to_bytes(2, "little") + text.encode() + data


@pytest.mark.parametrize("text", HOSTILE_HEADERS, ids=lambda text: text[:60])
def test_hostile_headers_are_refused(text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (each has its own words)
        parse_npy(with_header(text))
    assert len(str(caught.value)) < 300


REFUSED = {
    b"": "is empty",
    b"\x93NUMPY": "of version 0",
    b"\x93NUMPY\x09\0aaaa": "of version 9",
    b"PK\x03\x04aaaaaaaa": "does not begin like one",
    b"\x80\x04." + b"\0" * 20: "does not begin like one",
    b"\x93NUMPY\1\0\xff\xff{": "cut off or damaged",
    written(np.eye(3))[:-1]: "holds 71 bytes, expected 72 of an array of shape [3, 3]",
    written(np.eye(3)) + b"\0": "holds 73 bytes, expected 72",
    written(np.array(["a"])): "holds elements of type '<U1', expected an array of numbers",
    written(np.array([1j])): "holds elements of type '<c16'",
    with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (True,)}"): "has the shape",
}


@pytest.mark.parametrize("content", REFUSED, ids=lambda content: repr(content[:12]))
def test_what_is_not_an_array_of_numbers_is_refused(content):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        parse_npy(content)
    assert REFUSED[content] in str(caught.value)


def test_objects_are_never_unpickled(tmp_path):
    class Mark:
        def __reduce__(self):
            return (open, (str(tmp_path / "mark"), "w"))

    with pytest.raises(ValueError, match=r"holds elements of type '\|O'"):
        parse_npy(written(np.array([Mark()], object)))
    assert not (tmp_path / "mark").exists()


def test_a_file_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="has more than"):
        parse_npy(bytes(MAX_NPY_BYTES + 1))
