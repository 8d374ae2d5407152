"""Whole compressions of tiny students: same bytes, resumed, refused with the nearest."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

import mobile_nelf as mn
from mobile_nelf.checkpoints import load_checkpoint, save_checkpoint
from mobile_nelf.compression import run as run_module
from mobile_nelf.compression.choice import by_size
from mobile_nelf.compression.goals import Goals, lost_db, total_db
from mobile_nelf.compression.report import path_picture
from mobile_nelf.compression.tuning import tune, tuning_config
from mobile_nelf.errors import InputError
from mobile_nelf.export.speed import HostRun
from mobile_nelf.pruning.layers import anatomy, folded, working_network
from mobile_nelf.pruning.widths import parameters
from mobile_nelf.students import StudentConfig
from tests.helpers.students import random_checkpoint

#: Points of the path that are measured; two do for all tests but that of the path.
SHOWN = run_module.SHOWN


@pytest.fixture
def student(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "SHOWN", (0.7, 0.4))
    path = tmp_path / "student.pt"
    save_checkpoint(random_checkpoint(depth=8, width=24, sr_widths=(8, 4)), path)
    return path


def test_half_the_parameters(student, tmp_path):
    seen = set()
    done = mn.compress(
        student,
        tmp_path / "small.pt",
        keep=0.5,
        steps=6,
        on_progress=lambda stage, done, total: seen.add(stage),
    )
    whole = folded(load_checkpoint(student))
    small = load_checkpoint(tmp_path / "small.pt")
    assert parameters(small.student) <= 0.5 * parameters(whole.student)
    assert small.provenance["source"] == "mnelf compress"
    assert small.provenance["initial"] == load_checkpoint(student).weights_sha256()
    assert {"calibrate", "plan", "measure the path", "fine-tune try1-tune"} <= seen
    assert done.report.bound == "keep"
    assert done.report.result.parameters == parameters(small.student)
    assert "result" in repr(done)
    report = json.loads((tmp_path / "small.pt.report.json").read_text())
    assert report["result"]["parameters"] == parameters(small.student)
    assert len(report["path"]) == len(done.report.path) == 3
    assert (tmp_path / "small.pt.path.svg").read_text().startswith("<svg")
    assert not list((tmp_path / "small.pt.run").glob("*.state"))


def test_the_path_alone_writes_nothing(student, monkeypatch):
    monkeypatch.setattr(run_module, "SHOWN", SHOWN)
    before = sorted(student.parent.iterdir())
    done = mn.compress(student)
    assert done.checkpoint is None
    assert done.report.result is None
    kept = [row.kept for row in done.report.path]
    assert kept == sorted(kept, reverse=True)
    assert kept[0] == 1.0
    assert len(kept) > 3
    assert all(row.ms is not None and row.ms > 0.0 for row in done.report.path)
    assert "ms a frame" in path_picture(done.report)
    untimed = tuple(replace(row, ms=None) for row in done.report.path)
    assert "GMAC a frame" in path_picture(replace(done.report, path=untimed))
    assert sorted(student.parent.iterdir()) == before


@pytest.mark.parametrize("method", ["narrow", "magnitude"])
def test_interrupted_and_repeated_gives_the_same_bytes(student, tmp_path, monkeypatch, method):
    monkeypatch.setattr(run_module, "ROUND_STEPS", 3)
    choices = {"keep": 0.5, "steps": 5, "method": method, "seed": 3}
    calls = []
    mn.compress(
        student, tmp_path / "whole.pt", on_progress=lambda *call: calls.append(call), **choices
    )

    class StopError(Exception):
        pass

    def stop_at(count):
        left = iter(range(count))

        def on_progress(stage, done, total):
            if next(left, None) is None:
                raise StopError

        return on_progress

    for part in (3, 5, 6):
        output = tmp_path / f"resumed{part}.pt"
        with pytest.raises(StopError):
            mn.compress(student, output, on_progress=stop_at(len(calls) * part // 7), **choices)
        assert not output.exists()
        again: list[tuple[str, int, int]] = []

        def keep(stage, done, total, into=again):
            into.append((stage, done, total))

        mn.compress(student, output, on_progress=keep, **choices)
        assert output.read_bytes() == (tmp_path / "whole.pt").read_bytes()
    # What was tuned before the last interruption was not tuned again.
    tuned = [sum(stage.startswith("fine-tune") for stage, *_ in made) for made in (calls, again)]
    assert tuned[1] < tuned[0]


def test_a_resumed_run_is_as_fast_as_before_it_was_interrupted(student, tmp_path, monkeypatch):
    """What a machine measures is never the same twice, and still the bytes are."""
    rounds = iter(range(100))

    def timed(*checkpoints):
        next(rounds)
        return [HostRun(2.0 * (len(checkpoints) - place), 0) for place in range(len(checkpoints))]

    class StopError(Exception):
        pass

    def stop(stage, done, total):
        if stage.startswith("fine-tune"):
            raise StopError

    monkeypatch.setattr(run_module, "run_here", timed)
    monkeypatch.setattr(run_module, "ROUND_STEPS", 1)
    output = tmp_path / "fast.pt"
    with pytest.raises(StopError):
        mn.compress(student, output, speed=1.5, steps=2, on_progress=stop)
    done = mn.compress(student, output, speed=1.5, steps=2)
    assert done.report.bound == "speed"
    assert done.report.path[0].ms == 2.0 * len(done.report.path) + 2.0
    assert done.report.result.ms == 2.0
    assert done.report.result.macs <= done.report.path[0].macs / 1.5
    assert next(rounds) == 2  # one choice before the interruption, and the table after it
    assert not list((tmp_path / "fast.pt.run").glob("*.state"))


def test_zeros_hold_while_the_others_are_tuned(student, tmp_path):
    mn.compress(student, tmp_path / "sparse.pt", keep=0.7, steps=8, method="magnitude")
    whole = folded(load_checkpoint(student))
    sparse = load_checkpoint(tmp_path / "sparse.pt")
    assert sparse.student == whole.student
    layers = anatomy(working_network(whole), whole.student).layers()
    names = [f"{layer.name}.weight" for layer in layers]
    zeros = sum(int((sparse.weights[name] == 0).sum()) for name in names)
    total = sum(sparse.weights[name].numel() for name in names)
    assert zeros == total - round(0.7 * total)
    changed = [not torch.equal(sparse.weights[n], whole.weights[n]) for n in names]
    assert all(changed)


def test_only_the_tail_is_tuned(student, tmp_path):
    for part in ("all", "tail"):
        choices = {"keep": 0.8, "steps": 4, "train_only": part}
        mn.compress(student, tmp_path / f"{part}.pt", **choices)
    both, tail = (load_checkpoint(tmp_path / f"{part}.pt").weights for part in ("all", "tail"))
    assert not torch.equal(both["body.0.conv_block.0.bias"], tail["body.0.conv_block.0.bias"])


def test_bits_alone(student, tmp_path):
    save_checkpoint(random_checkpoint(width=64, sr_widths=(8, 4)), student, half=False)
    mn.compress(student, tmp_path / "small.pt", bits="4")
    small = load_checkpoint(tmp_path / "small.pt")
    assert len(torch.unique(small.weights["body.0.conv_block.0.weight"])) <= 16
    assert small.student == folded(load_checkpoint(student)).student


@pytest.mark.parametrize(
    "target",
    ["onnx", *(pytest.param(name, marks=pytest.mark.slow) for name in ("lens", "coreml", "web"))],
)
def test_a_student_with_learnt_products_is_compressed_and_proved(tmp_path, target):
    given = random_checkpoint(width=32, sr_widths=(8, 4), products=2, activation="relu")
    done = mn.compress(given, tmp_path / "small.pt", keep=0.6, bits="mixed", steps=4)
    small = load_checkpoint(tmp_path / "small.pt")
    assert small.student.products == 2
    assert parameters(small.student) <= 0.6 * parameters(given.student)
    assert done.report.result.parameters == sum(value.numel() for value in small.weights.values())
    forms = {"coreml": {"weights": ("palette-mixed", "int8-activations")}}
    forms["onnx"] = {"quantize": True}
    mn.bundle(small, tmp_path / "bundle", target=target, **forms.get(target, {}))
    assert mn.verify(tmp_path / "bundle").passed


def test_weights_of_one_value_stay_together(student, tmp_path):
    name = "body.0.conv_block.0.weight"
    whole = folded(load_checkpoint(student))
    coarse = (whole.weights[name] * 20).round() / 20
    values, places = torch.unique(coarse, return_inverse=True)
    start = replace(whole, weights={**whole.weights, name: coarse})
    config = replace(tuning_config(3), optimizer="adamw")
    tuned = tune(start, whole, config, tmp_path, "tied", tied={name: places}).weights[name]
    assert not torch.equal(tuned, coarse)
    for place in range(len(values)):
        same = tuned[places == place]
        torch.testing.assert_close(same, same[:1].expand_as(same), rtol=0.0, atol=1e-7)


def test_tables_are_tuned_and_stay_tables(student, tmp_path):
    save_checkpoint(random_checkpoint(width=64, sr_widths=(8, 4)), student, half=False)
    name = "body.0.conv_block.0.weight"
    weights, errors = {}, {}
    for steps in (0, 40):
        path = tmp_path / f"{steps}.pt"
        done = mn.compress(student, path, bits="4", table_steps=steps)
        weights[steps] = load_checkpoint(path).weights[name]
        errors[steps] = done.report.result.fidelity_db
    tuned, table = torch.unique(weights[40], return_inverse=True)
    _, before = torch.unique(weights[0], return_inverse=True)
    assert len(tuned) <= 16
    assert torch.equal(tuned, tuned.half().float())
    assert torch.equal(table, before)
    assert not torch.equal(weights[0], weights[40])
    assert errors[40] > errors[0]


@pytest.mark.parametrize(
    ("goals", "message"),
    [
        ({"table_steps": 5, "keep": 0.5}, "tunes the tables that bits makes"),
        ({"keep": 0.01}, r"cannot keep 1.0% of the parameters, the nearest is 1\d\.\d%"),
        ({"speed": 1000.0}, r"cannot be 1000 times as fast, the nearest is [\d.]+ times"),
        ({"max_mb": 0.001, "target": "onnx"}, r"to 0.001 MB, the nearest is 0\.\d\d MB"),
        ({"max_loss": 1.0}, "no test figures, so max_loss cannot be judged"),
        ({"at_least": 20.0}, "no test figures, so at_least cannot be judged"),
        ({"keep": 1.5}, "at most 1, found 1.5"),
        ({"speed": 0.5}, "at least 1, found 0.5"),
        ({"max_mb": 1.0}, "give both or neither"),
        ({"speed": 2.0, "method": "magnitude"}, "only `keep` counts"),
    ],
)
def test_goals_that_cannot_be_met(student, tmp_path, goals, message):
    with pytest.raises(InputError, match=message):
        mn.compress(student, tmp_path / "small.pt", steps=2, **goals)
    assert not (tmp_path / "small.pt").exists()


def test_quality_that_the_student_does_not_have():
    with pytest.raises(InputError, match=r"28.50 dB before it is compressed, less than 30 dB"):
        Goals(at_least=30.0).loss_allowed(28.5)
    assert Goals(at_least=28.0, max_loss=1.0).loss_allowed(28.5) == pytest.approx(0.5)
    assert Goals(keep=0.5).loss_allowed(None) is None


def test_errors_add_up():
    assert total_db(30.0, 1e-3) == pytest.approx(30.0 - 3.0103, abs=1e-3)
    assert total_db(None, 1e-4) == pytest.approx(40.0)
    assert lost_db(30.0, 0.0) == pytest.approx(0.0, abs=1e-6)


def test_the_goal_that_asks_for_most_decides():
    from mobile_nelf.pruning.plan import Point
    from mobile_nelf.pruning.widths import Widths

    widths = Widths.of(StudentConfig(random_checkpoint().student.encoder))
    path = [Point(widths, 100 - 10 * i, 1000 - 50 * i, 1000 - 50 * i, 0.01 * i) for i in range(9)]

    def sized(point):
        return point.parameters * 10_000

    def speed(point):
        return 1000 / (point.macs + 100)

    assert by_size(path, Goals(keep=0.7), sized, speed) == (3, "keep")
    assert by_size(path, Goals(keep=0.7, max_mb=0.45), sized, speed) == (6, "max_mb")
    # The work alone would do at 4; what was measured asks for one more.
    index, bound = by_size(path, Goals(keep=0.7, speed=1.2), sized, speed)
    assert bound == "speed"
    assert speed(path[index]) >= 1.2
    assert path[index].macs * 1.2 <= path[0].macs
