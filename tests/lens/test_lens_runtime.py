"""The stand-in for Lens Studio, one rule after the other, in a project made by hand."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from lens.runtime_projects import CHANNELS, COLUMNS, ROWS, runtime_project

from mobile_nelf.errors import BundleError, MissingToolError
from mobile_nelf_exporters import lens_session
from mobile_nelf_exporters.lens_session import LensSession, guesses

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="lenses run in Node.js, and there is no `node` on PATH"
)

SCREEN = (6, 4)
SIZE = COLUMNS * ROWS * CHANNELS

#: Builds the model and calls `ready(ml)` once it is there.
BUILD = """
function build(ready) {
    const ml = script.getSceneObject().createComponent("Component.MLComponent");
    ml.model = script.model;
    ml.onLoadingFinished = () => ready(ml);
    ml.onLoadingFailed = (error) => print("failed: " + error);
    ml.build([]);
    return ml;
}
const START = (run) => script.createEvent("OnStartEvent").bind(run);
const UPDATE = (run) => script.createEvent("UpdateEvent").bind(run);
const T = MachineLearning.FrameTiming;
"""

#: Puts 0, 1, 2, … into the model, shows its picture, and runs it once.
DRAW = (
    BUILD
    + """
START(() => build((ml) => {
    const values = ml.getInput("values");
    for (let i = 0; i < values.data.length; i++) { values.data[i] = i / 100; }
    EDIT
    ml.onRunningFinished = () => {
        const control = script.getSceneObject().CAMERA.renderTarget.control;
        control.inputTexture = ml.getOutput("picture").texture;
        control.clearColorOption = ClearColorOption.CustomTexture;
    };
    ml.runImmediate(true);
}));
"""
)
TRANSFORMER = "Transformer: {stretch: true, flipX: false, flipY: false, rotation: None}"


def _camera_image() -> np.ndarray:
    """Large flat areas: what a texture of 3×2 has of it does not hang on the interpolation."""
    return np.full((SCREEN[1], SCREEN[0], 3), (51, 102, 204), np.uint8)


def _open(main: str, **modules: str) -> LensSession:
    return LensSession(
        runtime_project(main, **modules), screen=SCREEN, camera_image=_camera_image()
    )


def _printed(main: str, updates: int = 1, **modules: str) -> list[str]:
    """What a script prints when it is opened, at the start and in some frames."""
    with _open(main, **modules) as lens:
        lens.start()
        for _ in range(updates):
            lens.update()
        return lens.printed


def _error(main: str, updates: int = 1, **modules: str) -> str:
    with pytest.raises(BundleError) as caught:
        _printed(main, updates, **modules)
    return str(caught.value)


def _drawn(
    edit: str = "", camera_image: np.ndarray | None = None, **edits: tuple[str, str]
) -> np.ndarray:
    """The texture on the screen after `DRAW`, with edits in files of the project."""
    main = DRAW.replace("EDIT", edit).replace("CAMERA", 'getComponent("Component.Camera")')
    files = runtime_project(main)
    # The script's object must hold the camera: both components belong to the child here.
    scene = files["Assets/Scene.scene"].decode()
    camera = "    - !<own> 1c0e2a77-5b0d-4d86-9e4f-7f3b6d2a9c64\n"
    script = "    - !<own> 7ab8d1f3-2c64-4a5e-8d90-e1f5b3c60d75\n"
    moved = scene.replace(camera, "    []\n").replace(script, camera + script)
    files["Assets/Scene.scene"] = moved.encode()
    for name, (old, new) in edits.items():
        path = {"meta": "Assets/model.onnx.meta", "scene": "Assets/Scene.scene"}[name]
        text = files[path].decode()
        assert old in text
        files[path] = text.replace(old, new).encode()
    image = _camera_image() if camera_image is None else camera_image
    with LensSession(files, screen=SCREEN, camera_image=image) as lens:
        lens.start()
        texture = lens.texture()
        assert texture is not None
        return texture


def _expected() -> np.ndarray:
    """The picture by hand: what the scripts wrote, normalised, and the camera's colour."""
    picture = np.zeros((ROWS, COLUMNS, 3))
    for row in range(ROWS):
        for column in range(COLUMNS):
            for channel in range(3):
                written = ((row * COLUMNS + column) * CHANNELS + channel) / 100
                normalised = written * (1, 2, 1, 1)[channel] + (0, 0, 0.5, 0)[channel]
                picture[row, column, channel] = normalised + (51, 102, 204)[channel] / 255
    return np.clip(picture, 0, 1)


#: For a machine that is busy; a process that nobody ends stays for good.
LONG_AFTER_SECONDS = 15.0

#: One value of 8 bits, of which textures are not made here, is 4e-3; float32 sums leave 1e-7.
PICTURE_ATOL = 1e-6


@needs_node
class TestPlaceholders:
    def test_the_picture_is_what_channels_innermost_and_the_scales_of_the_meta_give(self):
        np.testing.assert_allclose(_drawn(), _expected(), atol=PICTURE_ATOL)

    def test_data_in_the_layout_nchw(self):
        edit = """
        values.dataLayout = MachineLearning.DataLayout.NCHW;
        const plain = Float32Array.from(values.data);
        for (let c = 0; c < 4; c++) {
            for (let p = 0; p < 6; p++) { values.data[c * 6 + p] = plain[p * 4 + c]; }
        }"""
        np.testing.assert_allclose(_drawn(edit), _expected(), atol=PICTURE_ATOL)

    def test_set_copies_into_the_data(self):
        edit = "values.data.set(Float32Array.from(values.data).fill(0));"
        only_camera = np.tile(np.array([51, 102, 204]) / 255 + (0, 0, 0.5), (ROWS, COLUMNS, 1))
        np.testing.assert_allclose(_drawn(edit), np.clip(only_camera, 0, 1), atol=PICTURE_ATOL)

    def test_shapes_and_the_default_modes(self):
        printed = _printed(
            BUILD
            + """
        START(() => build((ml) => {
            for (const item of [...ml.getInputs(), ...ml.getOutputs()]) {
                print([item.name, item.shape.x, item.shape.y, item.shape.z].join(" "));
            }
            const modes = ml.getOutputs().map((o) => o.mode === MachineLearning.OutputMode.Texture);
            print(modes.join(" "));
        }));"""
        )
        assert printed == [
            "values 3 2 4",
            "image 3 2 3",
            "picture 3 2 3",
            "all 3 2 7",
            "true false",
        ]

    def test_data_outputs_are_scaled_and_flat(self):
        printed = _printed(
            BUILD
            + """
        START(() => build((ml) => {
            ml.getInput("values").data[7] = 4;
            ml.runImmediate(true);
            const second = Array.from(ml.getOutput("all").data.slice(7, 14));
            print(second.map((value) => value.toFixed(2)).join(" "));
        }));"""
        )
        # The second pixel: four values, of which the last was written, then the camera.
        assert printed == ["0.00 0.00 0.50 4.00 0.20 0.40 0.80"]

    @pytest.mark.parametrize(
        ("action", "said"),
        [
            ('ml.getInput("values").data = new Float32Array(24);', "values.data is read-only"),
            ('ml.getInput("values").shape = new vec3(1, 1, 1);', "values.shape is read-only"),
            ('ml.getInput("values").name = "other";', "values.name is read-only"),
            ('ml.getOutput("picture").texture;', "does not exist before the first run"),
            ('ml.getOutput("picture").data;', "only in mode Data"),
            ('ml.getOutput("all").texture;', "only in mode Texture"),
            ('ml.getInput("nobody");', "no placeholder nobody"),
            ('ml.getInput("values").dat;', "values.dat is not documented"),
            ('ml.getInput("values").dataa = 1;', "values.dataa is not documented"),
            ("ml.state = 1;", "MLComponent.state is read-only"),
            ("ml.build = null;", "MLComponent.build is read-only"),
            ("delete ml.onRunningFinished;", "onRunningFinished cannot be deleted"),
            ("ml.modle = script.model;", "MLComponent.modle is not documented"),
            ("ml.model = {};", "MLComponent.model takes an MLAsset"),
            ("MachineLearning.InferenceMode.Fastest;", "InferenceMode.Fastest is not documented"),
            ("ml.runScheduled(false, T.Update, T.None);", "only with equal start and end"),
            ("ml.runImmediate(false);", "runImmediate(false) is not simulated"),
            ('ml.getInput("values").texture = script.camera; ml.runImmediate(true);', "3 channels"),
        ],
    )
    def test_what_is_not_permitted_is_an_error_that_names_it(self, action, said):
        # Errors of a run come through a callback.
        main = (
            BUILD
            + f"""
        START(() => build((ml) => {{
            ml.onRunningFailed = (error) => {{ throw new Error(error); }};
            {action}
        }}));"""
        )
        assert said in _error(main)

    def test_data_needs_a_built_model(self):
        main = (
            BUILD
            + """
        START(() => { build(() => {}).getInput("values").data; });"""
        )
        assert "no data before the model is built" in _error(main)


@needs_node
class TestTransformers:
    def test_flip_y_of_an_output(self):
        plain = f"{TRANSFORMER}\n      - !<MLOutput>"
        flipped = plain.replace("flipY: false", "flipY: true")
        np.testing.assert_allclose(
            _drawn(meta=(plain, flipped)), _expected()[::-1], atol=PICTURE_ATOL
        )

    @pytest.mark.parametrize(("key", "step"), [("flipX", (1, -1)), ("flipY", (-1, 1))])
    def test_flips_of_the_cameras_picture(self, key, step):
        image = np.random.default_rng(0).integers(0, 60, (ROWS, COLUMNS, 3), np.uint8)
        plain = f"{TRANSFORMER}\n        Texture: !<reference> c8d20b6e"
        drawn = _drawn(
            camera_image=image, meta=(plain, plain.replace(f"{key}: false", f"{key}: true"))
        )
        difference = drawn - _drawn(camera_image=image)
        turned = image[:: step[0], :: step[1]]
        wanted = (turned.astype(float) - image) / 255
        np.testing.assert_allclose(difference, wanted, atol=PICTURE_ATOL)

    def test_flip_x_by_a_builder(self):
        rebuild = """
        ml.onLoadingFinished = () => ml.runImmediate(true);
        ml.build([MachineLearning.createOutputBuilder().setName("picture")
            .setOutputMode(MachineLearning.OutputMode.Texture)
            .setTransformer(MachineLearning.createTransformerBuilder().setFlipX(true).build())
            .build()]);"""
        np.testing.assert_allclose(_drawn(rebuild), _expected()[:, ::-1], atol=PICTURE_ATOL)

    @pytest.mark.parametrize(
        "transformer", ["{stretch: false}", "{rotation: Rotate90}"], ids=["stretch", "rotation"]
    )
    def test_what_is_not_simulated_is_refused(self, transformer):
        with pytest.raises(BundleError, match=r"Assets/model.onnx.meta: .* is not simulated"):
            _drawn(meta=(TRANSFORMER, f"Transformer: {transformer}"))

    def test_flips_of_what_scripts_write_are_refused(self):
        with pytest.raises(BundleError, match="flips are simulated only for textures"):
            _drawn(meta=("flipX: false", "flipX: true"))


@needs_node
class TestOrder:
    def test_callbacks_come_after_build_and_not_inside(self):
        printed = _printed(
            BUILD
            + """
        START(() => {
            const ml = build(() => print("ready"));
            print(ml.state === MachineLearning.ModelState.Loading);
        });"""
        )
        assert printed == ["true", "ready"]

    def test_scheduled_runs_take_their_place_in_the_frame(self):
        printed = _printed(
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
        assert _printed(main.replace("RECURRING", "false"), 3) == ["ran"]
        assert _printed(main.replace("RECURRING", "true"), 3) == ["ran"] * 3

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
        assert _printed(main.replace("END", end), 3) == ["ran"]

    def test_immediate_runs_are_over_on_the_next_line(self):
        printed = _printed(
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
        printed = _printed(
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
        with _open(main) as lens:
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
        with _open(main) as lens:
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
        printed = _printed(
            'print([script.size, script.count, script.title, script.loud].join("; "));'
            "print(script.nothing === null);"
        )
        assert printed == ["2; 7; a title; true", "true"]

    def test_inputs_that_nobody_declared_are_an_error(self):
        assert "script.colour is not documented" in _error("script.colour;")

    def test_modules_are_common_js_and_run_once(self):
        printed = _printed(
            'const a = require("./Part"), b = require("./Part.js");'
            'print((a === b) + " " + a.twice(4));',
            Part='print("once"); exports.twice = require("./Other");',
            Other="module.exports = (x) => 2 * x;",
        )
        assert printed == ["once", "true 8"]

    def test_modules_may_require_each_other(self):
        printed = _printed(
            'print(require("./Part").name());',
            Part='exports.half = "there"; exports.name = require("./Other").name;',
            Other='const part = require("./Part"); exports.name = () => part.half;',
        )
        assert printed == ["there"]

    def test_modules_have_no_script(self):
        error = _error('require("./Part");', Part="\n\nscript.getSceneObject();")
        assert "Assets/Part.js, line 3: script is not defined" in error

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("./Nobody", 'require("./Nobody") in Assets/Main.js: there is no such script'),
            ("Part", "only paths from ./ are simulated"),
            ("fs", "only paths from ./ are simulated"),
        ],
    )
    def test_what_cannot_be_required_is_named(self, name, said):
        assert said in _error(f'require("{name}");', Part="")

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
        error = _error(f"\n{line}")
        # Below seven lines of declarations and an empty one.
        assert f"Assets/Main.js, line 9: {said}" in error

    @pytest.mark.parametrize("thrown", ["null", "'text'", "{a: 1}"])
    def test_what_is_no_error_can_be_thrown(self, thrown):
        assert "a script threw" in _error(f"throw {thrown};")

    def test_errors_in_events_name_the_event(self):
        error = _error("script.createEvent('UpdateEvent').bind(() => { undefined.x; });")
        assert error.startswith("the lens failed at update: Assets/Main.js, line 8: ")

    def test_printing_a_lot(self):
        assert len(_printed('print("x".repeat(5e6));')[0]) == 5_000_000

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
class TestDevice:
    def test_touches_have_ids_and_places(self):
        main = """
        for (const kind of ["Start", "Move", "End"]) {
            script.createEvent("Touch" + kind + "Event").bind((event) => {
                const place = event.getTouchPosition();
                print([kind, event.getTouchId(), place.x, place.y].join(" "));
            });
        }"""
        with _open(main) as lens:
            lens.start()
            lens.touch("start", 0, 0.25, 0.5)
            lens.touch("start", 3, 0.5, 0.75)
            lens.touch("move", 3, 1.0, 0.125)
            lens.touch("end", 0, 0.25, 0.5)
            assert lens.printed == [
                "Start 0 0.25 0.5",
                "Start 3 0.5 0.75",
                "Move 3 1 0.125",
                "End 0 0.25 0.5",
            ]

    @pytest.mark.parametrize("seed", range(4))
    def test_the_phones_pose_is_on_the_object_that_tracks_it(self, seed):
        rng = np.random.default_rng(seed)
        axes, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        axes *= np.sign(np.linalg.det(axes))
        pose = np.column_stack([axes, rng.normal(size=3)])
        main = """
        const object = script.getSceneObject();
        object.createComponent("Component.DeviceTracking")
            .requestDeviceTrackingMode(DeviceTrackingMode.World);
        script.createEvent("UpdateEvent").bind(() => {
            const place = object.getTransform().getWorldPosition();
            const turn = object.getTransform().getWorldRotation();
            const columns = [new vec3(1, 0, 0), new vec3(0, 1, 0), new vec3(0, 0, 1)]
                .map((axis) => turn.multiplyVec3(axis));
            print(JSON.stringify([...columns, place].map((v) => [v.x, v.y, v.z])));
        });"""
        with _open(main) as lens:
            lens.set_device(pose, 60.0)
            lens.start()
            lens.update()
            (found,) = lens.printed
        np.testing.assert_allclose(np.array(json.loads(found)).T, pose, atol=1e-12)

    def test_half_turns_are_rotations_too(self):
        for diagonal in ([1, -1, -1], [-1, 1, -1], [-1, -1, 1]):
            w, x, y, z = lens_session._quaternion(np.diag(diagonal).astype(float))
            np.testing.assert_allclose(np.abs([x, y, z]), np.array(diagonal) > 0, atol=1e-12)
            assert abs(w) < 1e-12

    def test_an_object_that_tracks_nothing_stays(self):
        main = """
        script.createEvent("UpdateEvent").bind(() => {
            print(script.getSceneObject().getTransform().getWorldPosition().x);
        });"""
        with _open(main) as lens:
            lens.set_device(np.hstack([np.eye(3), np.full((3, 1), 9.0)]), 60.0)
            lens.start()
            lens.update()
            assert lens.printed == ["0"]

    def test_the_camera_has_the_phones_lens_in_radians_and_the_screens_aspect(self):
        # The camera belongs to the parent; a texture of the screen's size is the same everywhere.
        main = "print(script.camera.getWidth() / script.camera.getHeight());"
        with LensSession(runtime_project(main), screen=(9, 16)) as lens:
            assert lens.printed == [str(9 / 16)]


@needs_node
class TestScreen:
    def _shown(self, *changes: tuple[str, str]) -> np.ndarray:
        files = runtime_project()
        for path in ("Assets/Screen.renderTarget", "Assets/Scene.scene"):
            text = files[path].decode()
            for old, new in changes:
                text = text.replace(old, new)
            files[path] = text.encode()
        with LensSession(files, screen=SCREEN, camera_image=_camera_image()) as lens:
            lens.start()
            lens.update()
            assert lens.texture() is None
            screen = lens.screen()
        assert screen.shape == (SCREEN[1], SCREEN[0], 3)
        assert (screen == screen[0, 0]).all()
        return screen[0, 0].tolist()

    def test_a_colour(self):
        assert self._shown() == [51, 102, 153]

    @pytest.mark.parametrize("option", ["BackgroundTexture", "CustomTexture"])
    def test_the_cameras_picture(self, option):
        assert self._shown(("CustomColor", option)) == [51, 102, 204]

    def test_a_custom_texture_that_is_null_gives_way_to_the_colour(self):
        texture = "InputTexture: !<reference> c8d20b6e-7f15-4b39-8a4c-3e96f1d05ba8"
        nil = "InputTexture: !<reference> 00000000-0000-0000-0000-000000000000"
        assert self._shown(("CustomColor", "CustomTexture"), (texture, nil)) == [51, 102, 153]

    @pytest.mark.parametrize(
        "change",
        [
            ("ClearColorOption: CustomColor", "ClearColorOption: None"),
            ("  Enabled: true\n  Fov:", "  Enabled: false\n  Fov:"),
            ("Name: Root\n  Enabled: true", "Name: Root\n  Enabled: false"),
        ],
    )
    def test_nothing_is_drawn_without_a_camera_or_a_colour(self, change):
        assert self._shown(change) == [0, 0, 0]

    def test_text_is_the_status(self):
        main = """
        const object = global.scene.createSceneObject("Text");
        const text = object.createComponent("Component.Text");
        text.text = "hello";
        START(() => { text.enabled = false; });"""
        with _open(BUILD + main) as lens:
            assert lens.status == "hello"
            lens.start()
            assert lens.status == ""


@needs_node
class TestModels:
    def _failure(self, model: bytes | None = None, meta: tuple[str, str] = ("", "")) -> str:
        files = runtime_project(BUILD + "START(() => build(() => print('ready')));")
        if model is not None:
            files["Assets/model.onnx"] = model
        text = files["Assets/model.onnx.meta"].decode()
        assert meta[0] in text
        files["Assets/model.onnx.meta"] = text.replace(*meta, 1).encode()
        with LensSession(files, screen=SCREEN) as lens:
            lens.start()
            (said,) = lens.printed
            return said

    def _edited(self, edit) -> bytes:
        model = onnx.load_from_string(runtime_project()["Assets/model.onnx"])
        edit(model.graph)
        return model.SerializeToString()

    def test_a_model_that_fits_its_meta_loads(self):
        assert self._failure() == "ready"

    @pytest.mark.parametrize(
        ("meta", "said"),
        [
            (("Name: values", "Name: valuess"), "inputs of the model are values, image"),
            (("Name: picture", "Name: image"), "outputs of the model are picture, all"),
            (("x: 3.000000, y: 2.000000, z: 4", "x: 2.000000, y: 3.000000, z: 4"), "input values"),
        ],
    )
    def test_a_meta_of_another_model_is_a_failure_to_load(self, meta, said):
        found = self._failure(meta=meta)
        assert found.startswith("failed: Assets/model.onnx: ")
        assert said in found

    def test_what_is_no_model_is_a_failure_to_load(self):
        assert "Assets/model.onnx: is not an ONNX model" in self._failure(b"\xff" * 20)

    def test_a_graph_that_does_not_fit_together_is_a_failure_to_load(self):
        def edit(graph):
            graph.node[1].input[0] = "nobody"

        assert "failed: Assets/model.onnx: " in self._failure(self._edited(edit))

    @pytest.mark.parametrize("shape", [(2, 4, 2, 3), (1, 1, 4, 2, 3)])
    def test_shapes_that_lens_studio_cannot_state_are_a_failure_to_load(self, shape):
        def edit(graph):
            for value in (*graph.input, graph.output[0]):
                dims = value.type.tensor_type.shape.dim
                channels = dims[1].dim_value
                del dims[:]
                for size in (*shape[:-3], channels, *shape[-2:]):
                    dims.add().dim_value = size
            # Channels are the third from the end, whatever comes before them.
            axis = onnx.helper.make_tensor("one", onnx.TensorProto.INT64, (1,), [len(shape) - 3])
            graph.initializer[2].CopyFrom(axis)
            del graph.node[2]
            del graph.output[1]

        said = self._failure(self._edited(edit))
        assert f"input values is {shape}, its meta says (3, 2, 4)" in said

    def test_a_graph_that_fails_while_it_runs_calls_back(self):
        def edit(graph):
            # Asks for as many values as their sum, which only a run can tell.
            graph.initializer.append(
                onnx.helper.make_tensor("line", onnx.TensorProto.INT64, (1,), [1])
            )
            graph.node[1].output[0] = "right"
            for op, inputs, output, more in (
                ("ReduceSum", ["values"], "sum", {"keepdims": 0}),
                ("Reshape", ["sum", "line"], "sums", {}),
                ("Cast", ["sums"], "size", {"to": onnx.TensorProto.INT64}),
                ("Reshape", ["values", "size"], "wrong", {}),
                ("Add", ["right", "wrong"], "picture", {}),
            ):
                graph.node.append(onnx.helper.make_node(op, inputs, [output], **more))

        files = runtime_project(
            BUILD
            + """
        START(() => build((ml) => {
            ml.onRunningFailed = (error) => print(error);
            ml.runImmediate(true);
            print(ml.state === MachineLearning.ModelState.Idle);
        }));"""
        )
        files["Assets/model.onnx"] = self._edited(edit)
        with LensSession(files, screen=SCREEN) as lens:
            lens.start()
            said, idle = lens.printed
        assert said.startswith("Assets/model.onnx: ")
        assert idle == "true"

    def test_a_nil_model_cannot_be_built(self):
        main = BUILD.replace("ml.model = script.model;", "") + "START(() => build(() => {}));"
        assert "MLComponent.build: no model is set" in _error(main)

    @pytest.mark.parametrize("value", [".inf", ".nan", "-3.0", "3e9", "[]", "wide"])
    def test_absurd_shapes_are_errors_that_name_the_meta(self, value):
        with pytest.raises(BundleError, match=r"Assets/model.onnx.meta: tensors are not as"):
            self._failure(meta=("x: 3.000000", f"x: {value}"))

    def test_normalisations_are_one_a_channel(self):
        drop = ("          - {scale: 2.000000, bias: 0.000000}\n", "")
        with pytest.raises(BundleError, match="values has 3 normalisations for 4 channels"):
            self._failure(meta=drop)


@needs_node
class TestProcess:
    def test_an_endless_loop_is_an_error(self, monkeypatch):
        monkeypatch.setattr(lens_session, "TIMEOUT_SECONDS", 0.5)
        begin = time.monotonic()
        assert "took longer than 0.5 s at open" in _error("while (true) {}")
        assert time.monotonic() - begin < LONG_AFTER_SECONDS

    def test_a_process_that_ends_is_an_error(self):
        with _open("") as lens:
            lens._process.process.kill()
            lens._process.process.wait()
            with pytest.raises(BundleError, match=r"ended Node.js: .* at start"):
                lens.start()

    def test_closing_ends_the_process(self):
        with _open("") as lens:
            assert lens._process.process.poll() is None
        assert lens._process.process.poll() is not None
        lens.close()

    def test_dropping_a_session_ends_the_process(self):
        lens = _open("")
        process = lens._process.process
        del lens
        assert process.poll() is not None


def test_a_machine_without_node_is_told_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingToolError, match=r"install Node.js 18 or later"):
        LensSession(runtime_project(), screen=SCREEN)


def test_every_guess_is_named_where_it_is_made():
    folder = Path(lens_session.__file__).parent
    names = set(json.loads((folder / "lens_runtime/guesses.json").read_bytes()))
    sources = [
        *folder.glob("lens_*.py"),
        *folder.glob("lens_runtime/*.js"),
        folder / "onnx_runtime.py",
    ]
    named: set[str] = set()
    for path in sources:
        named |= set(re.findall(r"[Gg]uess `?([a-z]+(?:-[a-z]+)*)`?[.,:;]?\s", path.read_text()))
    assert len(guesses()) == len(names)
    assert names <= named
