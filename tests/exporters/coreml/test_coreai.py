"""The second opinion: the same graph in Apple's Core AI runtime, where that is installed."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.create import SHORT_LEG_FRAMES
from mobile_nelf.checkpoints import load_checkpoint, save_checkpoint
from mobile_nelf.deploy.contract import make_contract
from mobile_nelf.deploy.form import deploy_form
from mobile_nelf.deploy.layouts import find_layout
from mobile_nelf.errors import InputError, MissingExtraError, ParityError
from mobile_nelf.metrics import psnr_db
from mobile_nelf.rendering import student_frame_function
from mobile_nelf_exporters.coreml.coreai import coreai_frame_function
from mobile_nelf_exporters.coreml.exporter import CoremlExporter
from mobile_nelf_exporters.coreml.options import Options
from tests.helpers.students import random_checkpoint

#: Both sum in float32, in another order each. Tiny students reached 136 dB with the encoding in the
#: graph and 151 dB without.
FLOAT32_DB = 120.0

ASKED = {"second_opinion": True}

needs_coreai = pytest.mark.skipif(
    importlib.util.find_spec("coreai_torch") is None,
    reason='the Core AI runtime is not installed: pip install "mobile-nelf[coreai]"',
)


@pytest.fixture(scope="module")
def checkpoint():
    return random_checkpoint(sr_widths=(8,))


def _frame_function(checkpoint, layout, activation):
    form = deploy_form(checkpoint, find_layout(layout), activation, expand=False)
    return coreai_frame_function(form, make_contract(checkpoint, find_layout(layout), activation))


def _camera(checkpoint):
    return checkpoint.ray_camera(checkpoint.orbit.sweep(8)[3])


@needs_coreai
@pytest.mark.parametrize(
    ("layout", "shape"),
    [
        ("factored", {}),
        ("camera", {"out_channels": 4}),
        ("rays", {"activation": "relu"}),
        ("embedded", {"architecture": "r2l", "sr_widths": (), "activation": "relu"}),
    ],
)
def test_core_ai_renders_what_the_student_does(layout, shape):
    checkpoint = random_checkpoint(**{"sr_widths": (8,), **shape})
    activation = "relu" if "activation" in shape else "erf"
    frame = _frame_function(checkpoint, layout, activation)(_camera(checkpoint))
    expected = student_frame_function(checkpoint)(_camera(checkpoint))
    assert frame.dtype == np.float32
    assert psnr_db(frame, expected) >= FLOAT32_DB
    assert expected.std() > 0.05


@needs_coreai
def test_the_tanh_form_stays_the_tanh_form(checkpoint):
    """Against the trained erf form it must differ, and by as much as PyTorch says."""
    expected = deploy_form(checkpoint, find_layout("embedded"), "tanh", expand=False)
    expected = student_frame_function(checkpoint, expected.network)(_camera(checkpoint))
    frame = _frame_function(checkpoint, "embedded", "tanh")(_camera(checkpoint))
    assert psnr_db(frame, expected) >= FLOAT32_DB
    assert psnr_db(frame, student_frame_function(checkpoint)(_camera(checkpoint))) < FLOAT32_DB


@needs_coreai
def test_it_runs_inside_an_event_loop_and_leaves_no_files(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    frame = _frame_function(checkpoint, "factored", "erf")

    async def notebook():
        return frame(_camera(checkpoint))

    assert np.array_equal(asyncio.run(notebook()), frame(_camera(checkpoint)))
    assert list(tmp_path.iterdir()) == []


@needs_coreai
def test_the_command_adds_a_leg_and_nothing_else(checkpoint, tmp_path):
    save_checkpoint(checkpoint, tmp_path / "thing.pt")
    code = "import sys; from mobile_nelf.cli import main; main()"
    options = ["--target", "coreml", "--second-opinion", "-o", "asked/thing"]
    done = subprocess.run(
        [sys.executable, "-c", code, "bundle", "thing.pt", *options],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "student → Core AI runtime, fp32" in done.stdout
    assert "coreai-torch" not in done.stdout
    assert verify_bundle(tmp_path / "asked" / "thing").passed
    plain = create_bundle(
        load_checkpoint(tmp_path / "thing.pt"), target="coreml", output=tmp_path / "plain" / "thing"
    )
    assert not any("Core AI" in leg.name for leg in plain.manifest.parity)
    with_leg, without = _content(tmp_path / "asked" / "thing"), _content(plain.path)
    assert with_leg.keys() == without.keys()
    assert {path for path in without if with_leg[path] != without[path]} == {
        "manifest.json",
        "report.html",
    }


def _content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_without_core_ai_one_line_names_the_extra(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "coreai_torch", None)
    with pytest.raises(MissingExtraError) as caught:
        create_bundle(checkpoint, target="coreml", output=tmp_path / "thing", options=ASKED)
    assert str(caught.value) == (
        'coreai_torch is not installed; it comes with `pip install "mobile-nelf[coreai]"`'
    )
    assert list(tmp_path.iterdir()) == []


def test_it_is_no_default(checkpoint, monkeypatch):
    monkeypatch.setitem(sys.modules, "coreai_torch", None)
    assert CoremlExporter().export(checkpoint, "thing", Options()).opinions == ()


@pytest.mark.parametrize("target", ["lens", "onnx"])
def test_other_targets_refuse_it(checkpoint, tmp_path, target):
    with pytest.raises(
        InputError, match=f"target {target} has no option second_opinion; it has layout, activation"
    ):
        create_bundle(checkpoint, target=target, output=tmp_path / "thing", options=ASKED)


@pytest.fixture
def opinionated(monkeypatch):
    """Lets the exporter hand over its exact interpreter as an opinion, moved by a given amount."""
    export = CoremlExporter.export

    def install(error: float) -> None:
        def exported(self, checkpoint, name, options):
            done = export(self, checkpoint, name, options)
            exact = self.runtimes(done.files, done.contract)[0]
            opinion = replace(
                exact,
                name="opinion",
                artefact="",
                frame=lambda camera: exact.frame(camera) + np.float32(error),
            )
            return replace(done, opinions=(opinion,))

        monkeypatch.setattr(CoremlExporter, "export", exported)

    return install


@pytest.mark.slow
def test_opinions_come_last_and_on_few_frames(checkpoint, tmp_path, opinionated):
    opinionated(0.0)
    bundle = create_bundle(checkpoint, target="coreml", output=tmp_path / "thing")
    *others, leg = bundle.manifest.parity
    assert (leg.name, leg.frames, leg.artefact) == ("student → opinion", SHORT_LEG_FRAMES, "")
    assert leg.passed
    assert "Core ML program" in others[-1].name
    # The files alone do not hold what gave the opinion.
    verification = verify_bundle(bundle.path)
    assert verification.passed
    assert not any("opinion" in leg.name for leg in verification.legs)


def test_an_opinion_that_differs_stops_the_bundle(checkpoint, tmp_path, opinionated):
    opinionated(0.01)
    with pytest.raises(ParityError, match=r"student → opinion: 40\.\d dB.*demanded >= 60 dB"):
        create_bundle(checkpoint, target="coreml", output=tmp_path / "thing")
    assert list(tmp_path.iterdir()) == []
