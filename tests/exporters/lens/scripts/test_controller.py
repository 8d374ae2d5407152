"""The scripts of a lens, run in Node.js with a real model: screens, failures, slow phones."""

from __future__ import annotations

import json
import re

import numpy as np
import onnx
import pytest

from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf_exporters.lens.player.session import LensSession
from mobile_nelf_exporters.lens.studio.yaml import NIL
from tests.helpers.lens.contracts import LAYOUT_NAMES
from tests.helpers.lens.lenses import make_lens
from tests.helpers.lens.sessions import CONTRACT, FRAME, SCENE, open_session, settle
from tests.helpers.node import needs_node

pytestmark = needs_node


def test_in_the_room_it_runs_in_every_frame_in_which_it_is_seen():
    lens = make_lens("rays", "world").with_material()
    session = LensSession(lens.files, screen=(90, 160))
    here = np.hstack([np.eye(3), np.zeros((3, 1))])
    session.set_device(here, 63.5)
    settle(session)
    for _ in range(3):
        session.update(FRAME)
        assert session.cost.runs == 1
    away = here * np.array([[-1.0], [1.0], [-1.0]])  # turned round
    session.set_device(away, 63.5)
    session.update(FRAME)
    assert session.cost.runs == 0
    assert session.texture() is None, "the camera's picture is shown as it is"
    assert np.all(session.screen() == 128)
    session.set_device(here, 63.5)
    session.update(FRAME)
    assert session.texture() is not None


@pytest.mark.parametrize("screen", [(90, 160), (90, 195), (160, 90), (100, 100)])
@pytest.mark.parametrize("layout", LAYOUT_NAMES)
def test_the_whole_picture_is_in_the_middle_of_any_screen(layout, screen):
    lens = make_lens(layout)
    session = open_session(lens, screen)
    left, right, bottom, top = session.cleared.part
    assert (left, bottom) == (-right, -top)
    # Pixels of the picture on the screen, along both axes.
    _, _, rows, columns = lens.contract.output.shape
    student, optics = lens.contract.student, lens.contract.intrinsics
    wide = student.image_width * screen[0] / (columns * right)
    high = student.image_height * screen[1] / (rows * top)
    assert wide / high == pytest.approx(optics.width / optics.fx * optics.fy / optics.height)
    assert max(wide / screen[0], high / screen[1]) == pytest.approx(1.0)


@pytest.mark.parametrize("apart", [0.5, 0.8, 1.0, 1.6, 2.0])
def test_without_a_material_a_pinch_enlarges_and_shrinks_the_trained_picture(apart):
    lens = make_lens("rays")
    tell = "print(JSON.stringify(Array.from(model.inputs.rays)));"
    lens = lens.edited(
        "Assets/NelfController.js", "    models.run(model);", f"    {tell}\n    models.run(model);"
    )
    session = open_session(lens, (90, 160))
    before = session.cleared.part
    session.touch("start", 0, 0.5, 0.3)
    session.touch("start", 1, 0.5, 0.5)
    session.touch("move", 1, 0.5, 0.3 + 0.2 * apart)
    session.update(FRAME)
    student, orbit = lens.contract.student, lens.contract.orbit
    distance = float(np.clip(4.1 / apart, 0.5 * orbit.radius[0], 2 * orbit.radius[1]))
    radius = float(np.clip(distance, *orbit.radius))
    np.testing.assert_allclose(
        session.cleared.part, np.array(before) * distance / radius, rtol=1e-6
    )
    # Rays are those of a photo.
    camera = lens.image_camera(orbit.pose(0.0, 45.0, radius))
    camera = camera.resized(student.ray_width, student.ray_height)
    (wanted,) = find_layout("rays").host(camera, student.encoder).values()
    rays = np.reshape(json.loads(session.printed[-1]), (*wanted.shape[2:], 6)).transpose(2, 0, 1)
    np.testing.assert_allclose(rays, wanted[0], atol=2e-6)
    # Around the picture there is the background.
    if apart < 1.0:
        screen = session.screen()
        background = np.rint(255 * np.array(lens.contract.background))
        for border in (screen[0], screen[-1], screen[:, 0], screen[:, -1]):
            assert (border == background).all()


def test_a_model_of_another_shape_is_refused():
    lens = make_lens("camera").edited(
        CONTRACT, '"name": "camera", "shape": [1, 1, 12]', '"name": "camera", "shape": [1, 1, 13]'
    )
    session = open_session(lens)
    assert "'camera' is 1 x 1 x 12, expected 1 x 1 x 13" in session.status
    assert session.printed == [WAYS["screen"], f"NelfController: {session.status}"]
    assert session.texture() is None


def test_a_model_without_the_tensor_is_refused():
    session = open_session(
        make_lens("camera").edited(CONTRACT, '"name": "output"', '"name": "picture"')
    )
    assert "no tensor 'picture'" in session.status


def test_a_model_that_does_not_load_says_why():
    session = open_session(make_lens("camera").with_file("Assets/model.onnx", b"no model"))
    assert "could not be loaded" in session.status


def test_a_model_that_does_not_run_says_why():
    """An index beyond the end, which nothing sees before the run."""
    lens = make_lens("camera")
    model = onnx.load_from_string(lens.files["Assets/model.onnx"])
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(1e6, np.float32), "big"))
    model.graph.node[-1].output[0] = "picture"
    model.graph.node.extend(
        onnx.helper.make_node(kind, inputs, outputs, **more)
        for kind, inputs, outputs, more in (
            ("ReduceSum", ["picture"], ["sums"], {"axes": [0, 2, 3], "keepdims": 0}),
            ("Add", ["sums", "big"], ["beyond"], {}),
            ("Cast", ["beyond"], ["index"], {"to": onnx.TensorProto.INT64}),
            ("Gather", ["picture", "index"], ["output"], {"axis": 1}),
        )
    )
    broken = model.SerializeToString(deterministic=True)
    session = open_session(lens.with_file("Assets/model.onnx", broken))
    assert "The model could not run: " in session.status
    assert session.texture() is None


def test_a_lens_with_neither_material_nor_crop_says_what_to_do():
    for experience in ("orbit", "world"):
        lens = make_lens("rays", experience)
        scene = re.sub(r"(colourCrop: !<\S+>) \S+", rf"\1 {NIL}", lens.files[SCENE].decode())
        session = open_session(lens.with_file(SCENE, scene.encode()))
        assert session.status.startswith("No material. In the Asset Browser choose +")
        assert session.cost.runs == 0


#: What the Logger has of a lens, by which way its picture goes.
WAYS = {
    "surface": "NelfController: the picture is on a surface with the material",
    "mask": "NelfController: no material, so a mask cuts the object out",
    "screen": "NelfController: no material, so the picture fills the screen",
}


@pytest.mark.parametrize(
    ("experience", "material", "way"),
    [
        ("orbit", True, "surface"),
        ("world", True, "surface"),
        ("world", False, "mask"),
        ("orbit", False, "screen"),
    ],
)
def test_a_lens_says_which_way_its_picture_goes(experience, material, way):
    lens = make_lens("rays", experience).edited(SCENE, "showFps: false", "showFps: true")
    if material:
        lens = lens.with_material()
    with LensSession(lens.files, screen=(90, 160)) as session:
        settle(session)
        assert session.printed == [WAYS[way]]
        assert (len(session.surfaces), len(session.masked)) == (way == "surface", way == "mask")
        assert (session.cleared.kind == "texture") == (way == "screen")
        for _ in range(40):
            session.update(FRAME)
    if experience == "orbit":  # in the room the hint stays
        assert session.status == WAYS[way].replace("NelfController: ", "30 FPS, ")


def test_a_phone_that_cannot_be_tracked_is_told_so():
    """The stand-in tracks every phone, so the question is turned round."""
    asked = "!tracking.isDeviceTrackingModeSupported(DeviceTrackingMode.World)"
    lens = make_lens("rays", "world").edited("Assets/NelfRoom.js", asked, asked[1:])
    session = open_session(lens)
    assert "where it is in the room" in session.status
    assert session.cost.runs == 0


def test_frames_a_second_are_shown_on_demand():
    lens = make_lens("camera")
    session = open_session(lens)
    for _ in range(40):
        session.update(FRAME)
    assert session.status == ""
    session = open_session(lens.edited(SCENE, "showFps: false", "showFps: true"))
    for _ in range(40):
        session.update(1 / 24)
    assert session.status == "24 FPS, no material, so the picture fills the screen"


def _turn_for(session: LensSession, frames: int, seconds: float) -> None:
    session.touch("start", 0, 0.5, 0.5)
    for index in range(frames):
        session.touch("move", 0, 0.5 + 0.001 * index, 0.5)
        session.update(seconds)


def test_a_slow_phone_goes_on_with_the_smaller_picture():
    lens = make_lens("camera").edited(SCENE, "showFps: false", "showFps: true")
    session = open_session(lens)
    full = session.texture().shape
    _turn_for(session, 60, 0.1)
    small = session.texture().shape
    assert small[0] < full[0]
    assert small[1] < full[1]
    assert session.status == "10 FPS, slow: smaller picture"
    assert "slow: smaller picture" in session.printed[-1]


def test_a_smaller_model_that_does_not_load_is_tried_once():
    lens = make_lens("camera").with_file("Assets/small.onnx", b"no model")
    session = open_session(lens)
    full = session.texture().shape
    _turn_for(session, 100, 0.1)
    assert session.texture().shape == full, "the other continues"
    assert session.status == ""
    assert len([line for line in session.printed if "could not be loaded" in line]) == 1


def test_a_smaller_model_of_another_project_is_tried_once():
    lens = make_lens("camera")
    small = '"input": "smallModel", "inputs": [{"name": "camera", "shape": [1, 1, 12]'
    lens = lens.edited(CONTRACT, small, small.replace("12", "13"))
    session = open_session(lens)
    _turn_for(session, 100, 0.1)
    assert len([line for line in session.printed if "does not belong" in line]) == 1


def test_a_fast_phone_keeps_the_whole_picture():
    session = open_session(make_lens("camera"))
    full = session.texture().shape
    _turn_for(session, 80, 1 / 20)
    assert session.texture().shape == full


@pytest.mark.parametrize("stall", [1.2, 30.0])
def test_one_long_frame_changes_nothing(stall):
    session = open_session(make_lens("camera"))
    full = session.texture().shape
    _turn_for(session, 40, 1 / 30)
    _turn_for(session, 1, stall)
    _turn_for(session, 60, 1 / 30)
    assert session.texture().shape == full


def test_the_full_picture_comes_back_on_a_phone_that_is_fast_again():
    # Twenty seconds of frames would take this machine longer.
    lens = make_lens("camera").edited(
        "Assets/NelfPace.js", "RETRY_SECONDS = 20", "RETRY_SECONDS = 2"
    )
    session = open_session(lens)
    full = session.texture().shape
    _turn_for(session, 60, 0.1)
    assert session.texture().shape != full
    _turn_for(session, 130, 1 / 30)
    assert session.texture().shape == full
    assert session.printed[-1] == "NelfController: fast again: full picture"
    # Slow once more, it waits for longer before it tries.
    _turn_for(session, 60, 0.1)
    _turn_for(session, 130, 1 / 30)
    assert session.texture().shape != full


def test_the_model_that_no_longer_draws_is_released():
    released = "model.component.destroy();"
    lens = make_lens("camera").edited(
        "Assets/NelfModel.js", released, f'{released} print("released");'
    )
    session = open_session(lens)
    _turn_for(session, 60, 0.1)
    assert session.printed.count("released") == 1


@pytest.mark.parametrize(("layout", "experience"), [("camera", "orbit"), ("rays", "world")])
def test_a_run_that_is_told_of_in_the_next_frame(layout, experience):
    lens = make_lens(layout, experience)
    lens = lens.with_material() if experience == "world" else lens
    with LensSession(lens.files, screen=(90, 160), is_late=True) as session:
        here = np.hstack([np.eye(3), np.zeros((3, 1))])
        session.set_device(here, 63.5)
        settle(session)
        assert session.texture() is not None
        if experience == "world":
            session.update(FRAME)
            # The object leaves the screen while the news of the last run is on its way.
            session.set_device(here * np.array([[-1.0], [1.0], [-1.0]]), 63.5)
            for _ in range(3):
                session.update(FRAME)
                assert session.texture() is None


def test_on_the_front_camera_people_are_asked_for_the_other():
    lens = make_lens("rays", "world").with_material()
    with LensSession(lens.files, screen=(90, 160), is_front=True) as session:
        settle(session)
        assert session.hints == ("lens_hint_try_rear_camera",)
        assert session.texture() is None
        session.flip_camera(False)
        settle(session, start=False)
        assert session.hints == ("lens_hint_tap_surface_to_place",)
        assert session.texture() is not None
        session.flip_camera(True)
        session.update(FRAME)
        assert session.hints == ("lens_hint_try_rear_camera",)
        assert session.texture() is None


def test_in_the_room_the_object_is_placed_anew_after_the_front_camera():
    lens = make_lens("rays", "world").with_material()
    with LensSession(lens.files, screen=(90, 160)) as session:
        session.set_device(np.hstack([np.eye(3), np.zeros((3, 1))]), 63.5)
        settle(session)
        first = session.texture()
        session.flip_camera(True)
        session.update(FRAME)
        session.flip_camera(False)
        session.set_device(np.hstack([np.eye(3), np.full((3, 1), 300.0)]), 63.5)
        settle(session, start=False)
        np.testing.assert_allclose(session.texture(), first, atol=1e-6)


def test_the_object_waits_until_the_room_is_tracked():
    lens = make_lens("rays", "world").with_material()
    with LensSession(lens.files, screen=(90, 160), is_tracked=False) as session:
        session.set_device(np.hstack([np.eye(3), np.full((3, 1), 50.0)]), 63.5)
        settle(session)
        assert session.texture() is None
        assert session.hints == ("lens_hint_look_around",)
        session.track(True)
        session.set_device(np.hstack([np.eye(3), np.zeros((3, 1))]), 63.5)
        settle(session, start=False)
        found = session.texture()
        assert session.hints == ("lens_hint_tap_surface_to_place",)
    with LensSession(lens.files, screen=(90, 160)) as session:
        session.set_device(np.hstack([np.eye(3), np.zeros((3, 1))]), 63.5)
        settle(session)
        np.testing.assert_allclose(session.texture(), found, atol=1e-6)


def test_messages_in_the_room_need_the_orthographic_camera():
    lens = make_lens("rays", "world").with_file("Assets/model.onnx", b"no model")
    assert "could not be loaded" in open_session(lens).status
    perspective = lens.edited(SCENE, "CameraType: Orthographic", "CameraType: Perspective")
    session = open_session(perspective)
    assert session.status == "", "the stand-in does not place it either"
    assert "could not be loaded" in session.printed[-1]


def test_a_double_tap_stays_with_snapchat():
    lens = make_lens("camera")
    tell = 'print("exceptions");'
    blocked = 'enableTouchBlockingException("TouchTypeDoubleTap", true);'
    session = open_session(lens.edited("Assets/NelfController.js", blocked, f"{blocked} {tell}"))
    assert session.printed == [WAYS["screen"], "exceptions"]


def test_still_frames_say_nothing_about_speed():
    session = open_session(make_lens("camera"))
    full = session.texture().shape
    for _ in range(35):
        session.update(0.1)  # the network does not run
    assert session.texture().shape == full


@pytest.mark.parametrize("experience", ["orbit", "world"])
def test_flip_y_turns_the_picture_over(experience):
    lens = make_lens("rays", experience)
    lens = lens.with_material() if experience == "world" else lens
    pictures = []
    for wanted in (lens, lens.edited(SCENE, "flipY: false", "flipY: true")):
        with LensSession(wanted.files, screen=(90, 160)) as session:
            settle(session)
            pictures.append(session.texture())
    np.testing.assert_allclose(pictures[1], pictures[0][::-1], atol=1e-6)
