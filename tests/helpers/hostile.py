"""Seeded damage to files of any kind, and what people who mean harm write into them."""

from __future__ import annotations

import io
import json
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["mutate"]

#: What no reader expects, as JSON text.
HOSTILE_JSON = (
    "NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1" + "0" * 400, "1" * 5000, "-1", "0",
    "0.0", "5e-324", "1e300", "-1e300", "1e-300", "2147483648", "9223372036854775808", "19000",
    "1000000", '""', '"a\\u0000b"', '"\\ud800"', '"../../etc/passwd"', '"/dev/zero"', "null",
    "true", "[]", "{}", "[[]]", "[" * 300 + "]" * 300, "[" * 100_000,
    '{"a":' * 300 + "1" + "}" * 300,
    '"' + "x" * 100_000 + '"', "[" + "8," * 18_999 + "8]", "[null]", '"NaN"', "1.5", "[1e400]",
)  # fmt: skip
HOSTILE_WORDS = (
    "", "nan", "inf", "-inf", "1e400", "-1", "0", "5e-324", "1e300", "9" * 400, "99999999999",
    "\0", "é", "[" * 2000, "{" * 2000, "&a", "*a", "!!python/object/apply:os.system", "'", '"',
)  # fmt: skip
HOSTILE_HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "1," * 200 + "), }",
    "{'descr': '<U9999', 'fortran_order': True, 'shape': (1,), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': 'x', }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (1e400,), }",
    "[" * 900,
    "(" * 900,
    "-" * 900 + "1",
    "__import__('os').system('true')",
    "{'descr': '<f4'}",
    "{1: 2",
)
NUMBERS = (0, 1, 255, 2**15, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1)
WORD = re.compile(r"[^\s\"',:{}\[\]]+")

Edit = Callable[[random.Random, bytes], bytes]


def _flip(rng: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def _truncate(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _insert(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + rng.randbytes(rng.randint(1, 40)) + content[start:]


def _number(rng: random.Random, content: bytes) -> bytes:
    size = rng.choice((1, 2, 4, 8))
    start = rng.randrange(len(content) + 1)
    value = (rng.choice(NUMBERS) % 256**size).to_bytes(size, rng.choice(("little", "big")))
    return content[:start] + value + content[start + size :]


def _repeat(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content) + 1)
    piece = content[start : start + rng.choice((4, 64, 1024))]
    return content[:start] + piece * rng.choice((2, 10, 100)) + content[start:]


def _empty(rng: random.Random, content: bytes) -> bytes:
    return b""


def _value(rng: random.Random, content: bytes) -> bytes:
    """Another value somewhere in a JSON file, or a key less."""
    data = json.loads(content)
    places: list[tuple[Any, Any]] = []
    todo = [data]
    while todo:
        node = todo.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        places += [(node, key) for key in keys]
        todo += [node[key] for key in keys if isinstance(node[key], (dict, list))]
    node, key = rng.choice(places)
    if rng.random() < 0.15:
        del node[key]
        return json.dumps(data).encode()
    node[key] = "%hostile%"
    return json.dumps(data).replace('"%hostile%"', rng.choice(HOSTILE_JSON)).encode()


def _word(rng: random.Random, content: bytes) -> bytes:
    """Another word somewhere in a text."""
    text = content.decode()
    found = rng.choice(list(WORD.finditer(text)))
    word = rng.choice(HOSTILE_WORDS)
    changed = (text[: found.start()] + word + text[found.end() :]).encode()
    return changed.replace("é".encode(), b"\xe9") if rng.random() < 0.5 else changed


def _header(rng: random.Random, content: bytes) -> bytes:
    """Another header of a .npy file, in front of the same numbers."""
    header = rng.choice(HOSTILE_HEADERS).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + content[128:]


def _record(rng: random.Random, content: bytes) -> bytes:
    """Damage inside a torch file, under checksums that fit."""
    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(packed, "w") as new:
        entries = old.infolist()
        pickled = next(entry for entry in entries if entry.filename.endswith("data.pkl"))
        chosen = rng.choice([pickled, pickled, pickled, rng.choice(entries)])
        for entry in entries:
            data = old.read(entry)
            edit = rng.choice((_flip, _number, _insert, _truncate, _repeat))
            new.writestr(entry.filename, edit(rng, data) if entry is chosen else data)
    return packed.getvalue()


def _graph(rng: random.Random, content: bytes) -> bytes:
    """Another size, attribute, operator or name in an ONNX graph."""
    import onnx

    model = onnx.load_from_string(content)
    graph = model.graph
    value = rng.choice((0, -1, 1, 3, 2**20, 2**31 - 1, 2**40, 2**62))
    kind = rng.randrange(5)
    if kind == 0:
        dims = [
            d for info in (*graph.input, *graph.output) for d in info.type.tensor_type.shape.dim
        ]
        rng.choice(dims).dim_value = value
    elif kind == 1:
        tensor = rng.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[rng.randrange(len(tensor.dims))] = value
    elif kind == 2:
        ints = [a for node in graph.node for a in node.attribute if a.ints]
        attribute = rng.choice(ints)
        attribute.ints[rng.randrange(len(attribute.ints))] = value
    elif kind == 3:
        rng.choice(graph.node).op_type = rng.choice(("Loop", "If", "Foo", "Expand", "Range", "Add"))
    else:
        rng.choice(graph.node).input[0] = rng.choice(("nobody", "output", "", "a\0b", "x" * 10_000))
    return model.SerializeToString()


#: By the end of a file's name; bytes are damaged in all of them.
FITTING: dict[str, tuple[Edit, ...]] = {
    ".json": (_value,) * 9 + (_word,),
    ".npy": (_header,) * 3,
    ".pt": (_record,) * 6,
    ".tar": (_record,) * 6,
    ".teacher": (_record,) * 6,
    ".state": (_record,) * 6,
    ".onnx": (_graph,) * 5,
    ".txt": (_word,) * 6,
    ".meta": (_word,) * 3,
    ".scene": (_word,) * 3,
    ".esproj": (_word,) * 3,
    ".js": (_word,) * 3,
}
#: What is in bundles for people and for other programs.
UNREAD = (".md", ".html", ".swift", ".f32", "")
BYTES: tuple[Edit, ...] = (_flip, _truncate, _insert, _number, _repeat, _empty)


def mutate(folder: Path, seed: int) -> str:
    """Damages one file below a folder and says which and how."""
    rng = random.Random(seed)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    # Many files are photos, of which one is like the other.
    by_suffix: dict[str, list[Path]] = {}
    for file in (file for file in files if file.suffix not in UNREAD):
        by_suffix.setdefault(file.suffix, []).append(file)
    file = rng.choice(by_suffix[rng.choice(sorted(by_suffix))])
    name = file.relative_to(folder).as_posix()
    chance = rng.random()
    if chance < 0.02:
        file.unlink()
        return f"{name}: removed"
    if chance < 0.04:
        file.unlink()
        file.mkdir()
        return f"{name}: is a folder"
    if chance < 0.05:
        others = [path for path in files if path != file]
        if others:
            shutil.copy(rng.choice(others), file)
        return f"{name}: another file"
    edit = rng.choice(FITTING.get(file.suffix, ()) + BYTES)
    file.write_bytes(edit(rng, file.read_bytes()))
    return f"{name}: {edit.__name__}"
