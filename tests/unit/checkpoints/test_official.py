from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from mobile_nelf.cameras import look_at
from mobile_nelf.checkpoints import CameraOptions, load_checkpoint, save_checkpoint
from mobile_nelf.encoding import encode
from mobile_nelf.errors import CheckpointError
from mobile_nelf.rays import ray_grid, sample_depths, sample_points

CAMERA = CameraOptions(ray_width=6, ray_height=5, focal=8.5, near=2.0, far=6.0)
#: The same directions from another order of float64 sums.
DIRECTION_TOLERANCE = 1e-12
#: The sines of two libraries in float64, of arguments up to 2⁵·6.
SINE_TOLERANCE = 1e-13

VARIANTS = {
    "x8": {},
    "x12": {"dataset_type": "Colmap"},
    "no super-resolution": {"use_sr_module": False},
    "one stage": {"sr_kernel": [8]},
    "two stages, x6": {"sr_kernel": [8, 4], "dataset_type": "Colmap"},
    "one block a stage": {"num_conv_layers": 1},
    "rgba": {"out_channels": 4},
    "deep": {"netdepth": 60, "netwidth": 4},
    "other samples": {"samples": 4, "frequencies": 3},
    "r2l": {"architecture": "r2l"},
    "r2l, deep": {"architecture": "r2l", "netdepth": 88, "netwidth": 4},
    "r2l, rgba": {"architecture": "r2l", "out_channels": 4},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_network_gives_the_output_of_the_original(official, name):
    file = official(**VARIANTS[name])
    checkpoint = load_checkpoint(file.path)
    assert "model.R2L" not in sys.modules
    assert "easydict" not in sys.modules
    student = checkpoint.student
    options = {"netdepth": 6, "netwidth": 12, "sr_kernel": [8, 8, 4], **VARIANTS[name]}
    assert (student.depth, student.width) == (options["netdepth"], options["netwidth"])
    assert student.out_channels == options.get("out_channels", 3)
    x = torch.randn(2, student.encoder.channels, 3, 2)
    with torch.no_grad():
        ours = checkpoint.network()(x)
        if student.architecture == "r2l":
            theirs = file.network(x.movedim(1, -1)).movedim(-1, 1)
        else:
            theirs = file.network(x)
    assert ours.shape == theirs.shape
    assert torch.equal(ours, theirs)


def test_what_it_says_about_itself(official):
    checkpoint = load_checkpoint(official().path)
    student = checkpoint.student
    assert (student.name, student.scale, student.activation) == ("D6-SR3", 8, "gelu")
    assert (student.ray_width, student.ray_height) == (6, 5)
    encoder = student.encoder
    assert (encoder.near, encoder.far, encoder.samples, encoder.frequencies) == (2.0, 6.0, 8, 6)
    lens = checkpoint.intrinsics
    assert (lens.width, lens.height, lens.fx, lens.fy) == (48, 40, 68.0, 68.0)
    assert (lens.cx, lens.cy) == (24.0, 20.0)
    orbit = checkpoint.orbit
    assert orbit.full_turn
    assert (orbit.elevation, orbit.radius) == ((15.0, 75.0), (4.0, 4.0))
    assert checkpoint.background == (1.0, 1.0, 1.0)
    assert checkpoint.provenance == {
        "source": "MobileR2L",
        "steps": "1200",
        "best_psnr_db": "31.25",
        "zeros": "0.0 %",
    }


@pytest.mark.parametrize(("architecture", "centre"), [("mobiler2l", 0.5), ("r2l", 0.0)])
def test_rays_are_those_of_the_research_code(official, architecture, centre):
    checkpoint = load_checkpoint(official(architecture=architecture).path)
    pose = look_at((1.0, -3.0, 2.5), (0.1, 0.0, 0.2))
    rays = ray_grid(checkpoint.ray_camera(pose))
    for row in range(5):
        for column in range(6):
            local = np.array([(column - 6 / 2 + centre) / 8.5, -(row - 5 / 2 + centre) / 8.5, -1.0])
            np.testing.assert_allclose(
                rays[3:, row, column], pose[:, :3] @ local, atol=DIRECTION_TOLERANCE
            )


def test_encoded_rays_reach_the_channels_that_the_original_means(official):
    file = official()
    checkpoint = load_checkpoint(file.path)
    encoder = checkpoint.student.encoder
    rays = ray_grid(checkpoint.ray_camera(look_at((0.0, -4.0, 1.0), (0.0, 0.0, 0.0))))
    points = sample_points(rays, sample_depths(encoder.near, encoder.far, encoder.samples))
    ours = encode(torch.from_numpy(points)[None], encoder.frequencies)
    theirs = []
    for k in range(8):
        for axis in range(3):
            x = points[3 * k + axis]
            theirs += [np.sin(2**octave * x) for octave in range(6)]
            theirs += [np.cos(2**octave * x) for octave in range(6)]
            theirs.append(x)
    np.testing.assert_allclose(ours[0].numpy(), np.stack(theirs), atol=SINE_TOLERANCE)


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("counters", [False, True])
@pytest.mark.parametrize("module", [False, True])
def test_ways_to_save_the_same_weights(official, prefix, counters, module):
    file = official()
    expected = load_checkpoint(file.path).weights_sha256()
    state = {
        f"module.{name}" if prefix else name: value
        for name, value in file.content["network_fn_state_dict"].items()
        if counters or not name.endswith("num_batches_tracked")
    }
    file.content["network_fn_state_dict"] = state
    if not module:
        del file.content["network_fn"]
    assert load_checkpoint(file.rewrite()).weights_sha256() == expected


def test_a_pruned_file_says_how_many_weights_are_zero(official):
    file = official()
    state = file.content["network_fn_state_dict"]
    prunable = [value for name, value in state.items() if name.endswith(".weight")]
    for value in prunable:
        value.view(-1)[: value.numel() // 4] = 0.0
    total = sum(value.numel() for value in prunable)
    zeros = sum(value.numel() // 4 for value in prunable)
    checkpoint = load_checkpoint(file.rewrite())
    assert checkpoint.provenance["zeros"] == f"{100 * zeros / total:.1f} %"


def test_weights_saved_on_a_gpu(official, repack, tmp_path):
    file = official()
    # A torch without CUDA cannot write such a file, but only the name of the device differs.
    tag = (b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0")
    path = repack(file.path, tmp_path / "gpu.tar", data__pkl=lambda data: data.replace(*tag))
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(path, weights_only=False)
    expected = load_checkpoint(file.path).weights_sha256()
    assert load_checkpoint(path).weights_sha256() == expected


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_become_float32(official, dtype):
    file = official()
    state = file.content["network_fn_state_dict"]
    for name, value in state.items():
        state[name] = value.to(dtype) if value.is_floating_point() else value
    weights = load_checkpoint(file.rewrite()).weights
    assert weights["head.0.weight"].dtype == torch.float32
    assert torch.equal(weights["head.0.weight"], state["head.0.weight"].float())
    assert weights["body.0.conv_block.1.num_batches_tracked"].dtype == torch.int64


def test_it_can_be_kept_as_an_own_file(official, tmp_path):
    checkpoint = load_checkpoint(official(architecture="r2l").path)
    save_checkpoint(checkpoint, tmp_path / "own.pt")
    again = load_checkpoint(tmp_path / "own.pt")
    assert again.weights_sha256() == checkpoint.weights_sha256()
    assert (again.student, again.intrinsics) == (checkpoint.student, checkpoint.intrinsics)
    assert again.provenance == checkpoint.provenance


def test_the_activation_can_be_told(official):
    file = official(activation_fn="relu")
    del file.content["network_fn"]
    file.rewrite()
    checkpoint = load_checkpoint(file.path, trained_activation="relu")
    x = torch.randn(1, 312, 2, 2)
    with torch.no_grad():
        assert torch.equal(checkpoint.network()(x), file.network(x))
        assert not torch.equal(load_checkpoint(file.path).network()(x), file.network(x))


def test_a_camera_replaces_the_intrinsics(official, tmp_path):
    file = official(intrinsics={})
    checkpoint = load_checkpoint(file.path, camera=CAMERA)
    assert checkpoint.intrinsics.fx == 68.0
    assert checkpoint.orbit.radius == (4.0, 4.0)
    narrow = CameraOptions(6, 5, 17.0, 2.0, 6.0, radius=3.0)
    (tmp_path / "intrinsics.json").write_text('{"H": 50, "W": 60, "focal": 85}')
    checkpoint = load_checkpoint(file.path, camera=narrow)
    assert checkpoint.intrinsics.fx == 136.0
    assert checkpoint.orbit.radius == (3.0, 3.0)


def test_without_a_lens_it_says_what_to_pass(official, refusal):
    message = refusal(official(intrinsics={}).path)
    assert "no intrinsics.json beside it" in message
    assert "give a camera with the ray grid" in message


def test_intrinsics_stand_where_the_research_code_puts_them(official, tmp_path):
    file = official()
    (tmp_path / "weights").mkdir()
    (tmp_path / "elsewhere").mkdir()
    file.path.rename(tmp_path / "weights" / "ckpt.tar")
    assert load_checkpoint(tmp_path / "weights" / "ckpt.tar").intrinsics.width == 48


@pytest.mark.parametrize("spelling", ["numtires", "multires"])
def test_both_spellings_of_the_frequencies(official, tmp_path, spelling):
    file = official(samples=4, frequencies=3)
    facts = json.loads((tmp_path / "intrinsics.json").read_text())
    facts[spelling] = facts.pop("numtires")
    (tmp_path / "intrinsics.json").write_text(json.dumps(facts))
    assert load_checkpoint(file.path).student.encoder.frequencies == 3


def test_samples_and_frequencies_must_make_the_channels(official, tmp_path, refusal):
    file = official(samples=4, frequencies=3, intrinsics={})
    del file.content["network_fn"]
    file.rewrite()
    message = refusal(file.path, camera=CAMERA)
    assert "its head takes 84 channels, but 8 samples of 6 frequencies are 312" in message
    (tmp_path / "intrinsics.json").write_text('{"n_sample": 4, "multires": 3}')
    assert load_checkpoint(file.path, camera=CAMERA).student.encoder.samples == 4


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is cut off or not JSON"),
        ("[" * 100_000, "is nested more deeply than"),
        ("[1]", "expected a JSON object"),
        ('{"W": 6, "near": 2, "far": 6}', "H, focal missing"),
        ('{"H": 5, "W": "6", "focal": 8, "near": 2, "far": 6}', "W is a value of type str"),
        ('{"H": 5, "W": 6.5, "focal": 8, "near": 2, "far": 6}', "expected int, found 6.5"),
        ('{"numtires": 6, "multires": 5}', "numtires and multires differ"),
    ],
)
def test_broken_intrinsics(official, tmp_path, text, message):
    file = official(intrinsics={})
    json_path = tmp_path / "intrinsics.json"
    json_path.write_text(text)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(file.path)
    assert str(caught.value).startswith(f"{json_path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"near": 0, "far": 1}, "forward-facing scene in NDC, which is not supported yet"),
        ({"near": 6.0, "far": 2.0}, "need 0 <= near < far"),
        ({"near": float("nan")}, "camera.near: expected a finite number, found nan"),
        ({"focal": 0.0}, "need positive focal lengths"),
        ({"W": 0}, "ray grid must be positive"),
        ({"radius": -4.0}, "need a positive camera radius"),
        ({"radius": float("inf")}, "camera.radius: expected a finite number, found inf"),
        ({"focal": 10**400}, "expected integers up to 2⁵³"),
        ({"focal": 5e-324}, "need positive focal lengths"),
        ({"W": 10**6, "H": 10**6}, "need a ray grid of at most 1048576 rays"),
    ],
)
def test_impossible_lenses(official, tmp_path, change, message):
    file = official()
    json_path = tmp_path / "intrinsics.json"
    json_path.write_text(json.dumps({**json.loads(json_path.read_text()), **change}))
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(file.path)
    assert message in str(caught.value)


def test_forward_facing_cameras_are_refused(official, refusal):
    camera = CameraOptions(6, 5, 8.5, 0.0, 1.0)
    file = official(dataset_type="Colmap", intrinsics={})
    assert "forward-facing" in refusal(file.path, camera=camera)


def test_other_networks_are_refused(official, refusal):
    file = official(architecture="r2l")
    file.content["network_fn_state_dict"] = type(file.network)(
        file.network.args, 1008, 3, plain=True
    ).state_dict()
    assert "its body is a plain MLP" in refusal(file.rewrite())
    state = file.network.state_dict()
    state |= {f"body.{n}.body.4.weight": torch.ones(12, 12) for n in range(2)}
    file.content["network_fn_state_dict"] = state
    assert "body.0.body.4.weight, body.1.body.4.weight not part of it" in refusal(file.rewrite())
    file.content["network_fn_state_dict"] = torch.nn.Linear(3, 2).state_dict()
    assert "no first layer head.0.weight" in refusal(file.rewrite())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("body.1.conv_block.3.bias"), "found body.1.conv_block.3.bias missing"),
        (lambda s: [s.pop(n) for n in list(s) if n.startswith("body.0.")], "body.0.conv_block.0.w"),
        (lambda s: s.update(extra=torch.ones(1)), "found extra not part of it"),
        (
            lambda s: s.update({f"x{n}": torch.ones(1) for n in range(9)}),
            "found x0, x1, x2 and 6 more not part of it",
        ),
        (
            lambda s: s.update({"head.0.bias": torch.ones(11)}),
            "head.0.bias has shape [11], expected [12]",
        ),
        (
            lambda s: s.update({"tail.3.weight": torch.ones(8, 8, 5, 5)}),
            "tail.3.weight has shape [8, 8, 5, 5], expected [8, 8, 4, 4]",
        ),
        (
            lambda s: s.update({"tail.6.weight": torch.ones(8, 4, 5, 5)}),
            "its last up-sampling has a kernel of 5",
        ),
        (
            lambda s: s.update({"tail.9.weight": torch.ones(5, 4, 1, 1)}),
            "student.out_channels: expected one of [3, 4], found 5",
        ),
        (
            lambda s: s.update({"head.0.bias": torch.full((12,), torch.nan)}),
            "head.0.bias has 12 of",
        ),
        (lambda s: s["tail.6.bias"].index_fill_(0, torch.tensor([1]), torch.inf), "has 1 of 4"),
        (
            lambda s: s.update({"head.0.bias": torch.ones(12).double() * 1e300}),
            "head.0.bias has 12 of 12 values that are NaN or infinite",
        ),
        (lambda s: s.update({"head.0.bias": torch.ones(12).long()}), "is of type torch.int64"),
        (lambda s: s.update({"head.0.weight": torch.ones(3)}), "with 2 or 4 dimensions"),
        (lambda s: s.update({"head.0.bias": None}), "[head.0.bias] is a value of type nonetype"),
        (lambda s: s.update({"head.0.bias": torch.ones(12).to_sparse()}), "_rebuild_sparse_tensor"),
        (lambda s: s.update({"head.0.bias": torch.ones(12) > 0}), "torch.BoolStorage, expected"),
        (lambda s: s.update({"head.0.bias": torch.ones(0)}), "without elements, expected"),
        (lambda s: s.update({7: torch.ones(12)}), "has a value of type int as a key"),
        (lambda s: s.update({"module.head.0.bias": torch.ones(12)}), "with and without `module.`"),
        (lambda s: s.update({"tail.9.weight\n": torch.ones(1)}), "tail.9.weight\\n not part of it"),
        (lambda s: s.update({"tail.09.weight": torch.ones(3, 4, 1, 1)}), "tail.09.weight not part"),
        (
            lambda s: s.update({"body.٣.conv_block.x": torch.ones(1)}),
            "body.\\u0663.conv_block.x not part of it",
        ),
        (lambda s: s.clear(), "no first layer head.0.weight"),
    ],
)
def test_broken_state_dicts(official, refusal, change, message):
    file = official()
    change(file.content["network_fn_state_dict"])
    assert message in refusal(file.rewrite())


@pytest.mark.parametrize("found", [None, [1], torch.ones(3)])
def test_a_state_dict_that_is_none(official, refusal, found):
    file = official()
    file.content["network_fn_state_dict"] = found
    assert "expected a dict of tensors" in refusal(file.rewrite())


def test_odd_history_is_left_out(official):
    file = official()
    file.content.update(global_step="many", best_psnr=torch.ones(3))
    provenance = load_checkpoint(file.rewrite()).provenance
    assert set(provenance) == {"source", "zeros"}
