"""Seeded mutations of a rendered Lens Studio project: what may happen to files, and what people do.

A mutation changes one file, two where it swaps, renames or copies. Kinds that edit look for what
they edit, so that a kind fits any project of ours, and pass where there is nothing to edit.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

__all__ = ["KINDS", "Mutation", "mutations"]

Files = dict[str, bytes]
#: Changed files by path, None where one is removed; or None if there is nothing to change.
Change = dict[str, bytes | None] | None

UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NIL = b"00000000-0000-0000-0000-000000000000"
NUMBER = re.compile(rb"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w.-])")
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:%064x\nsize 1234\n"


@dataclass(frozen=True)
class Mutation:
    """One changed project.

    Attributes:
        kind: what was done.
        changed: content by path of what differs; None where a file was removed.
    """

    kind: str
    changed: dict[str, bytes | None]

    def apply(self, files: Files) -> Files:
        """Returns the mutated files."""
        merged = {**files, **self.changed}
        return {path: content for path, content in merged.items() if content is not None}


def mutations(files: Files, others: Files, seeds: range) -> Iterator[Mutation]:
    """Yields one mutation a seed; kinds take turns.

    Args:
        files: of the project by path.
        others: models to put in the place of those in `files`, by what differs in them.
        seeds: which mutations.
    """
    names = sorted(KINDS)
    for seed in seeds:
        rng = random.Random(seed)
        # A kind that finds nothing to edit leaves its turn to the next one.
        for step in range(len(names)):
            kind = names[(seed + step) % len(names)]
            changed = KINDS[kind](rng, files, others)
            if changed and any(files.get(path) != content for path, content in changed.items()):
                yield Mutation(kind, changed)
                break


def _any(rng: random.Random, files: Files, pattern: str = "") -> str | None:
    paths = [path for path in sorted(files) if re.search(pattern, path)]
    return rng.choice(paths) if paths else None


def _delete(rng: random.Random, files: Files, others: Files) -> Change:
    return {_any(rng, files): None}


def _empty(rng: random.Random, files: Files, others: Files) -> Change:
    return {_any(rng, files): b""}


def _truncate(rng: random.Random, files: Files, others: Files) -> Change:
    path = _any(rng, files)
    return {path: files[path][: rng.randrange(max(len(files[path]), 1))]}


def _flip_bit(rng: random.Random, files: Files, others: Files) -> Change:
    path = _any(rng, files)
    content = bytearray(files[path])
    content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return {path: bytes(content)}


def _garbage(rng: random.Random, files: Files, others: Files) -> Change:
    path = _any(rng, files)
    start = rng.randrange(len(files[path]))
    noise = rng.randbytes(rng.randint(1, 40))
    return {path: files[path][:start] + noise + files[path][start + len(noise) :]}


def _copy(rng: random.Random, files: Files, others: Files) -> Change:
    path = _any(rng, files)
    folder, _, name = path.rpartition("/")
    return {f"{folder}/Copy of {name}": files[path]}


def _rename(rng: random.Random, files: Files, others: Files) -> Change:
    path = _any(rng, files)
    folder, _, name = path.rpartition("/")
    return {path: None, f"{folder}/X{name}": files[path]}


def _swap_files(rng: random.Random, files: Files, others: Files) -> Change:
    a, b = rng.sample(sorted(files), 2)
    return {a: files[b], b: files[a]}


def _lfs_pointer(rng: random.Random, files: Files, others: Files) -> Change:
    return {_any(rng, files): LFS_POINTER % rng.getrandbits(256)}


def _crlf(rng: random.Random, files: Files, others: Files) -> Change:
    path = _any(rng, files, r"\.(?:meta|scene|renderTarget|esproj|js)$")
    return {path: files[path].replace(b"\n", b"\r\n")}


def _byte_order_mark(rng: random.Random, files: Files, others: Files) -> Change:
    path = _any(rng, files, r"\.(?:meta|scene|renderTarget|esproj|js)$")
    return {path: b"\xef\xbb\xbf" + files[path]}


def _in_match(
    rng: random.Random,
    files: Files,
    where: str,
    pattern: bytes,
    edit: Callable[[re.Match[bytes]], bytes],
) -> Change:
    """Replaces one match of a pattern in one of the files whose path matches `where`."""
    path = _any(rng, files, where)
    found = list(re.finditer(pattern, files[path])) if path else []
    if not path or not found:
        return None
    match = rng.choice(found)
    content = files[path]
    return {path: content[: match.start()] + edit(match) + content[match.end() :]}


def _other_number(rng: random.Random, text: bytes) -> bytes:
    value = float(text)
    other = rng.choice(
        [value + 1, value * 2 + 1, -value - 1, value / 2 + 0.25, 0.0 if value else 3]
    )
    return b"%d" % other if b"." not in text else b"%.6f" % other


def _edit_number(where: str) -> Callable[[random.Random, Files, Files], Change]:
    def edit(rng: random.Random, files: Files, others: Files) -> Change:
        return _in_match(rng, files, where, NUMBER.pattern, lambda m: _other_number(rng, m[0]))

    return edit


def _edit_field(pattern: bytes) -> Callable[[random.Random, Files, Files], Change]:
    """Edits the number in group 1 of a line in the meta of a model."""

    def edit(rng: random.Random, files: Files, others: Files) -> Change:
        def change(match: re.Match[bytes]) -> bytes:
            return match[0].replace(match[1], _other_number(rng, match[1]))

        return _in_match(rng, files, r"\.onnx\.meta$", pattern, change)

    return edit


def _edit_tensor_name(rng: random.Random, files: Files, others: Files) -> Change:
    return _in_match(rng, files, r"\.onnx\.meta$", rb"(?m)^ +Name: \w+$", lambda m: m[0] + b"_2")


def _drop_normalisation(rng: random.Random, files: Files, others: Files) -> Change:
    return _in_match(rng, files, r"\.onnx\.meta$", rb" +- scale: .*\n +bias: .*\n", lambda m: b"")


def _toggle(where: str) -> Callable[[random.Random, Files, Files], Change]:
    def edit(rng: random.Random, files: Files, others: Files) -> Change:
        def other(match: re.Match[bytes]) -> bytes:
            return b"true" if match[0] == b"false" else b"false"

        return _in_match(rng, files, where, rb"\b(?:true|false)\b", other)

    return edit


def _edit_id(rng: random.Random, files: Files, others: Files) -> Change:
    def other(match: re.Match[bytes]) -> bytes:
        at = rng.choice([i for i, digit in enumerate(match[0]) if digit != ord("-")])
        digit = rng.choice([d for d in b"0123456789abcdef" if d != match[0][at]])
        return match[0][:at] + bytes([digit]) + match[0][at + 1 :]

    return _in_match(rng, files, r"\.(?:meta|scene|renderTarget|esproj)$", UUID.pattern, other)


def _clear_id(rng: random.Random, files: Files, others: Files) -> Change:
    return _in_match(
        rng, files, r"\.(?:meta|scene|renderTarget|esproj)$", UUID.pattern, lambda m: NIL
    )


def _swap_ids(rng: random.Random, files: Files, others: Files) -> Change:
    path = _any(rng, files, r"\.(?:meta|scene)$")
    found = sorted(set(UUID.findall(files[path])) - {NIL})
    if len(found) < 2:
        return None
    a, b = rng.sample(found, 2)
    swapped = {a: b, b: a}
    return {path: UUID.sub(lambda m: swapped.get(m[0], m[0]), files[path])}


def _borrow_id(rng: random.Random, files: Files, others: Files) -> Change:
    """An id of another file, as after copying lines from one file to another."""
    every = sorted({i for content in files.values() for i in UUID.findall(content)} - {NIL})
    return _in_match(
        rng, files, r"\.(?:meta|scene|esproj)$", UUID.pattern, lambda m: rng.choice(every)
    )


def _drop_line(where: str) -> Callable[[random.Random, Files, Files], Change]:
    def edit(rng: random.Random, files: Files, others: Files) -> Change:
        return _in_match(rng, files, where, rb"(?m)^.*\S.*\n", lambda m: b"")

    return edit


def _double_line(rng: random.Random, files: Files, others: Files) -> Change:
    where = r"\.(?:meta|scene|renderTarget|esproj|js)$"
    return _in_match(rng, files, where, rb"(?m)^.*\S.*\n", lambda m: m[0] * 2)


def _swap_model(rng: random.Random, files: Files, others: Files) -> Change:
    path = _any(rng, files, r"\.onnx$")
    return {path: others[rng.choice(sorted(others))]}


KINDS: dict[str, Callable[[random.Random, Files, Files], Change]] = {
    "byte order mark": _byte_order_mark,
    "clear id": _clear_id,
    "copy file": _copy,
    "delete file": _delete,
    "double line": _double_line,
    "drop line of project": _drop_line(r"\.(?:meta|scene|renderTarget|esproj)$"),
    "drop line of script": _drop_line(r"\.js$"),
    "drop normalisation": _drop_normalisation,
    "edit bias": _edit_field(rb"(?m)^ +bias: (\S+)$"),
    "edit constant of script": _edit_number(r"/Nelf\w*\.js$"),
    "edit contract": _edit_number(r"/NelfContract\.js$"),
    "edit id": _edit_id,
    "edit number": _edit_number(r"\.(?:meta|scene|renderTarget|esproj)$"),
    "edit scale": _edit_field(rb"(?m)^ +- scale: (\S+)$"),
    "edit shape": _edit_field(rb"Shape: .*\b[xyz]: (\d\S*?)[,}]"),
    "edit tensor name": _edit_tensor_name,
    "empty file": _empty,
    "flip bit": _flip_bit,
    "foreign id": _borrow_id,
    "garbage": _garbage,
    "pointer of Git LFS": _lfs_pointer,
    "rename file": _rename,
    "swap files": _swap_files,
    "swap ids": _swap_ids,
    "swap model": _swap_model,
    "toggle in meta of model": _toggle(r"\.onnx\.meta$"),
    "toggle in scene": _toggle(r"\.(?:scene|renderTarget)$"),
    "truncate": _truncate,
    "Windows line ends": _crlf,
}
