"""Whether a bundle was made here, and what happens to the scripts of one that was not."""

from __future__ import annotations

import json
import os
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.bundles.manifest import FileRecord, read_manifest
from mobile_nelf.bundles.origin import remember, was_made_here
from mobile_nelf.bundles.preview import preview_bundle
from mobile_nelf.cli import cli
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint

CONTROLLER = "lens_project/Assets/NelfController.js"
LEG = "the lens in Node.js"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    output = tmp_path_factory.mktemp("bundles") / "thing"
    return create_bundle(random_checkpoint(sr_widths=(8,)), target="lens", output=output)


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    """Another machine: an empty state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "mnelf"


def _legs(verification) -> str:
    return " ".join(leg.name for leg in verification.legs)


@needs_node
def test_bundles_made_here_verify_fully_wherever_they_lie(made, tmp_path):
    assert was_made_here(made.manifest)
    shutil.copytree(made.path, tmp_path / "copy")
    verification = verify_bundle(tmp_path / "copy")
    assert verification.passed
    assert verification.not_repeated == ()
    assert LEG in _legs(verification)


@needs_node
def test_scripts_of_others_run_only_when_asked_for(made, state, tmp_path):
    verification = verify_bundle(made.path)
    assert verification.passed
    (left_out,) = verification.not_repeated
    assert LEG in left_out
    assert "was not made on this machine; set run_scripts to run them" in left_out
    assert verification.scripts_left_out == (left_out,)
    assert f"not repeated here: {left_out}" in repr(verification)
    assert LEG not in _legs(verification)
    asked = verify_bundle(made.path, run_scripts=True)
    assert asked.not_repeated == ()
    assert LEG in _legs(asked)
    for run_scripts in (False, True):
        preview = preview_bundle(
            made.path,
            tmp_path / f"{run_scripts}.gif",
            frames=2,
            screen=(36, 64),
            run_scripts=run_scripts,
        )
        assert (preview.interactive, preview.scripts_left_out) == (run_scripts, not run_scripts)


@needs_node
def test_a_changed_script_makes_a_bundle_foreign(made, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(made.path, copy)
    script = copy / CONTROLLER
    script.write_bytes(script.read_bytes() + b"\n// changed\n")
    manifest = read_manifest(copy)
    files = {**manifest.files, CONTROLLER: FileRecord.of(script.read_bytes())}
    (copy / "manifest.json").write_bytes(replace(manifest, files=files).to_bytes())
    (left_out,) = verify_bundle(copy).not_repeated
    assert LEG in left_out


@needs_node
def test_a_foreign_manifest_that_hides_the_leg_is_named_all_the_same(made, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(made.path, copy)
    manifest = read_manifest(copy)
    (copy / "manifest.json").write_bytes(replace(manifest, parity=()).to_bytes())
    (left_out,) = verify_bundle(copy).not_repeated
    assert LEG in left_out


def test_the_bytes_do_not_depend_on_the_key(made, state, tmp_path):
    again = create_bundle(
        random_checkpoint(sr_widths=(8,)), target="lens", output=tmp_path / "thing"
    )
    assert (again.path / "manifest.json").read_bytes() == (made.path / "manifest.json").read_bytes()


def test_the_key_is_the_users_alone(made, state):
    old = os.umask(0)
    try:
        remember(made.manifest)
    finally:
        os.umask(old)
    assert stat.S_IMODE((state / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert sorted(path.name for path in state.iterdir()) == ["key", "made"]
    assert was_made_here(made.manifest)


@pytest.mark.parametrize("spoil", ["mode", "length", "other"])
def test_a_key_that_cannot_be_trusted_is_no_key(spoil, made, state):
    remember(made.manifest)
    key = state / "key"
    if spoil == "mode":
        key.chmod(0o644)
    else:
        key.write_bytes(bytes(5 if spoil == "length" else 32))
    assert not was_made_here(made.manifest)
    remember(made.manifest)
    assert was_made_here(made.manifest)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_processes_that_begin_at_once_agree_on_a_key(made, state):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(remember, [made.manifest] * 16))
    assert was_made_here(made.manifest)
    assert len(list((state / "made").iterdir())) == 1
    assert sorted(path.name for path in state.iterdir()) == ["key", "made"]


def test_a_state_folder_that_cannot_be_written_is_told(made, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    remember(made.manifest)
    assert "XDG_STATE_HOME" in caplog.text
    assert not was_made_here(made.manifest)


@needs_node
def test_the_commands_name_the_flag(made, state):
    def mnelf(*arguments: object):
        return CliRunner().invoke(cli, [str(argument) for argument in arguments])

    told = json.loads(mnelf("verify", made.path, "--json").stdout)
    assert "--run-scripts" in told["not_repeated"][0]
    assert (
        json.loads(mnelf("verify", made.path, "--json", "--run-scripts").stdout)["not_repeated"]
        == []
    )
