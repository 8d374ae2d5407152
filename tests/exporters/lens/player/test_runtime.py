"""The stand-in for Lens Studio: order of events, scripts, the process that they run in."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

import mobile_nelf_exporters
from mobile_nelf.errors import BundleError, MissingToolError
from mobile_nelf_exporters.lens.guesses import guesses
from mobile_nelf_exporters.lens.player import session as lens_session
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.runtime_projects import (
    BUILD,
    SCREEN,
    SIZE,
    error_of,
    open_lens,
    printed_by,
    runtime_project,
)
from tests.helpers.node import needs_node

#: For a machine that is busy; a process that nobody ends stays for good.
LONG_AFTER_SECONDS = 300.0


@needs_node
class TestOrder:
    def test_callbacks_come_after_build_and_not_inside(self):
        printed = printed_by(
            BUILD
            + """
        START(() => {
            const ml = build(() => print("ready"));
            print(ml.state === MachineLearning.ModelState.Loading);
        });"""
        )
        assert printed == ["true", "ready"]

    def test_scheduled_runs_take_their_place_in_the_frame(self):
        printed = printed_by(
            BUILD
            + """
        START(() => {
            for (const name of ["Update", "LateUpdate", "OnRender"]) {
                build((ml) => {
                    ml.onRunningFinished = () => print("ran at " + name);
                    ml.runScheduled(true, T[name], T[name]);
                });
            }
        });
        UPDATE(() => print("update"));
        script.createEvent("LateUpdateEvent").bind(() => print("late update"));"""
        )
        order = ["ran at Update", "update", "ran at LateUpdate", "late update", "ran at OnRender"]
        assert printed == order

    def test_a_run_that_does_not_recur_runs_once(self):
        main = (
            BUILD
            + """
        START(() => build((ml) => {
            ml.onRunningFinished = () => print("ran");
            ml.runScheduled(RECURRING, T.LateUpdate, T.LateUpdate);
        }));"""
        )
        assert printed_by(main.replace("RECURRING", "false"), 3) == ["ran"]
        assert printed_by(main.replace("RECURRING", "true"), 3) == ["ran"] * 3

    @pytest.mark.parametrize("end", ["ml.stop();", "ml.enabled = false;"])
    def test_what_was_stopped_does_not_run(self, end):
        main = (
            BUILD
            + """
        START(() => build((ml) => {
            ml.onRunningFinished = () => { print("ran"); END };
            ml.runScheduled(true, T.Update, T.Update);
        }));"""
        )
        assert printed_by(main.replace("END", end), 3) == ["ran"]

    def test_immediate_runs_are_over_on_the_next_line(self):
        printed = printed_by(
            BUILD
            + """
        START(() => build((ml) => {
            ml.onRunningFinished = () => print("ran");
            ml.runImmediate(true);
            print("next");
        }));"""
        )
        assert printed == ["ran", "next"]

    def test_two_components_do_not_share_data(self):
        printed = printed_by(
            BUILD
            + """
        START(() => build((a) => build((b) => {
            a.getInput("values").data[0] = 5;
            b.runImmediate(true);
            a.runImmediate(true);
            print(a.getOutput("all").data[0] + " " + b.getOutput("all").data[0]);
        })));""",
            2,
        )
        assert printed == ["5 0"]

    def test_time_passes_with_updates(self):
        main = """
        script.createEvent("UpdateEvent").bind((event) => {
            print([event.getDeltaTime(), getDeltaTime(), getTime()].join(" "));
        });"""
        with open_lens(main) as lens:
            lens.start()
            lens.update(0.25)
            lens.update(0.5)
            assert lens.printed == ["0.25 0.25 0.25", "0.5 0.5 0.75"]

    def test_costs_are_those_of_the_last_event(self):
        main = (
            BUILD
            + """
        let built = null;
        START(() => build((ml) => { built = ml; }));
        UPDATE(() => built.runImmediate(true));"""
        )
        with open_lens(main) as lens:
            lens.start()
            assert (lens.cost.runs, lens.cost.written_bytes) == (0, 0)
            for _ in range(2):
                lens.update()
                # The image comes from a texture, which no script writes.
                assert (lens.cost.runs, lens.cost.written_bytes) == (1, 4 * SIZE)
                assert lens.cost.model_seconds > 0 < lens.cost.script_seconds


@needs_node
class TestScripts:
    def test_inputs_come_from_the_scene_and_else_from_the_script(self):
        printed = printed_by(
            'print([script.size, script.count, script.title, script.loud].join("; "));'
            "print(script.nothing === null);"
        )
        assert printed == ["2; 7; a title; true", "true"]

    def test_inputs_that_nobody_declared_are_an_error(self):
        assert "script.colour is not documented" in error_of("script.colour;")

    def test_modules_are_common_js_and_run_once(self):
        printed = printed_by(
            'const a = require("./Part"), b = require("./Part.js");'
            'print((a === b) + " " + a.twice(4));',
            Part='print("once"); exports.twice = require("./Other");',
            Other="module.exports = (x) => 2 * x;",
        )
        assert printed == ["once", "true 8"]

    def test_modules_may_require_each_other(self):
        printed = printed_by(
            'print(require("./Part").name());',
            Part='exports.half = "there"; exports.name = require("./Other").name;',
            Other='const part = require("./Part"); exports.name = () => part.half;',
        )
        assert printed == ["there"]

    def test_modules_have_no_script(self):
        error = error_of('require("./Part");', Part="\n\nscript.getSceneObject();")
        assert "Assets/Part.js, line 3: script is not defined" in error

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("./Nobody", 'require("./Nobody") in Assets/Main.js: no such script'),
            ("Part", "only paths from ./ are simulated"),
            ("fs", "only paths from ./ are simulated"),
        ],
    )
    def test_what_cannot_be_required_is_named(self, name, said):
        assert said in error_of(f'require("{name}");', Part="")

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("nobody();", "nobody is not defined"),
            ("process.exit(0);", "process is not defined"),
            ("console.log(1);", "console is not defined"),
            ("const = 3;", "Unexpected token"),
            ('eval("1");', "Code generation from strings disallowed"),
            (
                'script.createEvent("HoverEvent");',
                "ScriptComponent.createEvent: HoverEvent is not simulated",
            ),
            ('script.createEvent("UpdateEvent").bind(3);', "UpdateEvent.bind takes a function"),
            ('global.scene.findObject("x");', "ScriptScene.findObject is not documented"),
            ("new vec3(1, 2);", "vec3: z is undefined"),
            ('throw new Error("of its own");', "of its own"),
        ],
    )
    def test_errors_say_where(self, line, said):
        error = error_of(f"\n{line}")
        # Below seven lines of declarations and an empty one.
        assert f"Assets/Main.js, line 9: {said}" in error

    @pytest.mark.parametrize("thrown", ["null", "'text'", "{a: 1}"])
    def test_what_is_no_error_can_be_thrown(self, thrown):
        assert "a script threw" in error_of(f"throw {thrown};")

    def test_errors_in_events_name_the_event(self):
        error = error_of("script.createEvent('UpdateEvent').bind(() => { undefined.x; });")
        assert error.startswith("the lens failed at update: Assets/Main.js, line 8: ")

    def test_printing_a_lot(self):
        assert len(printed_by('print("x".repeat(5e6));')[0]) == 5_000_000

    def test_disabled_components_get_no_events(self):
        main = "script.createEvent('UpdateEvent').bind(() => print('update'));"
        files = runtime_project(main)
        scene = files["Assets/Scene.scene"].decode()
        for old in ("Name: Child\n  Enabled: true", "Name: Root\n  Enabled: true"):
            changed = scene.replace(old, old.replace("true", "false"))
            assert changed != scene
            with LensSession(
                {**files, "Assets/Scene.scene": changed.encode()}, screen=SCREEN
            ) as lens:
                lens.start()
                lens.update()
                assert lens.printed == []


@needs_node
class TestProcess:
    def test_an_endless_loop_is_an_error(self, monkeypatch):
        monkeypatch.setattr(lens_session, "TIMEOUT_SECONDS", 0.5)
        begin = time.monotonic()
        assert "took longer than 0.5 s at open" in error_of("while (true) {}")
        assert time.monotonic() - begin < LONG_AFTER_SECONDS

    def test_a_process_that_ends_is_an_error(self):
        with open_lens("") as lens:
            lens._process.process.kill()
            lens._process.process.wait()
            with pytest.raises(BundleError, match=r"ended Node.js: .* at start"):
                lens.start()

    def test_closing_ends_the_process(self):
        with open_lens("") as lens:
            assert lens._process.process.poll() is None
        assert lens._process.process.poll() is not None
        lens.close()

    def test_dropping_a_session_ends_the_process(self):
        lens = open_lens("")
        process = lens._process.process
        del lens
        assert process.poll() is not None


def test_a_machine_without_node_is_told_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match=r"install Node.js 20 or later"):
        LensSession(runtime_project(), screen=SCREEN)


def test_every_guess_is_named_where_it_is_made():
    folder = Path(mobile_nelf_exporters.__file__).parent
    names = set(json.loads((folder / "lens/player/node/guesses.json").read_bytes()))
    sources = [
        *folder.glob("lens/**/*.py"),
        *folder.glob("lens/player/node/*.js"),
        folder / "onnx" / "runtime.py",
    ]
    named: set[str] = set()
    for path in sources:
        named |= set(re.findall(r"[Gg]uess `?([a-z]+(?:-[a-z]+)*)`?[.,:;]?\s", path.read_text()))
    assert len(guesses()) == len(names)
    assert names <= named
