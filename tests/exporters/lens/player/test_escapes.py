"""Scripts of a lens reach no file, process or network, and cannot outgrow their limits."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from mobile_nelf.errors import BundleError, MissingToolError
from mobile_nelf_exporters.lens.player import process as lens_process
from mobile_nelf_exporters.lens.player import session as lens_session
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.escapes import ESCAPES, PRELUDE, armed
from tests.helpers.lens.runtime_projects import BUILD, SCREEN, error_of, open_lens, runtime_project
from tests.helpers.memory import watch
from tests.helpers.node import needs_node

pytestmark = needs_node

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's limits are Linux's")

#: A child that an escape starts has this long to leave its mark.
CHILD_SECONDS = 0.1
#: Scripts that hang are ended after this many seconds in these tests, at least a start of Node.js
#: later.
SOON = 2.5
LONG_AFTER = 60.0


def _use(main: str, **modules: str) -> str:
    """Goes through every phase of a lens; returns its error, if any."""
    try:
        with open_lens(main, **modules) as lens:
            for use in (
                lens.start,
                lens.update,
                lambda: lens.touch("start", 0, 0.5, 0.5),
                lambda: lens.touch("end", 0, 0.5, 0.5),
                lens.update,
            ):
                use()
    except BundleError as error:
        return str(error)
    return ""


def _living(mark: Path) -> list[str]:
    """Processes that have the mark among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(mark).encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


@pytest.mark.parametrize("name", ESCAPES)
def test_escapes_leave_no_mark(name, tmp_path, monkeypatch):
    monkeypatch.setattr(lens_session, "TIMEOUT_SECONDS", LONG_AFTER)
    mark = tmp_path / "mark"
    main, modules = armed(name, mark)
    error = _use(main, **modules)
    assert "is not defined" not in error, "the escape itself is broken"
    assert "took longer" not in error, "the escape did not come to its end"
    time.sleep(CHILD_SECONDS)
    assert not mark.exists()
    assert not _living(mark)


def test_there_are_enough_of_them():
    assert len(ESCAPES) >= 20


#: A context of `vm` into which functions of the host went, as this runtime had it once.
PLAIN_VM = """
const vm = require("vm");
const context = vm.createContext({ print: (text) => text, require: (name) => name,
    vec3: class { constructor(x) { this.x = x; } } },
    { codeGeneration: { strings: false, wasm: false } });
vm.compileFunction(require("fs").readFileSync(0, "utf8"), [], { parsingContext: context })();
"""


@pytest.mark.parametrize("seen", ["print", "require", "vec3", "globalThis", "new vec3(1)"])
def test_they_do_where_objects_of_the_host_come_in(seen, tmp_path):
    mark = tmp_path / "mark"
    head = f"const MARK = {json.dumps(str(mark))};{PRELUDE}"
    script = head.replace("sleep 60", "true") + f"every({seen});"
    subprocess.run(["node", "-e", PLAIN_VM], input=script.encode(), check=True)
    deadline = time.monotonic() + LONG_AFTER
    while _text(mark) != "escaped" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _text(mark) == "escaped"


def _text(mark: Path) -> str:
    return mark.read_text().strip() if mark.exists() else ""


ENDLESS = "for (;;) {}"


@pytest.mark.parametrize(
    ("main", "phase"),
    [
        (ENDLESS, "open"),
        ('require("./Part");', "open"),
        (f"print({{ toString() {{ {ENDLESS} }} }});", "open"),
        (f"throw {{ get message() {{ {ENDLESS} }} }};", "open"),
        (f"Object.prototype.toJSON = () => {{ {ENDLESS} }};", "open"),
        (f"Error.prepareStackTrace = () => {{ {ENDLESS} }}; null.x;", "open"),
        (f"{BUILD} START(() => {{ {ENDLESS} }});", "start"),
        (f"{BUILD} START(() => build(() => {{ {ENDLESS} }}));", "start"),
        (f"{BUILD} UPDATE(() => {{ {ENDLESS} }});", "update"),
        (f"script.createEvent('TouchStartEvent').bind(() => {{ {ENDLESS} }});", "touch"),
        ("/^(a+)+$/.test('a'.repeat(60) + 'b');", "open"),
        ("new Array(2 ** 32 - 2).indexOf(1); [].concat(new Array(2 ** 31)).sort();", "open"),
    ],
)
def test_endless_loops_are_ended_in_every_phase(main, phase, monkeypatch):
    monkeypatch.setattr(lens_session, "TIMEOUT_SECONDS", SOON)
    begin = time.monotonic()
    error = _use(main, Part=ENDLESS)
    assert re.search(rf"took longer than {SOON} s at {phase}|ended Node.js", error)
    assert time.monotonic() - begin < LONG_AFTER


def test_time_is_counted_over_all_events(monkeypatch):
    monkeypatch.setattr(lens_session, "TIMEOUT_SECONDS", SOON)
    slow = "for (const end = Date.now() + 100; Date.now() < end;) {}"
    error = error_of(f"script.createEvent('UpdateEvent').bind(() => {{ {slow} }});", updates=60)
    assert f"took longer than {SOON} s at update" in error


def test_models_do_not_run_for_ever():
    endless = "for (;;) { ml.runImmediate(true); }"
    error = error_of(f"{BUILD} START(() => build((ml) => {{ {endless} }}));")
    assert f"ran its models more than {lens_process.MAX_RUNS} times at start" in error


@on_linux
@pytest.mark.parametrize(
    "main",
    [
        "const kept = []; for (;;) { kept.push(new Float64Array(3e7).fill(1)); }",
        "const kept = []; for (;;) { kept.push(new ArrayBuffer(2 ** 28)); "
        "new Uint8Array(kept[kept.length - 1]).fill(1); }",
        "const kept = []; for (;;) { kept.push({ a: kept.length }); }",
        "let text = 'x'; for (;;) { text += text; print(text); }",
        "const kept = []; for (let i = 0; ; i++) { kept.push('x'.repeat(1e6) + i); }",
        pytest.param("for (;;) { print('x'.repeat(1000)); }", marks=pytest.mark.slow),
    ],
)
def test_memory_is_bounded(main, monkeypatch):
    monkeypatch.setattr(lens_session, "TIMEOUT_SECONDS", LONG_AFTER)
    peaks: list[int] = []
    limit = lens_process.fence.limit

    def limit_and_watch(process: subprocess.Popen[bytes], **limits: float) -> None:
        limit(process, **limits)
        threading.Thread(target=watch, args=(process.pid, peaks)).start()

    monkeypatch.setattr(lens_process.fence, "limit", limit_and_watch)
    error = _use(f"script.createEvent('OnStartEvent').bind(() => {{ {main} }});")
    # What cannot be had is an error of the script, or the end of the process.
    assert error
    assert peaks
    assert max(peaks) < 1.3 * lens_process.MEMORY_BYTES


#: Runs in place of the loop of main.js, in its scope: what if a script got that far after all?
INSIDE = """
pipe.read();
const tried = {
    write: () => fs.writeFileSync(MARK, "escaped"),
    append: () => fs.appendFileSync(__filename, "//"),
    read: () => fs.readFileSync("/etc/passwd"),
    list: () => fs.readdirSync("/"),
    link: () => fs.symlinkSync("/etc/passwd", MARK),
    own: () => fs.readFileSync(__filename),
    spawn: () => { if (!require("child_process").spawn("sh", ["-c", "sleep 60", MARK],
        { detached: true, stdio: "ignore" }).pid) { throw new Error("no child"); } },
    exec: () => require("child_process").execSync("echo escaped > " + MARK),
    fork: () => require("child_process").fork(__filename),
    worker: () => new (require("worker_threads").Worker)("1", { eval: true }),
    listen: () => new (process.binding("tcp_wrap").TCP)(0),
    inspect: () => require("inspector").open(0),
    addon: () => process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6"),
    kill: () => process.kill(PARENT, "SIGUSR2"),
    debug: () => process._debugProcess(PARENT),
    evaluate: () => new Function("return 1")(),
    global: () => { if (typeof globalThis.process !== "undefined") { return; } throw new Error(); },
    environment: () => { if (Object.keys(process.env).length === 0) { throw new Error(); } },
    freedom: () => { Object.prototype.polluted = 1; if (!({}).polluted) { throw new Error(); } },
};
const done = [];
for (const [name, run] of Object.entries(tried)) {
    try { run(); done.push(name); } catch {}
}
const { Socket } = require("net");
new Socket().on("error", () => finish("")).connect(PORT, "127.0.0.1", () => finish("connect"));
function finish(more) { pipe.write("{}", JSON.stringify({ error: [...done, more].join(" ") })); }
"""


@on_linux
def test_the_process_has_no_rights_either(tmp_path, monkeypatch):
    mark = tmp_path / "mark"
    folder = tmp_path / "node"
    shutil.copytree(lens_session.RUNTIME, folder)
    monkeypatch.setattr(lens_session, "RUNTIME", folder)
    monkeypatch.setenv("SECRET", "of the user")
    got: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: got.append(number))
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            text = (folder / "main.js").read_text()
            assert text.endswith("serve(handle);\n")
            inside = (
                INSIDE.replace("MARK", json.dumps(str(mark)))
                .replace("PARENT", str(os.getpid()))
                .replace("PORT", str(server.getsockname()[1]))
            )
            (folder / "main.js").write_text(text.replace("serve(handle);\n", inside))
            with pytest.raises(BundleError) as caught:
                open_lens("")
    finally:
        signal.signal(signal.SIGUSR2, before)
    assert str(caught.value).strip() == "the lens failed at open:"
    assert not mark.exists()
    assert not _living(mark)
    assert got == []


def test_children_end_with_the_process(tmp_path):
    """The group is killed, whatever else held."""
    from mobile_nelf.fence import process as fence

    process = fence.start(["/bin/sh", "-c", "sleep 77 & echo on; wait"], tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == b"on\n"
    fence.end(process)
    deadline = time.monotonic() + LONG_AFTER
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)  # the kernel has yet to bury the child
    pytest.fail("a child is left")


def _node_that_says(version: str, tmp_path: Path, monkeypatch) -> None:
    fake = tmp_path / "node"
    fake.write_text(f"#!/bin/sh\necho {version}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)


def test_a_node_without_permissions_is_refused(tmp_path, monkeypatch):
    _node_that_says("v18.20.4", tmp_path, monkeypatch)
    with pytest.raises(MissingToolError, match=r"is Node.js 18.20, .* install Node.js 20 or later"):
        LensSession(runtime_project(), screen=SCREEN)


@pytest.mark.parametrize(
    ("version", "flag"),
    [
        ("v20.0.0", "--experimental-permission"),
        ("v22.12.0", "--experimental-permission"),
        ("v22.13.0", "--permission"),
        ("v23.4.0", "--experimental-permission"),
        ("v24.1.0", "--permission"),
    ],
)
def test_the_flag_is_that_of_the_version(version, flag, tmp_path, monkeypatch):
    from mobile_nelf_exporters.lens.player.node import node_command

    _node_that_says(version, tmp_path, monkeypatch)
    assert flag in node_command(tmp_path / "main.js")
