"""Files that are given in place of others."""

from __future__ import annotations

import shutil

import pytest

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.export.check import check_path
from mobile_nelf.file_kinds import wrong_kind, wrong_text
from mobile_nelf.scenes import read_scene
from tests.helpers import ROOT

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 17\n"
CONFLICT = b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> theirs\n"

KINDS = {
    "pointer": (POINTER, "", "is a pointer of Git LFS and not the file itself; get the file with"),
    "page": (b"\n <!DOCTYPE html><html>", "", "is a web page and not the file itself; download"),
    "page without a type": (b"<HTML lang='en'>", "", "is a web page"),
    "error": (b"<?xml version='1.0'?><Error>", "", "is an XML document, such as a server"),
    "tflite": (b"\x1c\0\0\0TFL3" + bytes(20), "", "is a TensorFlow Lite model; give the"),
    "tflite by name": (bytes(20), "m.tflite", "is a TensorFlow Lite model"),
    "dnn": (bytes(20), "Model.DNN", "is a model that its tool has imported (.dnn)"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds(name):
    head, file_name, text = KINDS[name]
    assert wrong_kind(head, file_name).startswith(text)


@pytest.mark.parametrize("head", [b"", b"PK\x03\x04", b"{}", b"\x08\x06\x12\x04text", b"versions"])
def test_others_are_left_alone(head):
    assert wrong_kind(head, "model.onnx") == ""


@pytest.mark.parametrize("suffix", [".onnx", ".pt", ".tar"])
@pytest.mark.parametrize("name", ["pointer", "page", "tflite"])
def test_wherever_a_model_is_taken(tmp_path, name, suffix):
    head, _, text = KINDS[name]
    path = tmp_path / f"model{suffix}"
    path.write_bytes(head)
    for take in (load_checkpoint, lambda file: check_path(file, target="lens")):
        with pytest.raises(InputError) as caught:
            take(path)
        assert str(caught.value).startswith(f"{path}: {text}")


def test_merge_markers():
    assert wrong_text(CONFLICT).startswith("holds merge markers of Git, the first in line 2; take")
    assert wrong_text(b"<<<<<<< HEAD\nno end") == ""
    assert wrong_text(b"x = 1 <<<<<<< 2\n>>>>>>> y") == ""
    assert wrong_text(b"Title\n=======\n") == ""
    assert wrong_text(POINTER).startswith("is a pointer of Git LFS")


@pytest.mark.parametrize("content", [POINTER, CONFLICT])
@pytest.mark.parametrize("name", ["transforms.json", "intrinsics.json"])
def test_wherever_json_is_taken(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    shutil.copy(ROOT / "tests/golden/mobiler2l/ckpt.tar", tmp_path)
    take = {
        "transforms.json": read_scene,
        "intrinsics.json": lambda folder: load_checkpoint(folder / "ckpt.tar"),
    }
    with pytest.raises(InputError) as caught:
        take[name](tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / name}: {wrong_text(content)}")
