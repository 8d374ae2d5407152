"""Pickle programs written instruction by instruction."""

from __future__ import annotations

import pickle
import struct

import numpy as np


def text(value):
    data = value.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    data = pickle.encode_long(value)
    return b"\x8b" + struct.pack("<I", len(data)) + data


def name(module, attribute):
    return f"c{module}\n{attribute}\n".encode()


def group(*items):
    return b"(" + b"".join(items) + b"t"


def program(value):
    """The pickle of a dict with `value` under the key `x`."""
    return b"\x80\x02}" + text("x") + value + b"s."


FLOAT_STORAGE = name("torch", "FloatStorage")


def storage(*, tag="storage", kind=FLOAT_STORAGE, key="0", count=4):
    return group(text(tag), kind, text(key), text("cpu"), number(count)) + b"Q"


def tensor(of=None, *, offset=0, size=(4,), stride=(1,), pack=group):
    numbers = [pack(*map(number, values)) for values in (size, stride)]
    arguments = (storage() if of is None else of, number(offset), *numbers, b"\x89", b"}")
    return name("torch._utils", "_rebuild_tensor_v2") + group(*arguments) + b"R"


FLOATS = np.arange(4, dtype=np.float32).tobytes()
