from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch

from mobile_nelf.checkpoints import CameraOptions, load_checkpoint, save_checkpoint
from mobile_nelf.checkpoints.safe import read_file
from mobile_nelf.errors import CheckpointError, OutputError
from mobile_nelf.plain import to_dict
from tests.helpers.students import random_checkpoint

#: float16 keeps 11 significant bits, so rounding moves a weight by half of 2⁻¹⁰ of it at most;
#: below 6e-5 its steps are 6e-8 wide.
HALF_RELATIVE = 2.0**-11
HALF_ABSOLUTE = 3.0e-8


@pytest.fixture
def checkpoint():
    return replace(
        random_checkpoint(),
        background=(1.0, 0.5, 0.0),
        metrics={"test_psnr_db": 25.5},
        provenance={"source": "mnelf student", "scene": "mic", "same": "mic"},
    )


def parts(checkpoint):
    return {name: value for name, value in vars(checkpoint).items() if name != "weights"}


def test_the_true_size_survives_and_is_not_written_if_unknown(tmp_path, checkpoint):
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    assert "metres_per_unit" not in torch.load(tmp_path / "a.pt", weights_only=True)
    save_checkpoint(replace(checkpoint, metres_per_unit=0.04), tmp_path / "b.pt")
    assert load_checkpoint(tmp_path / "b.pt").metres_per_unit == 0.04


@pytest.mark.parametrize(
    "student",
    [
        {},
        {"last_scale": 3, "out_channels": 4, "activation": "relu"},
        {"sr_widths": (), "depth": 4},
        {"architecture": "r2l", "sr_widths": (), "activation": "relu"},
        {"sr_widths": (6, 5), "sr_blocks": 1},
    ],
)
def test_everything_survives(tmp_path, student):
    written = random_checkpoint(**student)
    save_checkpoint(written, tmp_path / "a.pt")
    read = load_checkpoint(tmp_path / "a.pt")
    assert parts(read) == parts(written)
    assert read.weights_sha256() == written.weights_sha256()
    x = torch.randn(1, written.student.encoder.channels, 3, 4)
    with torch.no_grad():
        assert torch.equal(read.network()(x), written.network()(x))


def test_torch_reads_it_with_weights_only(tmp_path, checkpoint):
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    content = torch.load(tmp_path / "a.pt", weights_only=True)
    weights = content.pop("weights")
    assert content == {
        "format": "mobile-nelf",
        "version": 1,
        "student": to_dict(checkpoint.student),
        "intrinsics": to_dict(checkpoint.intrinsics),
        "orbit": to_dict(checkpoint.orbit),
        "background": [1.0, 0.5, 0.0],
        "metrics": {"test_psnr_db": 25.5},
        "provenance": checkpoint.provenance,
    }
    assert all(torch.equal(weights[name], value) for name, value in checkpoint.weights.items())


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_the_own_reader_agrees_with_torch(tmp_path, protocol):
    base = torch.arange(24.0)
    saved = {
        "text": "ä" * 300, "numbers": [0, -1, 255, 65535, 2**31, -(2**40), 1.5, True, None],
        "nested": ({"a": [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)]}, {1: "one"}),
        "view": base.reshape(4, 6).t()[1:, 2:], "row": base[3:5], "scalar": torch.tensor(2),
        "half": torch.randn(3).half(), "bfloat": torch.randn(3).bfloat16(),
        "double": torch.randn(2, 2).double(), "byte": torch.tensor([1, 255], dtype=torch.uint8),
    }  # fmt: skip
    path = tmp_path / "any.pt"
    torch.save(saved, path, pickle_protocol=protocol)
    # weights_only=True knows protocol 2 and most of 3.
    oracle = torch.load(path, weights_only=protocol == 2)
    read = read_file(path)
    assert list(read) == list(oracle)
    for name, expected in oracle.items():
        if isinstance(expected, torch.Tensor):
            assert read[name].dtype == expected.dtype
            assert torch.equal(read[name], expected)
        else:
            assert read[name] == expected


def test_same_content_gives_same_bytes(tmp_path, checkpoint):
    shuffled = dict(reversed(checkpoint.weights.items()))
    fresh_text = {key: str(bytes(value, "utf8"), "utf8") for key, value in
                  checkpoint.provenance.items()}  # fmt: skip
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    save_checkpoint(replace(checkpoint, weights=shuffled), tmp_path / "another_name.pt")
    save_checkpoint(replace(checkpoint, provenance=fresh_text), tmp_path / "c.bin")
    save_checkpoint(load_checkpoint(tmp_path / "a.pt"), tmp_path / "d.pt")
    first = (tmp_path / "a.pt").read_bytes()
    assert all(file.read_bytes() == first for file in tmp_path.iterdir())


def test_a_view_is_stored_without_the_rest_of_its_storage(tmp_path, checkpoint):
    whole = {
        name: torch.cat([value.flatten(), torch.zeros(100_000, dtype=value.dtype)])
        for name, value in checkpoint.weights.items()
    }
    views = {
        name: whole[name][: value.numel()].reshape(value.shape)
        for name, value in checkpoint.weights.items()
    }
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    save_checkpoint(replace(checkpoint, weights=views), tmp_path / "b.pt")
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_half_precision(tmp_path, checkpoint):
    save_checkpoint(checkpoint, tmp_path / "full.pt")
    save_checkpoint(checkpoint, tmp_path / "half.pt", half=True)
    stored = torch.load(tmp_path / "half.pt", weights_only=True)["weights"]
    read = load_checkpoint(tmp_path / "half.pt")
    for name, value in checkpoint.weights.items():
        if value.is_floating_point():
            assert stored[name].dtype == torch.float16
            assert read.weights[name].dtype == torch.float32
            torch.testing.assert_close(
                read.weights[name], value, rtol=HALF_RELATIVE, atol=HALF_ABSOLUTE
            )
        else:
            assert stored[name].dtype == torch.int64
            assert torch.equal(read.weights[name], value)
    sizes = [(tmp_path / name).stat().st_size for name in ("half.pt", "full.pt")]
    assert sizes[0] < sizes[1]


def test_half_precision_refuses_what_it_cannot_hold(tmp_path, checkpoint):
    checkpoint.weights["body.1.conv_block.0.weight"][0, 0] = -70_000.0
    with pytest.raises(CheckpointError, match=r"body\.1\.conv_block\.0\.weight reaches 70000 and"):
        save_checkpoint(checkpoint, tmp_path / "a.pt", half=True)
    assert not list(tmp_path.iterdir())
    save_checkpoint(checkpoint, tmp_path / "a.pt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.weights["head.0.bias"].fill_(torch.nan), "head.0.bias has 16 of 16 values"),
        (lambda c: c.weights.pop("head.0.bias"), "head.0.bias missing"),
        (lambda c: c.provenance.update(scene="two\nlines"), "holds 'two\\nlines'"),
        (lambda c: c.metrics.update(psnr=float("inf")), "holds inf"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(tmp_path, checkpoint, change, message):
    change(checkpoint)
    with pytest.raises(CheckpointError) as caught:
        save_checkpoint(checkpoint, tmp_path / "a.pt")
    assert message.replace("\\n", "\\n") in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_no_trace(tmp_path, checkpoint, monkeypatch):
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    before = (tmp_path / "a.pt").read_bytes()

    def full_disk(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OutputError, match=r"a\.pt: cannot be written \(No space left on device\)"):
        save_checkpoint(random_checkpoint(seed=1), tmp_path / "a.pt")
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]
    assert (tmp_path / "a.pt").read_bytes() == before


def test_unwritable_destinations(tmp_path, checkpoint):
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "absent" / "a.pt"):
        with pytest.raises(OutputError, match="cannot be written"):
            save_checkpoint(checkpoint, path)
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


CAMERA = CameraOptions(7, 6, 9.0, 2.0, 6.0)


@pytest.mark.parametrize(
    ("options", "option"),
    [({"camera": CAMERA}, "camera"), ({"activation": "relu"}, "trained_activation")],
)
def test_it_has_its_own_lens_and_activation(tmp_path, checkpoint, refusal, options, option):
    save_checkpoint(checkpoint, tmp_path / "a.pt")
    assert f"has its own {option}; leave it out" in refusal(tmp_path / "a.pt", **options)


def laughs():
    """Lists of lists, 10¹⁸ values when spelled out."""
    value = "ha"
    for _ in range(18):
        value = [value] * 10
    return value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(version=2), "is version 2 of the format, this mnelf reads version 1"),
        (lambda c: c.update(version=True), "is version True"),
        (lambda c: c.update(version=torch.zeros(3)), "is version a value of type tensor"),
        (
            lambda c: c.update(format="mobile-nelf-teacher"),
            "is a teacher, expected a student; train one on what it renders with `mnelf student",
        ),
        (lambda c: c.update(format="other"), "its format is 'other', expected 'mobile-nelf'"),
        (lambda c: c.update(extra=1), "header: unknown key 'extra'"),
        (lambda c: c.pop("orbit"), "header: key 'orbit' is missing"),
        (lambda c: c.pop("weights"), "weights is a value of type nonetype, expected a dict"),
        (lambda c: c.update(weights=[1]), "weights is a value of type list, expected a dict"),
        (lambda c: c["student"].update(depth="6"), "student.depth: expected int, found '6'"),
        (lambda c: c["student"].update(depth=7), "depth must be even"),
        (lambda c: c["student"].update(depth=10**9), "need at most 65536 channels, 1024 layers"),
        (lambda c: c["student"].update(width=10**9), "need at most 65536 channels, 1024 layers"),
        (
            lambda c: c["student"].update(sr_blocks=10**9),
            "need at most 65536 channels, 1024 layers",
        ),
        (lambda c: c["student"].update(depth=8), "body.2.conv_block.0.weight, body.2.conv_block.0"),
        (lambda c: c["student"].update(width=17), "head.0.weight has shape [16, 312, 1, 1], exp"),
        (lambda c: c["student"].update(ray_width=9), "its lens is of 56×48 pixels"),
        (lambda c: c["student"].update(depth=laughs()), "made to exhaust memory"),
        (lambda c: c["student"].update(depth=2**200_000), "holds a value of type int"),
        (lambda c: c["intrinsics"].update(fx=float("nan")), "holds nan"),
        (lambda c: c["intrinsics"].update(fx=-1.0), "positive focal lengths"),
        (lambda c: c["orbit"].update(radius=[4.0, 3.0]), "orbit limits are empty"),
        (lambda c: c["orbit"].update(up=[0.0, 0.0, 0.0]), "have no direction"),
        (lambda c: c.update(background=[0.0, 0.0, 2.0]), "is not within 0 to 1"),
        (lambda c: c["provenance"].update(scene="\x1b[2J"), "holds '\\x1b[2J'"),
        (lambda c: c["provenance"].update(scene="x" * 10**6), "made to exhaust memory"),
        (lambda c: c["provenance"].update({1: "x"}), "provenance: key: expected str, found 1"),
        (lambda c: c.update(metres_per_unit=-1.0), "a unit of its world is -1 metres long"),
        (lambda c: c["metrics"].update(psnr=torch.ones(3)), "holds a value of type tensor"),
    ],
)
def test_broken_headers(tmp_path, checkpoint, refusal, change, message):
    path = tmp_path / "a.pt"
    save_checkpoint(checkpoint, path)
    content = torch.load(path, weights_only=True)
    change(content)
    torch.save(content, path)
    assert message in refusal(path)
