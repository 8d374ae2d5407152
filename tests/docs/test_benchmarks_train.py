"""The scripts behind the figures on training run, and what they measure is what they say."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from benchmarks import distillation_disk, training_curve, training_throughput
from benchmarks import teacher as teacher_script
from mobile_nelf.encoding import encode
from mobile_nelf.students import EncoderConfig, StudentConfig
from mobile_nelf.teachers.config import TeacherConfig
from mobile_nelf.teachers.files import TrainedTeacher, save_teacher
from mobile_nelf.teachers.marching import CELLS, OccupancyGrid
from mobile_nelf.teachers.ngp import NgpTeacher, build_field
from mobile_nelf.teachers.spaces import BoxSpace
from mobile_nelf.training.log import RunLog
from mobile_nelf.training.presets import find_preset
from mobile_nelf.training.ranks import Ranks
from mobile_nelf.training.student.learner import Learner
from mobile_nelf.training.views.patches import Patches
from mobile_nelf.training.views.pseudo_set import PseudoSetConfig, write_pseudo_set
from tests.helpers.sphere import ORBIT, sphere_scene

STUDENT = StudentConfig(EncoderConfig(2.0, 6.0), depth=4, width=8, ray_width=4, ray_height=4)
TINY = ["--depth", "4", "--width", "8", "--rays", "4", "--views", "3", "--steps", "2"]
RANKS = Ranks(torch.device("cpu"))
WAYS = ["research code", "research code, contiguous", "ours, muon", "ours, adamw"]
#: What `numpy.save` writes before a small array.
NPY_HEADER = 128
#: Sides of the views in the test of the disk, which the presets' students can render.
SIDE = 24
#: A thin line shares its pixels with the paper; it still is nearer to its colour than to any other.
EDGE = 60
#: A slot of the cache beside its pixels: number, rays, checksum; and the key before all.
RECORD_BYTES, KEY_BYTES = 8 + 12 * 8 + 4, 32


def _run(script: Any, arguments: list[str], monkeypatch: Any, capsys: Any) -> str:
    monkeypatch.setattr("sys.argv", ["script", *arguments])
    script.main()
    out: str = capsys.readouterr().out
    return out


def _table(out: str) -> list[list[str]]:
    """The rows of a Markdown table, without its rule."""
    rows = [line.strip()[1:-1].split("|") for line in out.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row] for row in rows]
    return [row for row in cells if set("".join(row)) != {"-"}]


@pytest.fixture
def ways(tmp_path):
    return training_throughput.open_ways(STUDENT, 2, 3, RANKS, tmp_path)


def test_the_throughput_of_all_ways_is_printed(monkeypatch, capsys):
    out = _run(training_throughput, [*TINY, "--device", "cpu"], monkeypatch, capsys)
    header, *rows = _table(out)
    assert header == ["", "images a step", "s a step", "images/s", "×"]
    assert [row[0] for row in rows] == WAYS
    rates = [float(row[3]) for row in rows]
    assert all(rate > 0.0 for rate in rates)
    assert rows[0][4] == "1.00"
    for row, rate in zip(rows, rates, strict=True):
        # Three digits are printed of each.
        assert float(row[4]) == pytest.approx(rate / rates[0], rel=0.02, abs=0.01)


def test_every_way_trains_its_network(ways):
    assert list(ways) == WAYS
    for name, way in ways.items():
        network = way.network if name.startswith("research") else way.learner.network
        before = [parameter.detach().clone() for parameter in network.parameters()]
        error = way.step()
        # Noise against a fresh network: between a perfect guess and black against white.
        assert 0.01 < error < 1.0, name
        moved = [not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True)]
        # A bias before a BatchNorm has no gradient.
        assert sum(moved) > 0.7 * len(moved), name


def test_the_research_way_reads_the_files_of_each_step(ways, tmp_path):
    way = ways["research code"]
    way.step()
    shutil.rmtree(tmp_path / "npy" / "rgb")
    with pytest.raises(FileNotFoundError):
        way.step()


def test_our_way_trains_on_the_views_of_the_cache_file(ways, tmp_path):
    view_bytes = 4 * STUDENT.image_width * STUDENT.image_height
    for optimizer in training_throughput.OPTIMIZERS:
        way = ways[f"ours, {optimizer}"]
        size = (tmp_path / f"{optimizer}.views").stat().st_size
        assert 3 * view_bytes <= size <= 1_000_000
        batches = _batches_of(way.learner)
        way.step()
        source = training_throughput.NoiseViews(STUDENT)
        views = [torch.from_numpy(source.view(index)[1]) for index in range(3)]
        for patch in batches[0].pixels:  # as large as a view
            assert any(torch.equal(patch, view) for view in views)


def _batches_of(learner: Learner) -> list[Patches]:
    """Returns a list that each step of `learner` adds its batch to."""
    batches: list[Patches] = []
    step = learner.step

    def noted(number: int, patches: Patches) -> torch.Tensor:
        batches.append(patches)
        return step(number, patches)

    learner.step = noted  # type: ignore[method-assign]
    return batches


def test_each_way_computes_in_its_own_form(ways):
    """Format of the input of the first layer, and number type of its output."""
    found = {}
    for name, way in ways.items():
        network = way.network if name.startswith("research") else way.learner.network

        def note(_layer, inputs, output, name=name):
            last = inputs[0].is_contiguous(memory_format=torch.channels_last)
            found[name] = (last, inputs[0].is_contiguous(), output.dtype)

        network.head[0].register_forward_hook(note)
        way.step()
    assert found == {
        "research code": (True, False, torch.float32),
        "research code, contiguous": (False, True, torch.float32),
        "ours, muon": (True, False, torch.bfloat16),
        "ours, adamw": (True, False, torch.bfloat16),
    }


def test_images_are_counted_by_the_pixel(tmp_path):
    """Patches of 16 rays do not fill a grid of 20: two of them are 1.28 images."""
    student = replace(STUDENT, ray_width=20, ray_height=20)
    config = training_throughput.our_config(student, 1, 2, "adamw")
    way = training_throughput.OurWay(student, tmp_path, config, RANKS)
    batches = _batches_of(way.learner)
    way.step()
    pixels = batches[0].pixels.shape[:3].numel()
    assert pixels == 2 * 128**2
    assert way.images == pixels / (student.image_width * student.image_height)
    whole = training_throughput.our_config(StudentConfig(STUDENT.encoder), 1, 20, "muon")
    assert whole.patches == 39  # of 39.06 that make 100×100 rays
    assert whole.cache_mb == 52  # twenty views of 800×800


def test_the_research_encoding_is_the_official_one():
    points = torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(0))
    encoded = training_throughput.pixelwise_encoding(points.permute(0, 2, 3, 1), 4)
    # The same operations on the same numbers; how they are vectorised may differ in the last bit.
    torch.testing.assert_close(encoded.permute(0, 3, 1, 2), encode(points, 4))


@pytest.fixture
def teacher(tmp_path) -> TrainedTeacher:
    """An untrained teacher, in whose box half of the cells are full."""
    torch.manual_seed(0)
    config = TeacherConfig(resolutions=(4, 8), channels=2, march_steps=16)
    space = BoxSpace((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0))
    field = build_field(config, space, torch.device("cpu"))
    trained = TrainedTeacher(
        NgpTeacher(config, space, field, OccupancyGrid(torch.rand(CELLS**3) < 0.5)).rounded()
    )
    save_teacher(trained, tmp_path / "teacher.pt")
    return trained


def test_the_disk_of_all_ways_is_measured(tmp_path, teacher, monkeypatch, capsys):
    scene = sphere_scene(tmp_path / "scene")
    arguments = [str(tmp_path / "teacher.pt"), str(scene.path), "--size", str(SIDE)]
    arguments += ["--samples", "2", "--views", "10", "--preset", "tiny", "--steps", "5"]
    header, *table = _table(_run(distillation_disk, arguments, monkeypatch, capsys))
    assert header == ["", "measured", "bytes", "× smaller", "share"]
    assert [row[0] for row in table] == [".npy set", "mnelf distill", "streamed"]
    rows = json.loads(_run(distillation_disk, [*arguments, "--json"], monkeypatch, capsys))["rows"]
    assert [int(row[2].replace(",", "")) for row in table] == [
        row["bytes"] for row in rows.values()
    ]
    npy = 10 * (NPY_HEADER + 12 * SIDE**2 + NPY_HEADER + 12)
    assert rows[".npy set"]["bytes"] == npy
    sized = distillation_disk.at_size(scene, SIDE, 8)
    write_pseudo_set(teacher, sized, PseudoSetConfig(2), tmp_path / "own")
    own = sum(path.stat().st_size for path in (tmp_path / "own").rglob("*") if path.is_file())
    assert rows["mnelf distill"]["bytes"] == 10 * own / 2
    fit = find_preset("tiny").fit
    slots = fit.first_views + 5 * fit.patches // fit.view_uses
    streamed = slots * (4 * SIDE**2 + RECORD_BYTES) + KEY_BYTES
    assert rows["streamed"]["bytes"] == streamed
    for row in rows.values():
        assert row["share"] == pytest.approx(row["bytes"] / npy)
        assert row["times_smaller"] == pytest.approx(npy / row["bytes"])


def test_views_are_rendered_at_the_size_asked_for(tmp_path, teacher):
    scene = distillation_disk.at_size(sphere_scene(tmp_path / "scene"), 50, 8)
    config = PseudoSetConfig(1)
    _, view = distillation_disk.distilled(teacher, scene, config, tmp_path / "set")
    with Image.open(view.path) as image:
        assert image.size == (48, 48)  # the largest that divides by 8


def test_a_long_run_needs_no_more_than_its_cache(tmp_path):
    fit = replace(find_preset("tiny").fit, steps=10**6, cache_mb=1)
    student = replace(STUDENT, ray_width=8, ray_height=8)
    camera = training_throughput.view_camera(ORBIT.pose(0, 20, 4)[:, 3], 64, 64)
    size = distillation_disk.streamed_bytes(student, fit, camera, tmp_path / "run")
    slots = 1_000_000 // (4 * 64 * 64)
    assert size == slots * (4 * 64 * 64 + RECORD_BYTES) + KEY_BYTES


def test_a_teacher_is_timed_and_judged(tmp_path, monkeypatch, capsys):
    scene = sphere_scene(tmp_path / "scene")
    arguments = [str(scene.path), "--preset", "tiny", "--samples", "512", "--steps", "2", "3"]
    header, *rows = _table(_run(teacher_script, arguments, monkeypatch, capsys))
    assert header[:4] == ["steps", "threads", "CPU s", "CPU ms a step"]
    assert [row[0] for row in rows] == ["2", "3"]
    for row in rows:
        mean, worst = float(row[4]), float(row[5])
        assert 0.0 < worst <= mean < 60.0
        assert float(row[3]) > 0.0
        assert float(row[6]) > 0.0


def _written_log(folder: Path) -> None:
    """Two stages of a run, the second with a line that is being written."""
    log = RunLog(folder, "train", 0)
    log.write(200, 240.0, psnr_db=12.0)
    log.write(400, 480.0, psnr_db=16.0, photo_psnr_db=10.0)
    log.close()
    log = RunLog(folder, "photos", 0)
    log.write(0, 0.0, photo_psnr_db=10.0)
    log.write(100, 120.0, psnr_db=18.0, photo_psnr_db=20.0)
    log.close()
    with (folder / "log.jsonl").open("a") as file:
        file.write('{"stage": "photos", "st')


def test_minutes_and_steps_of_stages_add_up(tmp_path):
    _written_log(tmp_path)
    line = training_curve.Line
    assert training_curve.read_lines(tmp_path) == [
        line("train", 200, 4.0, 0.2, 12.0, None),
        line("train", 400, 8.0, 0.4, 16.0, 10.0),
        line("photos", 0, 8.0, 0.4, None, 10.0),
        line("photos", 100, 10.0, 0.5, 18.0, 20.0),
    ]


def test_a_curve_is_printed_and_drawn(tmp_path, monkeypatch, capsys):
    _written_log(tmp_path)
    arguments = [str(tmp_path), str(tmp_path / "curve.png")]
    header, *rows = _table(_run(training_curve, arguments, monkeypatch, capsys))
    assert header == ["stage", "step", "minutes", "training dB", "held-out dB"]
    assert rows == [
        ["train", "200", "4.0", "12.00", ""],
        ["train", "400", "8.0", "16.00", "10.00"],
        ["photos", "0", "8.0", "", "10.00"],
        ["photos", "100", "10.0", "18.00", "20.00"],
    ]
    with Image.open(tmp_path / "curve.png") as file:
        picture = file.convert("RGB")
    # The axes go from 0 to 10 minutes and from 10 to 20 dB.
    left, right = training_curve.LEFT, training_curve.WIDTH - training_curve.RIGHT
    top, floor = training_curve.TOP, training_curve.HEIGHT - training_curve.BOTTOM
    begin = round(left + 0.8 * (right - left))
    assert picture.getpixel((begin, floor)) == training_curve.HELD_OUT
    assert picture.getpixel((right, top)) == training_curve.HELD_OUT
    # Half-way between the two points of the first stage: 6 minutes, 14 dB.
    middle = (round(left + 0.6 * (right - left)), round(floor - 0.4 * (floor - top)))
    seen = picture.getpixel(middle)
    assert max(abs(a - b) for a, b in zip(seen, training_curve.TRAINING, strict=True)) < EDGE
    # The same as minutes, where a step of the second stage is as long as one of the first.
    _run(training_curve, [*arguments, "--over", "steps"], monkeypatch, capsys)
    with Image.open(tmp_path / "curve.png") as file:
        assert file.convert("RGB").getpixel((begin, floor)) == training_curve.HELD_OUT


def test_a_long_table_keeps_its_ends():
    lines = [training_curve.Line("train", i, float(i), i / 1000, 1.0, None) for i in range(100)]
    kept = training_curve.thinned(lines, 7)
    assert len(kept) == 7
    assert (kept[0], kept[-1]) == (lines[0], lines[-1])


@pytest.mark.parametrize(("lowest", "highest"), [(0.0, 0.1), (0.0, 97.0), (9.3, 33.1), (20, 20.4)])
def test_ticks_are_few_and_enclose_the_range(lowest, highest):
    ticks = training_curve.ticks(lowest, highest)
    assert ticks[0] <= lowest
    assert ticks[-1] >= highest - 1e-9
    assert 3 <= len(ticks) <= 2 * training_curve.TICKS
    assert len({f"{tick:g}" for tick in ticks}) == len(ticks)


def test_a_run_without_a_measurement_has_no_curve(tmp_path, monkeypatch, capsys):
    (tmp_path / "log.jsonl").write_text("")
    with pytest.raises(SystemExit) as stop:
        _run(training_curve, [str(tmp_path), str(tmp_path / "curve.png")], monkeypatch, capsys)
    assert stop.value.code == 2
    assert "holds no measured step yet" in capsys.readouterr().err
    assert not (tmp_path / "curve.png").exists()
