"""The page as a file: what is in it, what it may do, and what is noticed when it was changed."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace

import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.measured import import_measurement
from mobile_nelf.comparison import compare
from mobile_nelf.errors import BundleError, DeployError, InputError
from mobile_nelf_exporters.web import exporter, page
from mobile_nelf_exporters.web.exporter import WebExporter
from mobile_nelf_exporters.web.options import Options
from mobile_nelf_exporters.web.page import ELEMENT, PAGE, WEIGHTS, read_page, render_page
from tests.helpers.students import random_checkpoint


@pytest.fixture(scope="module")
def exported():
    return WebExporter().export(random_checkpoint(sr_widths=(8,)), "thing", Options())


@pytest.fixture
def without_browser(monkeypatch):
    monkeypatch.setattr(exporter, "browser_path", lambda: None)


def test_a_page_is_read_back_and_written_again_to_the_byte(exported):
    found = read_page(exported.files)
    assert render_page(found) == {name: exported.files[name] for name in (PAGE, ELEMENT)}
    again = WebExporter().export(random_checkpoint(sr_widths=(8,)), "thing", Options())
    assert again.files == exported.files


def test_the_policy_allows_this_script_and_nothing_else(exported):
    text = exported.files[PAGE].decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == rules["connect-src"] == rules["base-uri"] == "'none'"
    for rule, element in (("script-src", "script"), ("style-src", "style")):
        (inside,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert re.findall(r"https?://[^\s\"'<]+", text) == []
    assert not re.search(r"\son\w+=|\bstyle=", text)


def test_no_name_leaves_its_place(exported):
    found = read_page(exported.files)
    name = '</script><script>"&\u2028'
    text = render_page(replace(found, scene={**found.scene, "name": name}))[PAGE].decode()
    assert text.count("<script>") == 1
    assert read_page({PAGE: text.encode()}).scene["name"] == name


def test_large_weights_lie_beside_the_page(exported, monkeypatch):
    monkeypatch.setattr(page, "MAX_INSIDE", 1000)
    found = read_page(exported.files)
    files = render_page(found)
    assert files[WEIGHTS] == found.weights
    assert b"connect-src 'self'" in files[PAGE]
    assert read_page(files).weights == found.weights
    with pytest.raises(BundleError, match="cannot be read"):
        read_page({PAGE: files[PAGE]})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda text: "", "cannot be read (found 0 parts"),
        (lambda text: text.replace('id="scene">{', 'id="scene">['), "cannot be read"),
        (lambda text: text.replace('"artefact_sha256": "', '"artefact_sha256": "0'), "their hash"),
        (lambda text: text.replace('id="weights">', 'id="weights">AAAA'), "their hash"),
        (lambda text: text.replace('id="weights">', 'id="weights">?'), "cannot be read"),
        (lambda text: text + '<script type="application/json" id="scene">{}</script>', "found 2"),
    ],
)
def test_broken_pages_are_refused(exported, change, expected):
    text = change(exported.files[PAGE].decode())
    with pytest.raises(BundleError) as caught:
        WebExporter().inspect({**exported.files, PAGE: text.encode()})
    assert expected in str(caught.value)


def test_another_contract_is_noticed(exported):
    other = replace(exported.contract, min_psnr_db=99.0)
    with pytest.raises(BundleError, match="another contract"):
        WebExporter().runtimes(exported.files, other)


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(DeployError, match="a node of SnapML"):
        WebExporter().export(random_checkpoint(sr_widths=(8,)), "x", Options(activation="gelusnap"))
    with pytest.raises(InputError, match="page name"):
        WebExporter().export(random_checkpoint(sr_widths=(8,)), "a b", Options())


def test_heavy_frames_are_warned_of(exported, monkeypatch):
    assert WebExporter().inspect(exported.files).findings == ()
    monkeypatch.setattr(exporter, "HEAVY_GFLOP", 1e-6)
    (warning,) = WebExporter().inspect(exported.files).findings
    assert warning.severity == "warning"
    assert "smaller preset" in warning.advice


def test_a_bundle_without_a_browser_says_what_was_not_measured(tmp_path, without_browser):
    path = tmp_path / "thing"
    manifest = create_bundle(random_checkpoint(sr_widths=(8,)), target="web", output=path).manifest
    assert [leg.name for leg in manifest.parity][1:] == [
        "student → layers and weights of the page",
        "student → page on WebGPU with f16",
    ]
    assert "Chromium is not installed" in " ".join(manifest.not_measured)
    assert verify_bundle(path).passed


def test_a_strange_script_is_marked_and_needs_the_browsers_sandbox(exported, monkeypatch):
    monkeypatch.setattr(exporter, "browser_path", lambda: "/bin/true")
    own = WebExporter().runtimes(exported.files, exported.contract)
    assert [runtime.runs_scripts for runtime in own] == [False] * 5
    monkeypatch.setattr(exporter, "can_contain", lambda: True)
    for name in (PAGE, ELEMENT):
        strange = exported.files[name].replace(b'"use strict";', b'"use strict";;')
        files = {**exported.files, name: strange}
        marked = WebExporter().runtimes(files, exported.contract)
        assert [runtime.runs_scripts for runtime in marked] == [False, False, True, True, True]
    monkeypatch.setattr(exporter, "can_contain", lambda: False)
    assert len(WebExporter().runtimes(files, exported.contract)) == 2


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda p: p.pop("steps"), "key 'steps' is missing"),
        (lambda p: p["steps"].clear(), "0 layers"),
        (lambda p: p.update(slots=10**9), "slots"),
        (lambda p: p["steps"][2].update(src=99), "layer 2 reads a result of another shape"),
        (lambda p: p["steps"][2].update(dst=99), "reads a result of another shape"),
        (lambda p: p["steps"][0].update(inputs=10**7), "inputs is 10000000"),
        (lambda p: p["steps"][0].update(scale=1000), "expected 64 at most"),
        (lambda p: p["steps"][0].update(weights=10**6), "layer 0 reads weights that are not"),
        (lambda p: p["steps"][0].update(bias=-1), "layer 0 reads weights that are not"),
        (lambda p: p["steps"][0].update(taps=[[[0, 5]]]), "a neighbour"),
        (lambda p: p["steps"][0].update(act="tan"), "expected one of"),
        (lambda p: p.update(weights=4), "layer 0 reads weights that are not"),
    ],
)
def test_layers_that_make_no_sense_are_refused(exported, change, expected):
    scene = json.loads(json.dumps(read_page(exported.files).scene))
    change(scene["program"])
    files = render_page(replace(read_page(exported.files), scene=scene))
    for use in (WebExporter().inspect, lambda f: WebExporter().runtimes(f, exported.contract)):
        with pytest.raises(BundleError) as caught:
            use(files)
        assert expected in str(caught.value)


def test_layers_of_another_picture_are_refused(exported):
    other = WebExporter().export(random_checkpoint(sr_widths=(8, 8)), "thing", Options())
    mixed = replace(
        read_page(other.files),
        scene={
            **read_page(other.files).scene,
            "contract": read_page(exported.files).scene["contract"],
        },
    )
    with pytest.raises(BundleError, match="another picture"):
        WebExporter().runtimes(render_page(mixed), exported.contract)


def test_what_a_browser_measured_is_imported(tmp_path, without_browser):
    path = tmp_path / "thing"
    manifest = create_bundle(random_checkpoint(sr_widths=(8,)), target="web", output=path).manifest
    latency = {"count": 2, "mean": 9, "p50": 9, "p90": 9, "p99": 9, "min": 9, "max": 9}
    run = {
        "model": PAGE,
        "weights_sha256": manifest.inspection.models[PAGE].sha256,
        "compute_units": "webgpu",
        "cold_load_ms": 3.0,
        "first_frame_ms": 4.0,
        "warm_up_frames": 1,
        "latency_ms": latency,
        "self_check": {"frames": 1, "psnr_db": [70.0], "worst_psnr_db": 70.0, "passed": True},
    }
    result = {
        "schema": 1,
        "device": {
            "model": "Made up 7",
            "os": "Android 16",
            "app_version": "mnelf 0.1.0",
            "low_power": False,
            "adapter": "made up",
            "user_agent": "none",
        },
        "date": "2026-11-27T18:00:00.123Z",
        "bundle": {"name": manifest.name, "weights_sha256": manifest.contract.weights_sha256},
        "runs": [run],
    }
    file = tmp_path / "result.json"
    file.write_text(json.dumps(result), encoding="utf-8")
    import_measurement(file, path)
    assert verify_bundle(path).passed
    (row,) = compare(path)
    assert (row.target, row.figures.device, row.figures.compute_units) == (
        "web",
        "Made up 7",
        "webgpu",
    )
    run["weights_sha256"] = "0" * 64
    file.write_text(json.dumps(result), encoding="utf-8")
    with pytest.raises(InputError, match="weights_sha256 is 000000000000"):
        import_measurement(file, path)
