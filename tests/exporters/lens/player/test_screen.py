"""What a lens has of the phone in the stand-in for Lens Studio: fingers, pose and screen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mobile_nelf_exporters.lens.player.messages import quaternion_of
from mobile_nelf_exporters.lens.player.session import LensSession
from tests.helpers.lens.runtime_projects import (
    BUILD,
    SCREEN,
    flat_camera_image,
    open_lens,
    runtime_project,
)
from tests.helpers.node import needs_node


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
        with open_lens(main) as lens:
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
        with open_lens(main) as lens:
            lens.set_device(pose, 60.0)
            lens.start()
            lens.update()
            (found,) = lens.printed
        np.testing.assert_allclose(np.array(json.loads(found)).T, pose, atol=1e-12)

    def test_half_turns_are_rotations_too(self):
        for diagonal in ([1, -1, -1], [-1, 1, -1], [-1, -1, 1]):
            w, x, y, z = quaternion_of(np.diag(diagonal).astype(float))
            np.testing.assert_allclose(np.abs([x, y, z]), np.array(diagonal) > 0, atol=1e-12)
            assert abs(w) < 1e-12

    def test_an_object_that_tracks_nothing_stays(self):
        main = """
        script.createEvent("UpdateEvent").bind(() => {
            print(script.getSceneObject().getTransform().getWorldPosition().x);
        });"""
        with open_lens(main) as lens:
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
        with LensSession(files, screen=SCREEN, camera_image=flat_camera_image()) as lens:
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
        with open_lens(BUILD + main) as lens:
            assert lens.status == "hello"
            lens.start()
            assert lens.status == ""
