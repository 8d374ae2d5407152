"""The printed board: its page, and the true size and upright axis that photos of it give."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from mobile_nelf.cameras import Intrinsics
from mobile_nelf.capturing.board import Corners, corner_places, print_board, seen_corners
from mobile_nelf.capturing.intake import Group, Intake, Photo
from mobile_nelf.capturing.measure import board_findings, find_board, in_world, located_board
from mobile_nelf.capturing.model import Model, PosedPhoto
from mobile_nelf.errors import InputError, OutputError
from mobile_nelf.lenses import DistortedLens
from mobile_nelf.progress import silent
from tests.helpers.phone import BOARD_SQUARE, photo, ring

COUNT = 6
LENS = Intrinsics.centred(640, 480, 576.0)
BENT = DistortedLens("SIMPLE_RADIAL", 640, 480, (576.0, 320.0, 240.0, 0.0))
#: Of the scale; of the upright axis, in degrees.
SCALE_SHARE, UP_DEG = 0.01, 0.5
SQUARE_MM = 30.0
TRUE_METRES = SQUARE_MM / 1000.0 / BOARD_SQUARE


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """Photos of the box on the board, and their cameras in a world of any place, turn and scale."""
    folder = tmp_path_factory.mktemp("board")
    (folder / "0").mkdir()
    rng = np.random.default_rng(4)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    scale, shift = 3.7, rng.normal(size=3)
    names, posed = [], {}
    for number, camera in enumerate(ring(COUNT), start=1):
        camera = replace(camera, intrinsics=LENS)
        names.append(f"0/{number:04d}.png")
        Image.fromarray(photo(camera, oversample=1, board=True)).save(folder / names[-1])
        pose = camera.cam_to_world
        place = scale * turn @ pose[:, 3] + shift
        moved = np.concatenate([turn @ pose[:, :3], place[:, None]], 1)
        posed[names[-1]] = PosedPhoto(moved, BENT, np.zeros(0, np.int64), np.zeros((0, 2)))
    photos = tuple(Photo(name, name, 0, 100.0, 120.0) for name in names)
    intake = Intake(photos, (Group("", "", 640, 480, None),))
    model = Model(posed, np.zeros((1, 3)), 0.5, 5.0)
    board = find_board(intake, folder, model, SQUARE_MM, silent)
    return SimpleNamespace(folder=folder, model=model, board=board, scale=scale)


def test_the_board_gives_the_true_size_and_which_way_is_up(shown):
    board = shown.board
    assert board.photos == COUNT
    assert board.corners >= 12
    assert board.world.scale * shown.scale == pytest.approx(TRUE_METRES, rel=SCALE_SHARE)
    moved = in_world(shown.model, board.world)
    for camera, found in zip(ring(COUNT), moved.photos.values(), strict=True):
        # The box stands in the middle of the board, and its world is upright.
        assert found.cam_to_world[:, 3] == pytest.approx(TRUE_METRES * camera.position, abs=2e-3)
        turned = found.cam_to_world[:, :3] @ camera.cam_to_world[:, :3].T
        assert np.degrees(np.arccos(turned[2, 2])) < UP_DEG
    (finding,) = board_findings(board)
    assert finding.level == "note"
    assert f"seen in {COUNT} photos" in finding.text


def test_a_board_that_does_not_fit_its_photos_is_not_used(shown):
    seen = {}
    rng = np.random.default_rng(0)
    for name in shown.model.photos:
        corners = seen_corners(np.asarray(Image.open(shown.folder / name).convert("L")))
        seen[name] = corners
    # Another board: its corners are elsewhere.
    mixed = {
        name: Corners(rng.permutation(35)[corners.numbers], corners.pixels)
        for name, corners in seen.items()
    }
    assert located_board(shown.model, mixed, SQUARE_MM) is None
    order = np.random.default_rng(1).permutation(35)
    swapped = {name: Corners(order[c.numbers], c.pixels) for name, c in seen.items()}
    board = located_board(shown.model, swapped, SQUARE_MM)
    assert not board.fits
    (finding,) = board_findings(board)
    assert finding.level == "warning"
    assert "the true size is not taken from it" in finding.text


def test_too_few_corners_are_no_board(shown):
    name = next(iter(shown.model.photos))
    corners = seen_corners(np.asarray(Image.open(shown.folder / name).convert("L")))
    assert located_board(shown.model, {name: corners}, SQUARE_MM) is None
    assert seen_corners(np.full((240, 320), 255, np.uint8)) is None
    assert list(board_findings(None)) == []


def test_the_page_is_as_large_as_it_says(tmp_path):
    path = print_board(tmp_path / "board.pdf")
    again = print_board(tmp_path / "again.pdf")
    assert path.read_bytes() == again.read_bytes()
    text = path.read_bytes()
    points = [value * 72 / 25.4 for value in (210, 279)]
    box = text.partition(b"/MediaBox [")[2].partition(b"]")[0].split()
    assert [float(value) for value in box[2:]] == pytest.approx(points, abs=0.01)
    with pytest.raises(OutputError, match="exists already"):
        print_board(path)
    with pytest.raises(InputError, match=r"the board is a PDF; call the file board\.pdf"):
        print_board(tmp_path / "board.png")


def test_the_drawn_page_has_its_squares_where_corners_are_expected():
    from mobile_nelf.capturing.board import PIXELS_A_MM, _page

    small = _page().convert("L").resize((1050, 1395), Image.Resampling.BOX)
    corners = seen_corners(np.asarray(small))
    assert len(corners.numbers) == 35
    square = SQUARE_MM * PIXELS_A_MM / 4  # pixels of the shrunk page
    places = corner_places()[corners.numbers][:, :2] * (square, -square)
    offset = corners.pixels - places
    assert np.abs(offset - offset.mean(0)).max() < 0.2
    # The line below is 100 mm long.
    dark = np.asarray(small) < 100
    line = max(dark[int(0.89 * 1395) :].sum(1))
    assert line == pytest.approx(100 * PIXELS_A_MM / 4, abs=4)


def test_rays_of_a_bent_lens_are_those_of_its_pixels():
    lens = DistortedLens("OPENCV", 640, 480, (576, 570, 322, 238, -0.2, 0.08, 0.002, -0.001))
    rays = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 2)) * (1.0, 0.75)
    assert lens.rays(lens.pixels(rays)) == pytest.approx(rays, abs=1e-9)
