"""A package that is dragged into lenses that exist."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from mobile_nelf.errors import InputError
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.lens.lint.check import lint_lens_project
from mobile_nelf_exporters.lens.options import Options
from mobile_nelf_exporters.lens.player.session import LensSession
from mobile_nelf_exporters.lens.runtimes import LENS_MIN_PSNR_DB
from mobile_nelf_exporters.onnx.picture import over_background
from tests.helpers.lens.host_projects import (
    HOSTS,
    SCENE,
    TYPESCRIPT,
    WORLD_SCRIPT,
    dragged,
    make_package,
    transpiled,
    with_script,
)
from tests.helpers.lens.lenses import make_lens
from tests.helpers.lens.sessions import FRAME
from tests.helpers.lens.typescript import COMPILER, needs_typescript
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint

SCREEN = (72, 128)
#: The nearest photos were taken from 95 % of the furthest, and show as much more.
DISTANCE = 0.05
HOST_SCRIPT = "Assets/World.js"


@pytest.fixture(scope="module")
def package():
    return make_package()


def _opened(files, **phone) -> LensSession:
    session = LensSession(files, screen=SCREEN, **phone)
    session.start()
    _wait(session, 3)
    return session


def _wait(session, frames=1) -> None:
    for _ in range(frames):
        session.update(FRAME)


def _hosted(name, package):
    """A host with the package in it, and its own scripts."""
    files = dragged(HOSTS[name](), package)
    if name == "world":
        return with_script(files, HOST_SCRIPT, WORLD_SCRIPT.encode())
    if name == "typescript":
        return with_script(files, "Assets/Host.ts", TYPESCRIPT.encode())
    return files


def _shown(session, package):
    """The picture on the surface, over the background of the photos."""
    return over_background(session.drawn(), package.contract)


def _student(package, azimuth=0.0, elevation=0.0):
    """The student's picture, degrees from the middle of the photos, as low as photos were taken."""
    orbit = package.checkpoint.orbit
    elevation = max(elevation, orbit.elevation[0])
    pose = orbit.pose(sum(orbit.azimuth) / 2 + azimuth, elevation, sum(orbit.radius) / 2)
    return student_frame_function(package.checkpoint)(package.checkpoint.ray_camera(pose))


def _middle(surface):
    return np.mean([corner[:3] for corner in surface.vertices], axis=0)


def _place(surface, fov=63.541019):
    """Fractions of the screen, for a camera at the origin that looks along −z."""
    x, y, z = _middle(surface)
    high = np.tan(np.radians(fov) / 2)
    return 0.5 - x / z / (2 * high * SCREEN[0] / SCREEN[1]), 0.5 + y / z / (2 * high)


def _width(surface):
    first, second = (np.array(corner[:3]) for corner in surface.vertices[:2])
    return np.linalg.norm(second - first)


def test_the_lens_around_it_is_without_findings(package):
    assert lint_lens_project(package.project) == ()


@pytest.mark.parametrize("host", HOSTS)
def test_hosts_are_without_findings_before_and_after(host, package):
    assert lint_lens_project(HOSTS[host]()) == ()
    assert lint_lens_project(_hosted(host, package)) == ()


def test_a_package_copied_into_a_project_is_checked_before_it_is_placed(package):
    copied = {**HOSTS["empty"](), **package.files}
    assert lint_lens_project(copied) == ()
    path = f"{package.folder}/NelfContract.js"
    broken = {**copied, path: copied[path].replace(b'"smallModel"', b'"otherModel"')}
    (found,) = lint_lens_project(broken)
    assert "'otherModel'" in found.problem
    prefab = f"{package.folder}/Mic.prefab"
    wrong = copied[prefab].replace(b'interaction: "turn"', b"interaction: 3\n      turns: 1")
    (found,) = lint_lens_project({**copied, prefab: wrong})
    assert found.path == prefab
    assert "'turns', which is not an //@input" in found.problem


@needs_node
@pytest.mark.parametrize("host", ["empty", "world"])
def test_it_shows_the_students_picture_and_touches_nothing(host, package):
    wall = np.random.default_rng(0).integers(0, 255, (*SCREEN[::-1], 3), np.uint8)
    with _opened(_hosted(host, package), camera_image=wall) as session:
        worst = psnr_db(_shown(session, package), _student(package))
        assert worst >= LENS_MIN_PSNR_DB
        outside = np.ones(SCREEN[::-1], bool)
        for surface in (*session.surfaces, *session.shadows):
            places = np.array([_corner(corner) for corner in surface.vertices])
            low, high = np.floor(places.min(0)).astype(int), np.ceil(places.max(0)).astype(int)
            outside[max(low[1], 0) : high[1], max(low[0], 0) : high[0]] = False
        assert outside.any()
        changed = (session.screen() != wall).any(axis=2)
        assert changed.any()
        assert not changed[outside].any()
        assert session.status == ""
        assert session.hints == ()
        if host == "world":
            told = [json.loads(line) for line in session.printed if line.startswith("{")]
            assert told[0] == told[-1]
            assert told[0] == {
                "blocking": False, "cleared": 1, "texture": False, "tracked": 2, "meshes": False,
                "planes": 0,
            }  # fmt: skip


def _corner(corner):
    """Pixel of a point, for a camera at the origin."""
    high = np.tan(np.radians(63.541019) / 2)
    scale = SCREEN[1] / (2 * high)
    return SCREEN[0] / 2 - scale * corner[0] / corner[2], SCREEN[1] / 2 + scale * corner[
        1
    ] / corner[2]


@needs_node
def test_other_scripts_hear_of_it_and_place_it(package):
    with _opened(_hosted("world", package)) as session:
        assert "ready" in session.printed
        session.touch("start", 0, 0.01, 0.01)
        session.touch("end", 0, 0.01, 0.01)
        _wait(session)
        assert "touched" in session.printed
        assert "placed 10,-50,-100" in session.printed
        (surface,) = session.surfaces
        assert _middle(surface)[0] == pytest.approx(10.0, abs=1.0)
        at = _place(surface)
        session.touch("start", 0, *at)
        session.touch("end", 0, *at)
        assert "tapped" in session.printed


@needs_typescript
def test_a_script_in_typescript_uses_it(package):
    """By way of TypeScript's own compiler, as the stand-in runs JavaScript only."""
    script = transpiled(TYPESCRIPT, COMPILER)
    files = with_script(dragged(HOSTS["typescript"](), package), "Assets/Host.js", script)
    with _opened(files) as session:
        assert "ready" in session.printed
        assert "placed -80" in session.printed
        at = _place(session.surfaces[0])
        for _ in range(2):
            session.touch("start", 0, *at)
            session.touch("end", 0, *at)
        assert session.printed[-2:] == ["taps: 1", "taps: 2"]


@pytest.mark.slow
@needs_node
def test_several_objects_are_shown_side_by_side(package):
    other = make_package("Chair", seed=1)
    files = dragged(HOSTS["empty"](), package, (-20.0, -10.0, -100.0))
    files = dragged(files, other, (20.0, -10.0, -100.0))
    files = dragged(files, package, (0.0, 20.0, -100.0), copy=1)
    assert lint_lens_project(files) == ()
    with _opened(files) as session:
        middles = sorted(_middle(surface)[0] for surface in session.surfaces)
        assert middles == pytest.approx([-20.0, 0.0, 20.0], abs=1.0)
        assert len({(s.component, s.output) for s in session.surfaces}) == 3


@needs_node
@pytest.mark.parametrize(("turn", "tilt"), [(25.0, 0.0), (-25.0, 20.0)])
def test_it_follows_what_it_is_a_child_of(turn, tilt, package):
    files = dragged(HOSTS["empty"](), package)
    files = _below(files, "y", turn)
    files = _below(files, "x", tilt)
    with _opened(files) as session:
        shown = _shown(session, package)
        assert psnr_db(shown, _student(package, -turn, tilt)) >= LENS_MIN_PSNR_DB
        assert psnr_db(shown, _student(package)) < LENS_MIN_PSNR_DB


def _below(files, axis, degrees):
    """Puts the first object of the scene below a new one at its target, turned about an axis."""
    scene = files[SCENE].decode()
    (root,) = re.findall(r"objects:\n    - !<own> (\S+)", scene)
    parent = f"7d3a52c{axis.replace('x', '4').replace('y', '9')}-16be-4f08-a927-e05c4b8d31f6"
    entity = re.search(rf"(?ms)^- !<SceneObject/{root}>\n.*?(?=^- |\Z)", scene)[0]
    x, y, z = map(float, re.search(r"Position: \{x: (\S+), y: (\S+), z: (\S+)\}", entity).groups())
    child = _set(entity, "Position", x, y, 0.0)
    above = re.sub(r"Components:\n(?:    - .*\n)+", "Components:\n    []\n", entity)
    above = above.replace(root, parent, 1)
    above = re.sub(r"Children:\n(?:    .*\n)+", f"Children:\n    - !<own> {root}\n", above)
    above = _set(above, "Position", 0.0, 0.0, z)
    above = _set(above, "Rotation", *(degrees if name == axis else 0.0 for name in "xyz"))
    scene = scene.replace(entity, child).replace(f"objects:\n    - !<own> {root}",
                                                 f"objects:\n    - !<own> {parent}")  # fmt: skip
    return {**files, SCENE: (scene + above).encode()}


def _set(entity, key, x, y, z):
    return re.sub(rf"{key}: \{{[^}}]*\}}", f"{key}: {{x: {x:f}, y: {y:f}, z: {z:f}}}", entity)


def _swiped(session, x, y, to) -> None:
    """A finger that moves from a place to another, slowly, and stays there a while."""
    session.touch("start", 0, x, y)
    for step in range(1, 5):
        session.touch("move", 0, x + (to - x) * step / 4, y)
        _wait(session)
    _wait(session, 5)
    session.touch("end", 0, to, y)
    _wait(session)


@pytest.mark.slow
@needs_node
@pytest.mark.parametrize(("interaction", "turns"), [("none", False), ("turn", True)])
def test_fingers_turn_it_only_when_they_are_on_it(interaction, turns, package):
    files = dragged(HOSTS["empty"](), package, interaction=f'"{interaction}"')
    with _opened(files) as session:
        at = _place(session.surfaces[0])
        before = _shown(session, package)
        _swiped(session, 0.02, 0.02, 0.15)
        assert np.array_equal(_shown(session, package), before)
        _swiped(session, *at, at[0] + 0.1)
        turned = _shown(session, package)
        if turns:
            assert psnr_db(turned, _student(package, -18.0)) >= LENS_MIN_PSNR_DB
        else:
            assert np.array_equal(turned, before)


@pytest.mark.slow
@needs_node
def test_a_pinch_sizes_it_where_that_is_wanted(package):
    grown = {}
    for interaction in ("turn", "size"):
        files = dragged(HOSTS["empty"](), package, interaction=f'"{interaction}"')
        with _opened(files) as session:
            x, y = _place(session.surfaces[0])
            before = _width(session.surfaces[0])
            session.touch("start", 0, x, y)
            session.touch("start", 1, x, y + 0.2)
            session.touch("move", 1, x, y + 0.3)
            _wait(session)
            grown[interaction] = _width(session.surfaces[0]) / before
    assert grown == {"turn": pytest.approx(1.0), "size": pytest.approx(1.5, rel=DISTANCE)}


@pytest.mark.slow
@needs_node
@pytest.mark.parametrize("floor", [None, -60.0])
def test_a_tap_places_it_on_the_ground(floor, package):
    """On the mesh of the room if the lens asked for one, else at the height on which it stands."""
    files = dragged(HOSTS["world"](), package, (0.0, -40.0, -100.0), interaction='"place"')
    script = WORLD_SCRIPT.replace(
        'script.createEvent("TouchStartEvent")',
        "tracking.worldOptions.enableWorldMeshesTracking = true;\n"
        'script.createEvent("TurnOffEvent")',
    )
    files = with_script(files, HOST_SCRIPT, script.encode())
    with _opened(files, floor_cm=floor) as session:
        session.touch("start", 0, 0.7, 0.9)
        session.touch("end", 0, 0.7, 0.9)
        _wait(session)
        (line,) = [line for line in session.printed if line.startswith("placed")]
        x, y, _ = map(float, line.removeprefix("placed ").split(","))
        assert y == (floor or -40.0)
        assert x > 0


@pytest.mark.slow
@needs_node
def test_its_inputs_set_size_quality_and_idle_turn(package):
    def opened(**inputs):
        return _opened(dragged(HOSTS["empty"](), package, **inputs))

    with opened() as plain, opened(sizeCm="!<float> 60.000000") as large:
        assert _width(large.surfaces[0]) == pytest.approx(
            2 * _width(plain.surfaces[0]), rel=DISTANCE
        )
        full = plain.texture().shape
    with opened(quality='"small"') as session:
        small = session.texture().shape
        assert small[0] < full[0]
    with opened(idleTurn="!<float> 30.000000") as session:
        before = _shown(session, package)
        for _ in range(45):
            session.update(0.1)
        assert not np.array_equal(_shown(session, package), before)


@needs_node
def test_the_network_runs_only_when_the_view_changes(package):
    with _opened(dragged(HOSTS["empty"](), package)) as session:
        _wait(session)
        assert session.cost.runs == 0
        at = _place(session.surfaces[0])
        session.touch("start", 0, *at)
        session.touch("move", 0, at[0] + 0.05, at[1])
        _wait(session)
        assert session.cost.runs == 1


@needs_node
@pytest.mark.parametrize(
    ("field", "said"),
    [("camera", "No camera. Drag"), ("material", "No material."), ("model", "No model. Drag")],
)
def test_what_is_missing_is_said_in_the_logger_and_to_scripts(field, said, package):
    files = _hosted("world", package)
    scene = re.sub(
        rf"(?s)(Name: NelfObject\n.*?\n      {field}: !<reference\.\w+>) \S+",
        r"\1 00000000-0000-0000-0000-000000000000",
        files[SCENE].decode(),
    )
    with LensSession({**files, SCENE: scene.encode()}, screen=SCREEN) as session:
        session.start()
        _wait(session)
        assert session.surfaces == ()
        assert any(line.startswith(f"NelfObject: {said}") for line in session.printed)
        assert any(line.startswith(f"failed: {said}") for line in session.printed)
        assert session.status == ""


def test_other_experiences_are_refused():
    student = random_checkpoint(0, sr_widths=(8,), activation="relu")
    with pytest.raises(InputError, match="experience orbit fills the screen"):
        LensStudioExporter().export(student, "Mic", Options(form="package", experience="orbit"))


@pytest.mark.slow
def test_ids_are_of_the_package_alone(package):
    ids = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
    project = set(ids.findall("".join(_texts(make_lens("factored", "world", 4).files))))
    own = set(ids.findall("".join(_texts(package.files))))
    chair = set(ids.findall("".join(_texts(make_package("Chair", seed=1).files))))
    nil = {"00000000-0000-0000-0000-000000000000"}
    assert own & project == nil
    assert own & chair == nil


def _texts(files):
    return [text.decode() for path, text in files.items() if path.endswith((".meta", ".prefab"))]
