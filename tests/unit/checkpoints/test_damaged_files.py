"""Zips that exhaust the machine, damaged files, and files that are not checkpoints at all."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import tarfile
import zipfile

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from mobile_nelf.checkpoints import load_checkpoint
from mobile_nelf.checkpoints.safe import archive
from mobile_nelf.errors import CheckpointError
from tests.helpers.raw_pickles import program, storage, tensor

# Zip files


def entries(path):
    """Offsets of the entries in the directory at the end of a zip."""
    data = bytearray(path.read_bytes())
    starts, position = [], data.find(b"PK\x01\x02")
    while position >= 0:
        starts.append(position)
        position = data.find(b"PK\x01\x02", position + 1)
    return data, starts


def test_compressed_zip(own_file, refusal, tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pt", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("archive/data.pkl", program(tensor(storage(count=25_000_000))))
        bomb.writestr("archive/data/0", bytes(100_000_000))
    assert "is a compressed zip" in refusal(tmp_path / "bomb.pt")


def test_directory_that_claims_gigabytes(own_file, refusal):
    data, starts = entries(own_file)
    for start in starts:
        struct.pack_into("<II", data, start + 20, 3_000_000_000, 3_000_000_000)
    own_file.write_bytes(data)
    assert f"claims to hold {len(starts) * 3_000_000_000}" in refusal(own_file)


def test_entries_that_share_their_bytes(tmp_path, refusal):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        file.writestr("archive/data.pkl", program(b"N"))
        file.writestr("archive/data/0", bytes(100_000))
        for index in range(1, 50):
            twin = zipfile.ZipInfo(f"archive/data/{index}")
            shared = ("header_offset", "file_size", "compress_size", "CRC")
            for field in shared:
                setattr(twin, field, getattr(file.getinfo("archive/data/0"), field))
            file.filelist.append(twin)
        file._didModify = True
    assert "claims to hold 50000" in refusal(tmp_path / "a.pt")


def test_a_record_under_one_name_twice(tmp_path, refusal):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as file:
        file.writestr("archive/data.pkl", program(b"N"))
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("archive/data.pkl", program(b"]"))
    assert "lists a record twice" in refusal(tmp_path / "a.pt")


def test_encrypted_zip(own_file, refusal):
    data, starts = entries(own_file)
    data[starts[0] + 8] |= 1
    own_file.write_bytes(data)
    assert "is an encrypted zip" in refusal(own_file)


def test_more_records_than_any_student_has(own_file, refusal, monkeypatch):
    monkeypatch.setattr(archive, "MAX_RECORDS", 10)
    assert "more than any student has (10)" in refusal(own_file)


def test_huge_pickle(torch_zip, refusal):
    path = torch_zip(program(b"N0" * 2_500_000 + b"N"))
    assert "its data.pkl has 500001" in refusal(path)


def test_big_endian(own_file, refusal, repack, tmp_path):
    path = repack(own_file, tmp_path / "big.pt", byteorder=lambda old: b"big")
    assert "holds big-endian weights" in refusal(path)


def test_other_zips(torch_zip, tmp_path, refusal):
    path = torch_zip(program(b"N"), **{"constants.pkl": b"\x80\x02)."})
    assert "is a TorchScript program" in refusal(path)
    np.savez(tmp_path / "a.npz", weights=np.ones(3))
    assert "is a zip without a data.pkl" in refusal(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert "is of an unknown kind" in refusal(tmp_path / "empty.zip")


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_truncated_zip(own_file, refusal, share):
    data = own_file.read_bytes()
    own_file.write_bytes(data[: max(5, int(share * len(data)))])
    assert refusal(own_file).startswith("is truncated or damaged; copy or download it again")


def damage(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def loads_or_refuses(path):
    try:
        load_checkpoint(path)
    except CheckpointError as error:
        message = str(error)
        assert message.startswith(f"{path}: ")
        assert message.isprintable()
        return False
    return True


def test_any_damage_to_the_file_is_an_error_or_harmless(own_file):
    rng = random.Random(0)
    whole = own_file.read_bytes()
    refused = 0
    for _ in range(300):
        own_file.write_bytes(damage(whole, rng))
        refused += not loads_or_refuses(own_file)
    assert refused > 150


# pickletools decodes old text instructions with this warning, before the reader refuses them.
@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")
def test_any_damage_to_the_pickle_is_an_error_or_harmless(own_file, repack, tmp_path):
    rng = random.Random(1)
    refused = 0
    for _ in range(400):
        path = repack(own_file, tmp_path / "a.pt", data__pkl=lambda old: damage(old, rng))
        refused += not loads_or_refuses(path)
    assert refused > 200


# Not a checkpoint at all


def picture(kind):
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30)).save(buffer, kind)
    return buffer.getvalue()


def tar_bytes():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for member in ("sys_info", "pickle", "storages", "tensors"):
            content = pickle.dumps({}, 2)
            info = tarfile.TarInfo(member)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def legacy_bytes():
    buffer = io.BytesIO()
    torch.save({"w": torch.ones(2)}, buffer, _use_new_zipfile_serialization=False)
    return buffer.getvalue()


def onnx_bytes():
    info = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Relu", ["x"], ["x"])
    graph = onnx.helper.make_graph([node], "graph", [info], [info])
    return onnx.helper.make_model(graph).SerializeToString()


def array_of_floats():
    buffer = io.BytesIO()
    np.save(buffer, np.ones(3))
    return buffer.getvalue()


OTHER_FILES = {
    "empty": (lambda: b"", "is empty"),
    "tar": (tar_bytes, "is a tar archive (torch before 0.4 wrote such files)"),
    "torch before 1.6": (
        legacy_bytes,
        "is in the format of torch before 1.6; load it with weights",
    ),
    "pickle": (lambda: pickle.dumps({"w": 1}), "is a bare pickle; save the state dict"),
    "PNG": (lambda: picture("PNG"), "is a PNG picture"),
    "JPEG": (lambda: picture("JPEG"), "is a JPEG picture"),
    "gzip": (lambda: gzip.compress(b"weights"), "is a gzip file; unpack it first"),
    "npy": (array_of_floats, "is a NumPy array"),
    "HDF5": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(40), "is an HDF5 file"),
    "ONNX": (
        onnx_bytes,
        "looks like an ONNX model, expected a checkpoint that torch.save wrote; `m",
    ),
    "web page": (lambda: b"<html>Not found</html>", "is a web page and not the file itself"),
    "text": (lambda: b"step 1: 12.5 dB\n", "is a text file"),
    "text cut in a character": (lambda: "größe".encode() * 100, "is a text file"),
    "noise": (lambda: random.Random(2).randbytes(2000), "is of an unknown kind"),
    "zeros": (lambda: bytes(2000), "is of an unknown kind"),
}


@pytest.mark.parametrize("key", OTHER_FILES)
def test_other_files(tmp_path, refusal, key):
    content, message = OTHER_FILES[key]
    path = tmp_path / "mic.pt"
    path.write_bytes(content())
    found = refusal(path)
    assert found.startswith(message)
    assert "expected a checkpoint that torch.save wrote" in found


def test_no_file_at_all(tmp_path, refusal):
    assert refusal(tmp_path / "none.pt") == "no such file, expected a checkpoint"
    assert refusal(tmp_path) == "is a directory, expected a checkpoint"


def test_other_torch_files(tmp_path, refusal):
    path = tmp_path / "a.pt"
    torch.save({f"key{n}": n for n in range(9)}, path)
    assert refusal(path) == (
        "has neither `format` (a checkpoint of mobile-nelf) nor `network_fn_state_dict` (MobileR2L "
        "or R2L), found key0, key1, key2, key3, key4"
    )
    torch.save(torch.ones(3), path)
    assert "holds a value of type tensor, expected the dict" in refusal(path)
