"""Outputs that are whole or not there, wherever the process dies that writes them."""

from __future__ import annotations

import os
import platform
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mobile_nelf import atomic
from mobile_nelf.atomic import clear_leftovers, replace_folder, written_beside
from mobile_nelf.errors import OutputError
from mobile_nelf.locks import take
from tests.helpers.kills import content, dying
from tests.helpers.sphere import start

OLD = {"a": b"old", "inner/b": b"old"}
NEW = {"a": b"new", "inner/c": b"new", "d": b"new"}


def put(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def write_folder(folder: Path, ready: bool) -> None:
    if ready:
        replace_folder(folder / "ready", folder / "out")
        return
    with written_beside(folder / "out") as partial:
        put(partial, NEW)


def write_and_die(folder: Path, ready: bool, exchange: bool, step: int, trace: Path) -> None:
    with dying(folder, die_at=step, exchange=exchange, trace=trace):
        write_folder(folder, ready)


@pytest.mark.parametrize("ready", [False, True], ids=["written beside", "made before"])
@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "two renames"])
@pytest.mark.parametrize("there", [True, False], ids=["replaced", "new"])
def test_a_folder_is_old_or_new_wherever_its_process_dies(
    tmp_path: Path, ready: bool, exchange: bool, there: bool
) -> None:
    """Before each single change of a file. Only two renames may leave nothing, for a while."""
    trace = tmp_path / "trace"
    missing = step = 0
    code: int | None = -signal.SIGKILL
    while code == -signal.SIGKILL:
        step += 1
        folder = tmp_path / str(step)
        folder.mkdir()
        if there:
            put(folder / "out", OLD)
        if ready:
            put(folder / "ready", NEW)
        process = start(write_and_die, folder, ready, exchange, step, trace)
        process.join()
        code = process.exitcode
        missing += there and not (folder / "out").exists()
        clear_leftovers(folder)
        allowed = (OLD, NEW) if there else ({}, NEW)
        assert content(folder / "out") in allowed, step
        left = {path.name for path in folder.iterdir()} - {"out"}
        assert left <= ({"ready"} if ready else set()), step
    assert code == 0
    assert content(folder / "out") == NEW
    assert step > (3 if ready else 8)
    assert missing == (1 if there and not exchange else 0)


@pytest.mark.skipif(
    platform.system() not in ("Linux", "Darwin"),
    reason="only Linux and macOS have a call that exchanges two folders",
)
def test_this_system_exchanges_folders(tmp_path: Path) -> None:
    """Otherwise nothing here tests the exchange."""
    put(tmp_path / "one", OLD)
    put(tmp_path / "two", NEW)
    assert atomic._exchange(tmp_path / "one", tmp_path / "two")
    assert content(tmp_path / "one") == NEW
    assert not atomic._exchange(tmp_path / "one", tmp_path / "three")


def test_what_a_living_process_writes_stays(tmp_path: Path) -> None:
    with written_beside(tmp_path / "one") as partial:
        partial.write_bytes(b"one")
        clear_leftovers(tmp_path)
        with written_beside(tmp_path / "two") as other:
            other.write_bytes(b"two")
        assert partial.read_bytes() == b"one"
    assert content(tmp_path) == {"one": b"one", "two": b"two"}
    assert len(list(tmp_path.iterdir())) == 2


def test_folders_that_only_look_like_ours_stay(tmp_path: Path) -> None:
    for name in (".mnelf-0123456789abcdef", ".mnelf-notes", ".thing.abcdefgh"):
        put(tmp_path / name, {"thesis.txt": b"text"})
    clear_leftovers(tmp_path)
    assert len(content(tmp_path)) == 3


@pytest.fixture
def interrupted(tmp_path: Path) -> Iterator[Path]:
    put(tmp_path / "out", OLD)
    yield tmp_path
    assert content(tmp_path / "out") == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def write_and_raise(output: Path, error: type[BaseException]) -> None:
    with written_beside(output) as partial:
        put(partial, NEW)
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interruption_leaves_what_was_there(
    interrupted: Path, error: type[BaseException]
) -> None:
    with pytest.raises(error):
        write_and_raise(interrupted / "out", error)


def test_an_interruption_between_two_renames_puts_it_back(
    interrupted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path.rename

    def rename(self: Path, target: Path) -> Path:
        moved = whole(self, target)
        if self.name == "out" and target.parent.name == "old":
            raise KeyboardInterrupt
        return moved

    monkeypatch.setattr(atomic, "_exchange", lambda first, second: False)
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt), written_beside(interrupted / "out") as partial:
        put(partial, NEW)


def test_an_error_of_the_system_names_the_output(tmp_path: Path) -> None:
    message = r"nowhere/out: cannot be written \(No such file"
    with pytest.raises(OutputError, match=message):
        write_folder(tmp_path / "nowhere", False)


def test_others_can_read_a_new_folder(tmp_path: Path) -> None:
    """The folder beside it is private, what comes of it is as any other."""
    mask = os.umask(0o022)
    try:
        with written_beside(tmp_path / "out") as partial:
            put(partial, NEW)
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755


def test_a_lock_that_was_removed_meanwhile_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = take(path)
    with pytest.raises(BlockingIOError):
        take(path)
    path.unlink()
    second = take(path)  # another file of the same name
    with pytest.raises(BlockingIOError):
        take(path)
    first.close()
    second.close()
    take(path).close()
