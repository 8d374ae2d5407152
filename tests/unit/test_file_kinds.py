"""Files that are given in place of others."""

from __future__ import annotations

import pytest

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.errors import InputError
from mobile_nelf.export.check import check_path
from mobile_nelf.file_kinds import merge_marker_line, wrong_kind

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 17\n"
CONFLICT = b"a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> theirs\n"

KINDS = {
    "pointer": (POINTER, "", "is a pointer of Git LFS and not the file itself; get the file with"),
    "page": (b"\n <!DOCTYPE html><html>", "", "is a web page and not the file itself; download"),
    "page without a type": (b"<HTML lang='en'>", "", "is a web page"),
    "error": (b"<?xml version='1.0'?><Error>", "", "is an XML document, such as a server"),
    "markers": (b"<<<<<<< HEAD\n1\n", "", "holds merge markers of Git; take one of"),
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
    assert merge_marker_line(CONFLICT) == 2
    assert merge_marker_line(b"<<<<<<< HEAD\nno end") is None
    assert merge_marker_line(b"x = 1 <<<<<<< 2\n>>>>>>> y") is None
    assert merge_marker_line(b"Title\n=======\n") is None
