"""The page of a bundle: it shows what manifest and frames hold, and needs nothing else."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import onnx
import pytest
from PIL import Image

from mobile_nelf.bundles import create_bundle
from mobile_nelf.bundles.report.page import SIZE_NOTE, render_report
from mobile_nelf.bundles.report.pictures import ERROR_COLOURS, error_scale
from mobile_nelf.export.inspection import Finding, ModelRecord
from mobile_nelf.export.parity import proves_artefact
from mobile_nelf_exporters.coreml.placement import PlacementReport, PlacementRow, placement_table
from mobile_nelf_exporters.lens.exporter import LensStudioExporter
from mobile_nelf_exporters.snapml.check import Verdict, check_snapml
from mobile_nelf_exporters.snapml.inspection import layer_table
from mobile_nelf_exporters.snapml.schema import BACKEND_TITLES
from tests.helpers.students import random_checkpoint

#: Elements that have no end.
VOID = {"meta", "img", "br"}

#: What the page may weigh for frames of 800 × 800 pixels.
MAX_BYTES = 1_500_000


class Page(HTMLParser):
    """The text, tables and pictures of a page; refuses what is not nested well."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.images: list[dict[str, str]] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.feed(content.decode())
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag == "img":
            self.images.append(attributes)
        if tag == "table":
            self.rows = self.tables.setdefault(attributes["aria-label"], [])
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)
        if {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def checkpoint():
    return replace(
        random_checkpoint(sr_widths=(8,)),
        metrics={"test_psnr_db": 28.455},
        provenance={"scene": "<b>mic & co</b>"},
    )


@pytest.fixture(scope="module")
def bundle(checkpoint, tmp_path_factory):
    return create_bundle(checkpoint, target="lens", output=tmp_path_factory.mktemp("r") / "thing")


@pytest.fixture(scope="module")
def page(bundle):
    return Page((bundle.path / "report.html").read_bytes())


def _picture(image: dict[str, str]) -> Image.Image:
    kind, _, data = image["src"].partition(",")
    assert kind == "data:image/png;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def _frames(count, height, width, channels=3, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.random((height, width, channels), np.float32) for _ in range(count)]


def test_nothing_is_fetched_and_nothing_runs(page):
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed")
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:").startswith("data:")
        assert "href" not in attributes
    assert any("default-src 'none'" in attributes.get("content", "") for _, attributes in page.tags)


def test_the_page_can_be_read_aloud(page):
    assert all(len(image["alt"]) > 20 for image in page.images)
    assert len({image["alt"] for image in page.images}) == len(page.images) == 12
    assert ("html", {"lang": "en"}) in page.tags
    for tag, attributes in page.tags:
        if tag in ("table", "thead", "tbody", "tr", "th", "td"):
            assert attributes["role"], tag
        if tag == "th":
            assert attributes["scope"] in ("col", "row")
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(headings))


def _luminance(colour: str) -> float:
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def test_text_stands_out_in_both_schemes(bundle):
    """4.5 is what WCAG 2 asks of text of normal size."""
    text = (bundle.path / "report.html").read_text()
    schemes = [
        dict(re.findall(r"--([a-z-]+): (#\w{6})", part)) for part in text.split("@media")[:2]
    ]
    assert len(schemes) == 2
    for scheme in schemes:
        for ink, back in (
            ("ink", "paper"),
            ("soft", "paper"),
            ("good", "paper"),
            ("bad", "paper"),
            ("good", "good-back"),
            ("bad", "bad-back"),
        ):
            low, high = sorted((_luminance(scheme[ink]), _luminance(scheme[back])))
            assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, back)


def test_the_pictures_are_the_frames(bundle, page):
    reference = [_picture(image) for image in page.images[::3]]
    for index, picture in zip((0, 2, 4, 6), reference, strict=True):
        with Image.open(bundle.path / f"reference/frame_{index:03d}.png") as frame:
            assert np.array_equal(np.asarray(picture), np.asarray(frame))
    for ours, theirs in zip(page.images[1::3], reference, strict=True):
        # Fed through rounding to 8 bits, frames above 60 dB differ by one step at most.
        difference = np.asarray(_picture(ours), np.int16) - np.asarray(theirs, np.int16)
        assert np.abs(difference).max() <= 1


def test_every_figure_of_the_manifest_is_on_the_page(bundle, page):
    manifest = bundle.manifest
    rows = page.tables["Parity, step by step"][1:]
    assert [row[0] for row in rows] == [leg.name + leg.note for leg in manifest.parity]
    for row, leg in zip(rows, manifest.parity, strict=True):
        assert row[1] == ("ok" if leg.tolerance else "reported")
        assert row[3:] == [str(leg.frames), f"{leg.psnr_db:.1f}", f"{leg.max_error:.1e}"]
    model = "lens_project/Assets/model.onnx"
    report = check_snapml(onnx.load(bundle.path / model), output_scaled=False)
    layers = page.tables["Operators by back-end"]
    assert layers[0] == ["layer", "from", *BACKEND_TITLES.values(), "count"]
    for shown, row in zip(layers[1:], report.layers, strict=True):
        assert shown[0].startswith(row.layer)
        assert shown[1] == ", ".join(row.operators)
        assert shown[-1] == str(row.count)
    sizes = {row[0].removesuffix(SIZE_NOTE): row for row in page.tables["Size against budget"]}
    assert sizes[model][1] == f"{manifest.files[model].size / 1e6:.2f} MB"
    assert sizes["models after import"][1] == (
        f"{manifest.inspection.bytes_on_device / 1e6:.2f} MB"
    )
    assert sizes["models after import"][2].startswith("10.00 MB (")
    assert "Proved off-device." in page.text
    assert f"{manifest.contract.upload_bytes} bytes" in page.text
    assert f"{manifest.inspection.cost.macs / 1e9:.2f} GMAC" in page.text
    assert all(text in page.text for text in manifest.not_measured)
    assert "28.45" in page.text
    assert manifest.contract.weights_sha256 in page.text
    for rows in page.tables.values():
        assert {len(row) for row in rows} == {len(rows[0])}


def test_text_of_a_checkpoint_is_text(bundle, page):
    assert "<b>mic & co</b>" in page.text
    assert ("b", {}) not in page.tags
    assert b"<b>" not in (bundle.path / "report.html").read_bytes()


def test_the_page_repeats_and_holds_nothing_of_the_digest(bundle):
    frames = _frames(8, *bundle.manifest.contract.output.shape[2:])
    first = render_report(bundle.manifest, frames, frames)
    without = {path: r for path, r in bundle.manifest.files.items() if path != "report.html"}
    for manifest in (bundle.manifest, replace(bundle.manifest, digest="ab" * 32, files=without)):
        assert render_report(manifest, frames, frames) == first


def test_advice_is_on_the_page_where_a_target_has_some(bundle):
    heading, text = LensStudioExporter().advice()
    assert "is the better choice for rooms" in text
    page = Page(render_report(bundle.manifest, [], [], advice=(heading, text)))
    assert heading in page.text
    assert text in page.text
    assert heading not in Page(render_report(bundle.manifest, [], [])).text


def test_one_wrong_pixel_is_seen_after_shrinking(bundle):
    """The slow oracle: the largest error of each block, as a colour between two neighbours."""
    frame = _frames(1, 701, 800)[0]
    wrong = frame + np.float32(1e-4)
    wrong[317, 555, 1] += np.float32(0.25)
    page = Page(render_report(bundle.manifest, [frame], [wrong]))
    scale = error_scale(float(np.abs(wrong - frame).max()))
    assert scale == 0.3
    picture = np.asarray(_picture(page.images[2]).convert("RGB"))
    factor = int(re.search(r"at 1/(\d) of their size", page.text)[1])
    assert max(picture.shape) <= 320
    for row, column in ((0, 0), (317 // factor, 555 // factor), (700 // factor, 799 // factor)):
        block = np.s_[row * factor : (row + 1) * factor, column * factor : (column + 1) * factor]
        share = np.rint(np.abs(wrong[block] - frame[block]).max() / scale * 255) / 255
        position = share * (len(ERROR_COLOURS) - 1)
        low = min(int(position), len(ERROR_COLOURS) - 2)
        low_colour, high_colour = np.array(ERROR_COLOURS[low]), np.array(ERROR_COLOURS[low + 1])
        expected = low_colour + (position - low) * (high_colour - low_colour)
        assert np.abs(picture[row, column] - expected).max() <= 1
    lit = np.argwhere(picture.sum(axis=-1) > 200)
    assert lit.tolist() == [[317 // factor, 555 // factor]]


def test_noise_of_800_pixels_fits(bundle):
    """Nothing compresses worse; a page of real frames is far smaller."""
    reference, artefact = _frames(8, 800, 800), _frames(8, 800, 800, seed=1)
    content = render_report(bundle.manifest, reference, artefact)
    assert len(content) <= MAX_BYTES
    assert len(Page(content).images) == 12


@pytest.mark.parametrize(("count", "shown"), [(0, []), (1, [0]), (2, [0, 1]), (5, [0, 2, 4])])
def test_few_frames_are_enough(bundle, count, shown):
    frames = _frames(8, 12, 14, channels=4)
    page = Page(render_report(bundle.manifest, frames, frames[:count]))
    found = [int(image["alt"].split()[1]) for image in page.images[::3]]
    assert found == shown
    if count:
        assert "Alpha is not shown" in page.text
        assert "There is no difference" in page.text


def test_a_failed_leg_is_the_verdict(bundle):
    legs = tuple(
        replace(leg, passed=False) if proves_artefact(leg) else leg
        for leg in bundle.manifest.parity
    )
    page = Page(render_report(replace(bundle.manifest, parity=legs), [], []))
    failed = [leg.name for leg in legs if not leg.passed]
    demanded = len([leg for leg in legs if leg.tolerance])
    assert "student → ONNX Runtime" in failed
    sentence = f"Not proved. {len(failed)} of {demanded} demanded comparisons failed: "
    assert f"{sentence}{'; '.join(failed)}." in page.text
    assert "Proved off-device" not in page.text
    verdicts = [row[1] for row in page.tables["Parity, step by step"][1:]]
    assert verdicts.count("FAILED") == len(failed)
    unproved = replace(bundle.manifest, parity=bundle.manifest.parity[:1])
    assert "No artefact was executed" in Page(render_report(unproved, [], [])).text


def test_a_layer_that_a_back_end_lacks_is_named(bundle):
    inspection = bundle.manifest.inspection
    report = check_snapml(onnx.load(bundle.path / "lens_project/Assets/model.onnx"))
    first, *others = report.layers
    failing = Verdict(1, "Group size must be 1", "conv_7")
    for count, cell in ((1, "no"), (3, "2 of 3")):
        verdicts = {**first.verdicts, "iphone_npu": failing, "android_gpu": failing}
        row = replace(first, count=count, verdicts=verdicts)
        table = layer_table(replace(report, layers=(row, *others)))
        manifest = replace(bundle.manifest, inspection=replace(inspection, tables=(table,)))
        cells = Page(render_report(manifest, [], [])).tables["Operators by back-end"][1]
        assert cells[2:] == ["yes", "yes", cell, cell, str(count)]
        note = "iPhone NPU, Android GPU: Group size must be 1 (first at conv_7)"
        assert cells[0] == first.layer + note


def test_a_core_ml_bundle_has_placement_instead(bundle):
    """The figures of packages and rules; nothing here needs the converter."""
    rows = (
        PlacementRow("conv", "1×1", "fp16", 70, "neural_engine"),
        PlacementRow("cast", "", "fp16", 2, "gpu_or_cpu", "never there"),
    )
    inspection = replace(
        bundle.manifest.inspection,
        tables=(placement_table(PlacementReport(rows, ("a note",))),),
        models={"m.mlpackage": ModelRecord("palette6", "0" * 64, 1_500_000)},
        findings=(Finding("m.mlpackage", "warning", "it is large", "use int8"),),
    )
    record = next(iter(bundle.manifest.files.values()))
    files = {
        "m.mlpackage/a": replace(record, size=1_000_000),
        "m.mlpackage/b/c": replace(record, size=500_000),
        "m.mlpackage2/a": replace(record, size=7_000_000),
    }
    legs = (replace(bundle.manifest.parity[1], artefact="m.mlpackage"),)
    manifest = replace(bundle.manifest, inspection=inspection, files=files, parity=legs)
    page = Page(render_report(manifest, [], []))
    assert "Operators by back-end" not in page.tables
    assert "a note" in page.text
    assert "it is large; use int8" in page.text
    assert page.tables["Placement by the rules"][1:] == [
        ["conv", "1×1", "fp16", "Neural Engine", "70"],
        ["castnever there", "-", "fp16", "GPU or CPU", "2"],
    ]
    assert page.tables["Size against budget"][1:] == [
        ["m.mlpackageweights as palette6", "1.50 MB", "none"]
    ]


@pytest.mark.parametrize(
    ("largest", "end"),
    [(0.0, 0.0), (1.0, 1.0), (3e-6, 3e-6), (3.01e-6, 4e-6), (0.95, 1.0), (9.5e-4, 1e-3)],
)
def test_the_scale_has_one_digit_and_holds_the_error(largest, end):
    assert error_scale(largest) == end
