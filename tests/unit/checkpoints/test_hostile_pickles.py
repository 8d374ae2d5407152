"""Pickles that want to run code, or to build what torch.save never wrote."""

from __future__ import annotations

import functools
import importlib
import io
import operator
import os
import pickle
import runpy
import subprocess
import sys
import timeit
import types

import numpy as np
import pytest
import torch

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.checkpoints.safe import archive, machine
from mobile_nelf.checkpoints.safe.names import Inert
from mobile_nelf.errors import CheckpointError
from tests.helpers.raw_pickles import FLOATS, group, name, number, program, storage, tensor, text


@pytest.fixture
def marker(tmp_path):
    """The file that exists as soon as an attack has run."""
    return tmp_path / "it_ran"


# What runs code under plain pickle


class Call:
    """Pickles as a call of `function`, which may be a call itself."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced

    def __call__(self):
        """Only so that pickle takes a call for a function."""


def touch(marker):
    return Call(os.system, f"touch {marker}")


def touch_code(marker):
    return f"open({str(marker)!r}, 'w').close()"


def write(path, content):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def torch_bytes(saved):
    buffer = io.BytesIO()
    torch.save(saved, buffer)
    return buffer.getvalue()


def array_bytes(saved):
    buffer = io.BytesIO()
    np.save(buffer, np.array([saved], dtype=object))
    return buffer.getvalue()


#: For each name that the refusal must show, an object that runs code when unpickled. Arguments are
#: the marker and a path for a helper file.
ATTACKS = {
    "os.system": lambda m, p: touch(m),
    "builtins.eval": lambda m, p: Call(eval, touch_code(m)),
    "builtins.exec": lambda m, p: Call(exec, touch_code(m)),
    "io.open": lambda m, p: Call(open, str(m), "w"),
    "builtins.getattr": lambda m, p: Call(
        Call(getattr, Call(getattr, Call(__import__, "torch.serialization"), "os"), "system"),
        f"touch {m}",
    ),
    "operator.attrgetter": lambda m, p: Call(
        Call(operator.attrgetter("serialization.os.system"), Call(__import__, "torch")),
        f"touch {m}",
    ),
    "operator.methodcaller": lambda m, p: Call(
        operator.methodcaller("system", f"touch {m}"), Call(importlib.import_module, "os")
    ),
    "functools.partial": lambda m, p: Call(functools.partial(os.system, f"touch {m}")),
    "importlib.import_module": lambda m, p: Call(
        importlib.import_module,
        os.path.basename(write(p.with_name("imported_by_attack.py"), touch_code(m)))[:-3],
    ),
    "subprocess.check_call": lambda m, p: Call(subprocess.check_call, ["touch", str(m)]),
    "runpy.run_path": lambda m, p: Call(runpy.run_path, write(p, touch_code(m))),
    "timeit.timeit": lambda m, p: Call(timeit.timeit, touch_code(m), "", timeit.default_timer, 1),
    "pickle.loads": lambda m, p: Call(pickle.loads, pickle.dumps(touch(m))),
    "torch.serialization.load": lambda m, p: Call(torch.load, write(p, torch_bytes(touch(m)))),
    "torch.storage._load_from_bytes": lambda m, p: Call(
        torch.storage._load_from_bytes, torch_bytes(touch(m))
    ),
    "numpy.load": lambda m, p: Call(np.load, write(p, array_bytes(touch(m))), None, True),
    "numpy.testing._private.utils.runstring": lambda m, p: Call(
        np.testing._private.utils.runstring, touch_code(m), {}
    ),
}


@pytest.fixture
def attack_file(tmp_path, marker, monkeypatch):
    """Writes an attack beside valid weights, and proves that it works under plain pickle."""

    def write_attack(key):
        # Since 2.6 a bare torch.load inside a pickle is safe, unless this is set.
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
        monkeypatch.syspath_prepend(tmp_path)
        path = tmp_path / "attack.pt"
        attack = ATTACKS[key](marker, tmp_path / "helper.py")
        torch.save({"network_fn_state_dict": {"w": torch.ones(2)}, "x": attack}, path)
        torch.load(path, weights_only=False)
        assert marker.exists()
        marker.unlink()
        sys.modules.pop("imported_by_attack", None)
        return path

    return write_attack


@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE")
@pytest.mark.parametrize("key", ATTACKS)
def test_attacks_are_refused_by_name(attack_file, marker, refusal, key):
    message = refusal(attack_file(key))
    assert message.startswith(f"asks for {key}, which no trained network needs; nothing was run")
    assert not marker.exists()


@pytest.mark.filterwarnings("ignore:Environment variable TORCH_FORCE")
@pytest.mark.parametrize("key", ATTACKS)
def test_attacks_would_not_run_either_if_no_name_were_refused(
    attack_file, marker, monkeypatch, key
):
    path = attack_file(key)
    monkeypatch.setattr(machine, "is_state", lambda module, name: True)
    with archive.open_archive(path) as opened:
        try:
            content = machine.read_pickle(opened)
        except CheckpointError as error:
            # A chain of calls: its first link gave an inert object, which cannot be called.
            assert "calls an object of " in str(error)  # noqa: PT017
        else:
            assert isinstance(content["x"], Inert)
            assert torch.equal(content["network_fn_state_dict"]["w"], torch.ones(2))
    assert not marker.exists()


#: A module whose import and whose every use leaves the marker.
SPY = """
import os, pathlib
def seen(*arguments, **keywords):
    if os.environ["SPY_ARMED"] == "yes":
        pathlib.Path(os.environ["SPY_MARKER"]).touch()
seen()
class Spy:
    __init__ = __setstate__ = __setitem__ = append = extend = __call__ = seen
    def __reduce__(self):
        return Spy, ("argument",), {"a": 1}, iter([1, 2]), iter([("k", "v")])
"""


def test_other_classes_are_neither_imported_nor_built(official, tmp_path, marker, monkeypatch):
    (tmp_path / "spy.py").write_text(SPY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SPY_MARKER", str(marker))
    monkeypatch.setenv("SPY_ARMED", "no")
    file = official()
    del file.content["network_fn"]
    file.content["callback"] = importlib.import_module("spy").Spy()
    path = file.rewrite()
    monkeypatch.setenv("SPY_ARMED", "yes")
    torch.load(path, weights_only=False)
    assert marker.exists()
    marker.unlink()
    del sys.modules["spy"]
    assert load_checkpoint(path).student.depth == 6
    assert "spy" not in sys.modules
    assert not marker.exists()


def test_the_crafted_tensor_is_a_tensor(torch_zip):
    path = torch_zip(program(tensor(size=(2, 2), stride=(1, 2))), data__0=FLOATS)
    with archive.open_archive(path) as opened:
        crafted = machine.read_pickle(opened)["x"]
    assert crafted.tolist() == [[0.0, 2.0], [1.0, 3.0]]


TENSOR_TRICKS = {
    "size beyond the storage": (tensor(size=(5,)), "reaches outside of its storage"),
    "stride beyond the storage": (tensor(size=(2, 2), stride=(3, 1)), "reaches outside"),
    "offset beyond the storage": (tensor(offset=1), "reaches outside of its storage"),
    "one element for terabytes": (tensor(size=(2**40,), stride=(0,)), "reaches outside"),
    "sizes that overflow": (tensor(size=(2**62, 4), stride=(0, 0)), "reaches outside"),
    "negative stride": (tensor(stride=(-1,)), "an impossible size, stride or offset"),
    "negative offset": (tensor(offset=-1), "an impossible size, stride or offset"),
    "size of 70,000 digits": (tensor(size=(1 << 232_000,)), "an impossible size"),
    "unequal dimensions": (tensor(size=(2, 2)), "an impossible size, stride or offset"),
    "too many dimensions": (tensor(size=[1] * 17, stride=[1] * 17), "an impossible size"),
    "size is a list": (tensor(pack=lambda *n: b"]" + b"(" + b"".join(n) + b"e"), "an impossible"),
    "storage is a text": (tensor(text("no")), "builds a tensor from a value of type str"),
    "no arguments": (name("torch._utils", "_rebuild_tensor_v2") + b")R", "of type nonetype"),
    "more elements than stored": (tensor(storage(count=5)), "holds; it is damaged or made to"),
    "terabytes of elements": (tensor(storage(count=2**40)), "holds; it is damaged or made to"),
    "negative count": (tensor(storage(count=-4)), "claims another number of elements"),
    "record that is not there": (tensor(storage(key="1")), "data/1, which is not in the file"),
    "record outside": (tensor(storage(key="../../etc/passwd")), "which is not in the file"),
    "other kind of reference": (tensor(storage(tag="module")), "refers to a storage in a way"),
    "type is a text": (tensor(storage(kind=text("FloatStorage"))), "refers to a storage in a way"),
    "reference is a text": (text("storage") + b"Q", "refers to a storage in a way"),
    "one record, two types": (
        group(tensor(), tensor(storage(kind=name("torch", "LongStorage"), count=2))),
        "reads record data/0 as two types",
    ),
}


@pytest.mark.parametrize("key", TENSOR_TRICKS)
def test_tensor_tricks(torch_zip, refusal, key):
    value, message = TENSOR_TRICKS[key]
    assert message in refusal(torch_zip(program(value), data__0=FLOATS))


def test_many_names_for_one_storage(torch_zip, refusal):
    state = b"}" + b"".join(text(f"w{n}") + tensor() + b"s" for n in range(3))
    pickled = program(b"N").replace(text("x") + b"N", text("network_fn_state_dict") + state)
    assert "have 48 bytes and share 16" in refusal(torch_zip(pickled, data__0=FLOATS))


#: The first two end the process under plain pickle and under torch.load(weights_only=True).
PROGRAM_TRICKS = {
    "nested tuple as a key": (
        program(b"})" + b"\x85" * 250_000 + b"Ns"),
        "has a value of type tuple as a key",
    ),
    "nested tuple as an OrderedDict's key": (
        program(
            name("collections", "OrderedDict")
            + group(b"](" + b")" + b"\x85" * 250_000 + b"N\x86e")
            + b"R"
        ),
        "has a value of type tuple as a key",
    ),
    "list as a key": (program(b"}]Ns"), "has a value of type list as a key"),
    "object as a key": (program(b"}" + name("a", "B") + b")RNs"), "has an object of a.B as a key"),
    "integers of one hash as keys": (program(b"}" + number(2**61 - 1 << 64) + b"Ns"), "as a key"),
    "many nested lists": (program(b"]" * 250_000 + b"a" * 249_999), "found x"),
    "a list in itself": (program(b"]q\x00h\x00a"), "found x"),
    "text as function": (program(text("os.system") + b")R"), "calls a value of type str"),
    "call of a built object": (program(name("a", "B") + b")R)R"), "calls an object of a.B"),
    "call without arguments": (program(name("a", "B") + b"NR"), "calls the name a.B"),
    "state of a tensor": (program(tensor() + b"}b"), "sets the state of a value of type tensor"),
    "state of a name": (program(name("a", "B") + b"}b"), "sets the state of the name a.B"),
    "append to a tuple": (program(b")Na"), "appends to a value of type tuple"),
    "items of a list": (program(b"]NNs"), "sets items of a value of type list"),
    "ordered dict of texts": (
        program(name("collections", "OrderedDict") + group(b"]" + text("ab") + b"a") + b"R"),
        "builds an OrderedDict of something else than pairs",
    ),
    "module is a number": (program(b"K\x01" + text("B") + b"\x93"), "type int for the name of a"),
    "walk through a module": (
        program(text("torch") + text("serialization.os.system") + b"\x93)R"),
        "asks for torch.serialization.os.system",
    ),
    "walk to a class": (
        program(text("torch.hub") + text("subprocess.Popen") + b"\x93)R"),
        "asks for torch.hub.subprocess.Popen",
    ),
    "method of a class": (
        program(text("utils") + text("Job.run") + b"\x93)R"),
        "asks for utils.Job.run",
    ),
    "function of a user": (program(name("utils", "init")), "asks for utils.init"),
    "call of a user's function": (program(name("utils", "init") + b")R"), "asks for utils.init"),
    "function after a class of its name": (
        program(group(name("utils", "a") + b")\x81", name("utils", "init"))),
        "asks for utils.init",
    ),
    "lower-case class of the library": (
        program(name("subprocess", "run") + b")\x81"),
        "asks for subprocess.run",
    ),
    "lower-case class of torch": (program(name("torch", "load") + b")\x81"), "asks for torch.load"),
    "lower-case class of somebody": (program(name("utils", "init") + b")\x81"), "found x"),
    "escape sequence": (program(name("utils", "\x1b[2J")), "asks for utils.\\x1b[2J, which"),
    "long name": (program(name("utils", "x" * 100_000)), "xxx…, which no trained network"),
    "extension registry": (program(b"\x82\x01"), "uses the pickle instruction EXT1"),
    "old-style instance": (program(b"(ios\nsystem\n"), "uses the pickle instruction INST"),
    "text protocol": (program(b"I1\n"), "uses the pickle instruction INT"),
    "reference as text": (program(b"P0\n"), "uses the pickle instruction PERSID"),
    "stack that runs empty": (b"\x80\x02R.", "its pickle is damaged"),
    "mark that is missing": (b"\x80\x02NNt.", "its pickle is damaged"),
    "memo that is missing": (b"\x80\x02h\x07.", "its pickle is damaged"),
    "key without value": (b"\x80\x02}(Nu.", "its pickle is damaged"),
    "values left over": (b"\x80\x02NN.", "its pickle is damaged"),
    "no end": (b"\x80\x02}", "its pickle is damaged"),
    "cut in a text": (b"\x80\x02X\xff\xff\x00\x00abc", "its pickle is damaged"),
    "text of 4 GB": (b"\x80\x02X\xff\xff\xff\xffabc.", "its pickle is damaged"),
    "no pickle": (b"", "its pickle is damaged"),
    "not a dict": (b"\x80\x02]N\x61.", "holds a value of type list, expected the dict"),
    "empty dict": (b"\x80\x02}.", "found nothing"),
    "odd keys": (program(b"N")[:-1] + number(5) + b"NsNNs.", "found x, 5, None"),
}


@pytest.mark.parametrize("key", PROGRAM_TRICKS)
def test_program_tricks(torch_zip, refusal, key):
    pickled, message = PROGRAM_TRICKS[key]
    assert message in refusal(torch_zip(pickled, data__0=FLOATS))


class Tensor:
    """Looks like a tensor to whoever asks for its name or its shape."""

    __module__ = "fakes"
    shape = torch.Size([12])


class Subclass(torch.Tensor):
    __module__ = "fakes"


@pytest.mark.parametrize("subclass", [False, True])
def test_what_only_pretends_to_be_a_tensor(official, refusal, monkeypatch, subclass):
    file = official()
    fakes = types.ModuleType("fakes")
    fakes.Tensor, fakes.Subclass = Tensor, Subclass
    monkeypatch.setitem(sys.modules, "fakes", fakes)
    fake = Subclass(12) if subclass else Tensor()
    file.content["network_fn_state_dict"]["head.0.bias"] = fake
    built_by = "torch._tensor._rebuild_from_type_v2" if subclass else "fakes.Tensor"
    assert refusal(file.rewrite()) == (
        f"network_fn_state_dict[head.0.bias] is an object of {built_by}, expected a dense tensor"
    )
