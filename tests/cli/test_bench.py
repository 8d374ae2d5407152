"""`mnelf bench import`: what it prints, and that a wrong picture is never passed over."""

from __future__ import annotations

import json
import shutil

import pytest

from mobile_nelf.bundles.manifest import read_manifest
from tests.helpers.cli import fits, read_json
from tests.helpers.devices import one_run, onnx_bundle, packaged_bundle, synthetic_result

STORED = "thing/measurements/Synthetic1,1-2026-11-23T100000Z.json"
WRONG = {"frames": 2, "psnr_db": [61.5, 12.25], "worst_psnr_db": 12.25, "passed": False}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles") / "thing"
    packaged_bundle(folder)
    return folder


@pytest.fixture
def bundle(original, tmp_path):
    shutil.copytree(original, tmp_path / "thing")
    return read_manifest(tmp_path / "thing")


@pytest.fixture
def share(bundle, tmp_path):
    """Writes the file of a device with these runs."""

    def write(*runs, **changes):
        data = synthetic_result(bundle, *runs, **changes)
        (tmp_path / "result.json").write_text(json.dumps(data))

    return write


def _refused(result, *parts, code=2):
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("mnelf: ")
    assert result.stderr.count("\n") == 1
    for part in parts:
        assert part in result.stderr


def test_an_import_prints_what_was_measured(mnelf, share, bundle, tmp_path):
    share(
        one_run(bundle),
        one_run(bundle, compute_units="cpuOnly", display_fps=None, placement=None),
    )
    result = mnelf("bench", "import", "result.json", "thing")
    assert result.exit_code == 0, result.output
    text = fits(result)
    for part in ("Synthetic1,1, TestOS 1.0", STORED, "10", "12", "59.7", "71.00 MB", "60.2 dB ok"):
        assert part in text
    assert "72/0/3/1" in text
    # Beside each other: one prediction after the other, and what was seen.
    assert "10/12" in text
    assert "1000/p50: one prediction after the other, nothing shown; FPS: on the screen" in text
    assert "display: shows at most 120 frames a second" in text
    assert "WRONG" not in text
    assert "mnelf compare thing" in text
    assert (tmp_path / STORED).is_file()


def test_json_holds_the_whole_measurement(mnelf, share, bundle):
    share()
    data = read_json(mnelf("bench", "import", "result.json", "--json"))
    assert data["path"] == STORED
    assert data["bundle"] == "thing"
    assert data["passed"] is True
    assert data["measurement"] == synthetic_result(bundle)


def test_a_wrong_picture_exits_with_1_and_is_kept(mnelf, share, bundle, tmp_path):
    share(one_run(bundle), one_run(bundle, compute_units="cpuOnly", self_check=WRONG))
    result = mnelf("bench", "import", "result.json", "thing")
    assert result.exit_code == 1
    text = " ".join(fits(result).split())
    assert "12.2 dB WRONG" in text
    assert "WRONG PICTURE, thing.mlpackage on cpuOnly: the device's frames differ from" in text
    assert "its speed does not count" in text
    assert "thing.mlpackage on all:" not in text
    assert (tmp_path / STORED).is_file()
    data = mnelf("bench", "import", "result.json", "thing", "--force", "--json")
    assert data.exit_code == 1
    assert json.loads(data.stdout)["passed"] is False


def test_a_run_that_broke_off_is_shown_with_its_words(mnelf, share, bundle):
    broken = one_run(bundle, compute_units="cpuAndGPU", error="no memory\x1b[31m left")
    share(broken, one_run(bundle, thermal={"start": "fair", "end": "serious"}))
    result = mnelf("bench", "import", "result.json", "thing")
    assert result.exit_code == 0, result.output
    text = " ".join(fits(result).split())
    assert "thing.mlpackage on cpuAndGPU: failed: no memory?[31m left" in text
    assert "thing.mlpackage on all: slowed by heat (serious at the end)" in text


def test_what_slows_the_device_is_said(mnelf, share):
    device = {"model": "Synthetic1,1", "os": "TestOS", "app_version": "1-debug", "low_power": True}
    share(device=device)
    text = " ".join(fits(mnelf("bench", "import", "result.json")).split())
    assert "slowed by Low Power Mode and a debug build of the app" in text


def test_the_rules_stand_beside_the_answer_of_the_device(mnelf, tmp_path):
    manifest = packaged_bundle(tmp_path / "thing")
    answer = {
        "ios17.conv": {"neural_engine": 69, "gpu": 1},
        "ios16.conv": {"neural_engine": 1, "cpu": 1},
        "ios17.cast": {"cpu": 2},
        "ios17.concat": {"neural_engine": 1},
    }
    runs = [
        one_run(manifest, compute_units="all", placement_by_operation=answer),
        one_run(manifest, compute_units="cpuAndNeuralEngine", placement_by_operation={}),
        one_run(manifest, compute_units="cpuOnly", placement_by_operation={"ios17.x": {"cpu": 1}}),
        one_run(manifest, "thing-palette6.mlpackage", placement_by_operation={"y": {"cpu": 1}}),
    ]
    (tmp_path / "result.json").write_text(json.dumps(synthetic_result(manifest, *runs)))
    data = read_json(mnelf("bench", "import", "result.json", "--json"))
    said, table = data["tables"]
    assert [row["cells"][0] for row in said["rows"]] == ["thing"] * 3 + ["thing-palette6"]
    settings = ["device, all", "device, cpuAndNeuralEngine"]
    assert table["columns"] == ["operation", "by the rules", *settings]
    assert [row["cells"] for row in table["rows"]] == [
        ["conv", "72 Neural Engine", "70 Neural Engine, 1 GPU, 1 CPU", "-"],
        ["cast", "2 GPU or CPU", "2 CPU", "-"],
        ["concat", "-", "1 Neural Engine", "-"],
    ]
    text = " ".join(fits(mnelf("bench", "import", "result.json", "--force")).split())
    assert "conv 72 Neural Engine 70 Neural Engine, 1 GPU, 1 CPU" in text
    assert "conv: all: 2 fewer on the Neural Engine than by the rules" in text
    assert "conv: cpuAndNeuralEngine: 72 fewer on the Neural Engine than by the rules" in text
    assert "cast:" not in text


def test_without_rules_or_an_answer_there_is_nothing_to_put_side_by_side(mnelf, tmp_path):
    manifest = onnx_bundle(tmp_path / "unruled" / "thing")
    (tmp_path / "new.json").write_text(json.dumps(synthetic_result(manifest)))
    line = ("bench", "import", "new.json", "unruled/thing", "--json")
    assert read_json(mnelf(*line))["tables"] == []
    manifest = packaged_bundle(tmp_path / "ruled" / "thing")
    result = synthetic_result(manifest, one_run(manifest, placement_by_operation=None))
    (tmp_path / "old.json").write_text(json.dumps(result))
    line = ("bench", "import", "old.json", "ruled/thing", "--json")
    (said,) = read_json(mnelf(*line))["tables"]
    assert said["title"] == "What the device said of each run"


def test_mistakes_of_a_first_try(mnelf, share, bundle, tmp_path):
    share()
    _refused(mnelf("bench", "import"), "Missing argument 'RESULT.json'", "mnelf bench import -h")
    _refused(mnelf("bench", "imprt"), "No such command 'imprt'")
    _refused(mnelf("bench", "import", "nothing.json"), "nothing.json: no such file, expected the")
    _refused(mnelf("bench", "import", "thing", "result.json"), "thing: is a directory, expected")
    _refused(
        mnelf("bench", "import", "result.json", "thing/manifest.json"),
        "thing/manifest.json: no such folder, expected the bundle that was measured",
    )
    _refused(mnelf("bench", "import", "thing/manifest.json"), "manifest.json: schema is 3")
    _refused(
        mnelf("bench", "import", "result.json", "."),
        "is not a bundle; it contains the bundles thing; pass",
    )
    (tmp_path / "empty").mkdir()
    _refused(mnelf("bench", "import", "result.json", "empty"), "is not a bundle of mnelf", code=1)
    assert not (tmp_path / "thing" / "measurements").exists()
    assert mnelf("bench", "import", "result.json").exit_code == 0
    _refused(mnelf("bench", "import", "result.json"), "exists already", "--force")


def test_bench_alone_shows_its_help(mnelf):
    result = mnelf("bench")
    assert result.exit_code == 0
    assert result.stdout == mnelf("bench", "-h").stdout
    assert "ios_harness" in result.stdout
    for option in ("--json", "--debug", "--force"):
        assert option in mnelf("bench", "import", "-h").stdout


def test_only_a_mac_measures_by_itself(mnelf, bundle):
    _refused(
        mnelf("bench", "run", "thing"), "Core ML is on Apple's systems alone: run this on a Mac"
    )
