"""`mnelf compare`: every figure has a source, and what has none is not measured."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from mobile_nelf.bundles import create_bundle
from mobile_nelf.bundles.manifest import read_manifest
from mobile_nelf.pruning.widths import macs
from mobile_nelf.surfaces.splat_files import write_splats
from mobile_nelf.surfaces.splats import Splats
from tests.helpers.cli import fits, read_json
from tests.helpers.devices import one_run, packaged_bundle, synthetic_result
from tests.helpers.students import random_checkpoint

WRONG = {"frames": 1, "psnr_db": [12.25], "worst_psnr_db": 12.25, "passed": False}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """A folder with bundles of one student for three targets."""
    folder = tmp_path_factory.mktemp("bundles")
    for target in ("lens", "onnx"):
        create_bundle(random_checkpoint(sr_widths=(8,)), target=target, output=folder / target)
    packaged_bundle(folder / "thing")
    return folder


@pytest.fixture
def here(bundles, tmp_path):
    for bundle in bundles.iterdir():
        shutil.copytree(bundle, tmp_path / bundle.name)
    return tmp_path


@pytest.fixture
def measure(here):
    """Puts files of devices into the bundle `thing`, each with its runs."""
    manifest = read_manifest(here / "thing")
    (here / "thing" / "measurements").mkdir()

    def write(*files, **changes):
        for number, runs in enumerate(files):
            data = synthetic_result(
                manifest, *(one_run(manifest, **run) for run in runs), **changes
            )
            path = here / "thing" / "measurements" / f"{number}.json"
            path.write_text(json.dumps(data))

    return write


def latency(p50):
    """Times that are all the same but for the slowest."""
    times = dict.fromkeys(("mean", "p50", "p90", "p99", "min"), p50)
    return {"latency_ms": {"count": 9, "max": 2 * p50, **times}}


def rows(mnelf, *arguments):
    return read_json(mnelf("compare", *arguments, "--json"))["rows"]


def test_without_a_device_there_is_no_speed(mnelf, here, student):
    found = rows(mnelf, student, "lens", "onnx", "thing", "--no-paper")
    assert [row["target"] for row in found] == ["", "lens", "onnx", "coreml", "coreml"]
    assert all(row["figures"] is None for row in found)
    result = mnelf("compare", student, "lens", "onnx", "thing", "--no-paper")
    assert result.exit_code == 0, result.output
    text = fits(result)
    assert "not measured: SSIM, p50 ms, FPS, memory" in text
    assert "p50" not in text.splitlines()[0]


def test_sizes_are_those_of_the_model_as_it_ships(mnelf, here, student, checkpoint):
    by_target = {row["target"]: row for row in rows(mnelf, student, "lens", "onnx", "--no-paper")}
    parameters = sum(
        value.numel()
        for name, value in checkpoint.weights.items()
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
    )
    assert by_target[""]["size_bytes"] == 2 * parameters
    lens = read_manifest(here / "lens").inspection
    assert by_target["lens"]["size_bytes"] == lens.bytes_on_device
    assert "predicted" in by_target["lens"]["size_of"]
    assert by_target["onnx"]["size_bytes"] == (here / "onnx" / "model.onnx").stat().st_size
    sizes = [row["size_bytes"] for row in rows(mnelf, "thing", "--no-paper")]
    folders = [here / "thing" / "thing.mlpackage", here / "thing" / "thing-palette6.mlpackage"]
    assert sizes == [
        sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        for folder in folders
    ]


def test_quality_of_the_student_and_of_its_artefact_stand_apart(mnelf, here, student):
    trained, lens, main, palette = rows(mnelf, student, "lens", "thing", "--no-paper")
    assert (trained["psnr_db"], trained["parity_db"]) == (12.5, None)
    assert lens["psnr_db"] is None
    legs = {leg.name: leg.psnr_db for leg in read_manifest(here / "lens").parity}
    # The worst way in which the artefact was executed, which is not that of the network before it.
    assert lens["parity_db"] == legs["student → ONNX Runtime, conv weights as fp16"]
    assert lens["parity_db"] < legs["student → ONNX Runtime"]
    assert main["psnr_db"] == palette["psnr_db"] == 26.01
    # Even where the leg of the network is the worst of all, it is not the artefact's.
    manifest = read_manifest(here / "onnx")
    worst = replace(manifest.parity[0], name="student → deploy form", psnr_db=1.0)
    manifest = replace(manifest, parity=(worst, *manifest.parity[1:]))
    (here / "onnx" / "manifest.json").write_bytes(manifest.to_bytes())
    (onnx,) = rows(mnelf, "onnx", "--no-paper")
    assert onnx["parity_db"] == manifest.parity[1].psnr_db > 60.0
    # The worst of its own legs, without that of the network before it.
    assert (main["weights"], main["parity_db"]) == ("fp16", 57.5)
    assert (palette["weights"], palette["parity_db"]) == ("palette6", 45.5)


def test_the_fastest_run_with_the_right_picture_is_shown(mnelf, measure):
    measure(
        [
            {"compute_units": "all", **latency(10.0)},
            {"compute_units": "cpuOnly", **latency(2.0), "self_check": WRONG},
            {"compute_units": "cpuAndGPU", **latency(1.0), "error": "stopped"},
        ],
        [{"compute_units": "cpuAndNeuralEngine", **latency(8.0), "display_fps": None}],
    )
    main, palette = rows(mnelf, "thing", "--no-paper")
    assert main["figures"]["p50_ms"] == 8.0
    assert main["figures"]["compute_units"] == "cpuAndNeuralEngine"
    assert (main["figures"]["fps"], main["figures"]["fps_source"]) == (125.0, "1000 / p50")
    assert main["further_runs"] == 3
    assert palette["figures"] is None
    text = " ".join(fits(mnelf("compare", "thing", "--no-paper")).split())
    assert "125*" in text
    assert "Synthetic1,1, TestOS 1.0, cpuAndNeuralEngine, 2026-11-23T10:00:00Z" in text
    assert "the best of 4 runs, see --all-runs" in text


def test_every_run_can_be_listed_and_a_wrong_picture_is_marked(mnelf, measure):
    measure(
        [
            {"compute_units": "all", **latency(10.0)},
            {"compute_units": "cpuOnly", **latency(2.0), "self_check": WRONG},
            {"compute_units": "cpuAndGPU", "error": "could not load"},
        ]
    )
    found = rows(mnelf, "thing", "--all-runs", "--no-paper")
    assert [row["figures"] and row["figures"]["compute_units"] for row in found] == [
        "all",
        "cpuOnly",
        "cpuAndGPU",
        None,
    ]
    assert [row["further_runs"] for row in found] == [0, 0, 0, 0]
    assert found[2]["figures"]["p50_ms"] is None
    assert found[2]["figures"]["error"] == "could not load"
    text = " ".join(fits(mnelf("compare", "thing", "--all-runs", "--no-paper")).split())
    assert "2 !" in text
    assert "WRONG PICTURE, worst frame 12.2 dB" in text
    assert "!: the device's frames are wrong, so its speed does not count" in text
    assert "failed: could not load" in text


def test_a_wrong_picture_is_shown_as_such_where_there_is_no_other(mnelf, measure):
    measure([{**latency(2.0), "self_check": WRONG}])
    text = " ".join(fits(mnelf("compare", "thing", "--no-paper")).split())
    assert "2 !" in text
    assert "WRONG PICTURE" in text


def test_conditions_that_slow_a_device_are_said(mnelf, measure):
    device = {"model": "Synthetic1,1", "os": "TestOS", "app_version": "1-debug", "low_power": True}
    measure([{"thermal": {"start": "fair", "end": "critical"}}], device=device)
    text = " ".join(fits(mnelf("compare", "thing", "--no-paper")).split())
    assert "slowed by Low Power Mode and a debug build of the app" in text
    assert "slowed by heat (critical at the end)" in text


def test_a_damaged_measurement_is_no_figure(mnelf, measure, here):
    measure([{}])
    (here / "thing" / "measurements" / "0.json").write_text("{}")
    result = mnelf("compare", "thing")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "thing: measurements/0.json: schema is None" in result.stderr


def test_the_rows_of_the_paper_are_those_of_its_table(mnelf, here):
    paper = [row for row in rows(mnelf, "onnx") if row["kind"] == "paper"]
    figures = [row["figures"] or {"fps": None, "memory_bytes": None} for row in paper]
    assert [row["size_bytes"] / 1e6 for row in paper] == [125, 13, 9, 8]
    assert [figure["fps"] for figure in figures] == [None, 20, 22, None]
    assert [figure["memory_bytes"] for figure in figures] == [None, 700_000, 680_000, None]
    assert all("Mishra, Wagholikar and Naik" in row["note"] for row in paper)
    assert all(row["psnr_db"] is row["parity_db"] is None for row in paper)
    text = fits(mnelf("compare", "onnx"))
    for part in ("125 MB", "13 MB", "9 MB", "20", "22", "700 kB", "680 kB", "iPad", "table 1"):
        assert part in text
    assert "MobileNeRF" not in mnelf("compare", "onnx", "--no-paper").stdout


def test_markdown_is_one_table_and_its_notes(mnelf, measure, here):
    shutil.move(here / "onnx", here / "a|b_*c*")
    measure([{"display_fps": None, "compute_units": "cpuOnly", "error": "a\n\n| b"}, {}])
    result = mnelf("compare", "a|b_*c*", "thing", "--markdown")
    assert result.exit_code == 0
    table, _, notes = result.stdout.partition("\n\n")
    lines = table.splitlines()
    columns = lines[0].replace("\\|", "").count("|")
    assert {line.replace("\\|", "").count("|") for line in lines} == {columns}
    assert lines[1].startswith("| --- | --- | ---: |")
    assert len(lines) == 2 + 3 + 4
    assert r"a\|b\_\*c\*" in lines[2]
    assert re.search(r"kB \| [\d.]+ \| n\. m\. \| [\d.]+ \|( n\. m\. \|){3}$", lines[2])
    assert "| 57.5 | 10 | 59.7 | 71 MB |" in lines[3]
    assert all(line.startswith("- ") for line in notes.splitlines())
    assert "Synthetic1,1" in notes
    everything = mnelf("compare", "thing", "--markdown", "--all-runs", "--no-paper").stdout
    assert r"failed: a \| b" in everything


def test_an_official_checkpoint_takes_the_lens_options_and_others_do_not_mind(
    mnelf, here, checkpoint, student
):
    torch.save({"network_fn_state_dict": checkpoint.weights}, here / "ckpt.tar")
    result = mnelf("compare", "ckpt.tar")
    assert result.exit_code == 2
    assert "--camera W,H,FOCAL,NEAR,FAR" in result.stderr
    line = (student, "ckpt.tar", "--camera", "2,2,2.8,2,6,4", "--no-paper")
    own, official = rows(mnelf, *line)
    assert own["size_bytes"] == official["size_bytes"]
    assert official["psnr_db"] is None


def test_mistakes_of_a_first_try(mnelf, here, scene):
    (here / "result.json").write_text("{}")
    (here / "empty").mkdir()
    for arguments, words, code in (
        ((), "Missing argument 'BUNDLE_CHECKPOINT_OR_SPLATS...'", 2),
        (("nothing",), "nothing: no such file, expected a checkpoint", 2),
        (("result.json",), "mnelf bench import result.json", 2),
        (("lens/lens_project/Assets/model.onnx",), "model.onnx: ", 2),
        (("thing/thing.mlpackage",), "is a part of the bundle", 2),
        (("empty",), "is not a bundle of mnelf", 1),
        (
            (".",),
            "is not a bundle; it contains the bundles lens, onnx, thing; pass those instead",
            2,
        ),
        (("onnx", "--markdown", "--json"), "--markdown and --json exclude each other", 2),
    ):
        result = mnelf("compare", *arguments)
        assert result.exit_code == code, (arguments, result.output)
        assert result.stdout == ""
        assert result.stderr.count("\n") == 1
        assert words in result.stderr


def test_splats_stand_beside_a_student_on_the_same_views(mnelf, here, student, scene):
    splats = Splats(
        np.random.default_rng(0).uniform(-0.5, 0.5, (30, 3)),
        np.full((30, 3), 0.1),
        np.tile([1.0, 0.0, 0.0, 0.0], (30, 1)),
        np.full(30, 0.9, np.float32),
        np.full((30, 3), 0.3, np.float32),
    )
    write_splats(here / "splat.spz", splats, 1.0, "")
    trained, drawn = rows(mnelf, student, "splat.spz", "--scene", scene, "--no-paper")
    for row, path in ((trained, student), (drawn, "splat.spz")):
        alone = read_json(mnelf("eval", path, scene, "--json"))["subsets"]["all"]["mean"]
        assert (row["psnr_db"], row["ssim"]) == (alone["psnr_db"], alone["ssim"])
    assert drawn["kind"] == "splat"
    assert drawn["size_bytes"] == (here / "splat.spz").stat().st_size
    text = " ".join(fits(mnelf("compare", "splat.spz", "--scene", scene, "--no-paper")).split())
    assert "splats; those of `mnelf export` are placed in closed form, not trained" in text
    assert "checkpoints and splats were measured on it now" in text
    (drawn,) = rows(mnelf, "splat.spz", "--no-paper")
    assert drawn["psnr_db"] is None


def test_checkpoints_are_timed_here_side_by_side(mnelf, here, student, checkpoint):
    found = rows(mnelf, student, "onnx", student, "--time", "--no-paper")
    assert [row["runtime_ms"] is not None for row in found] == [True, False, True]
    assert found[0]["runtime_ms"] > 0
    assert [row["peak_bytes"] is not None for row in found] == [True, False, True]
    shape = checkpoint.student
    picture = 4 * shape.out_channels * shape.image_width * shape.image_height
    # Before and after the sigmoid, and no more than a frame's tensors could be in all.
    assert 2 * picture <= found[0]["peak_bytes"] < 100 * picture
    assert all(row["macs"] == macs(checkpoint.student) for row in found[::2])
    text = fits(mnelf("compare", student, "onnx", "--time", "--no-paper"))
    assert {"ms", "peak"} <= set(text.split("─")[0].split())
    assert "not measured: SSIM, p50 ms, FPS, memory" in text
    assert rows(mnelf, student, "--no-paper")[0]["runtime_ms"] is None
