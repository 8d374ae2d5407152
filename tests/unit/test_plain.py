from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from mobile_nelf.cameras import Intrinsics, OrbitLimits
from mobile_nelf.deploy.contract import Contract
from mobile_nelf.deploy.layouts import TensorSpec
from mobile_nelf.errors import ConfigError
from mobile_nelf.plain import from_dict, to_dict
from mobile_nelf.students import EncoderConfig, StudentConfig


@dataclass(frozen=True)
class Lamp:
    """A part of `Room`."""

    watts: float
    colour: Literal["warm", "cold"] = "warm"


@dataclass(frozen=True)
class Room:
    """One field of every kind that a config may have."""

    name: str
    area: float
    doors: int
    tidy: bool
    lamps: tuple[Lamp, ...]
    corners: tuple[float, float]
    floors: Literal[1, 2] = 1
    owner: str | None = None
    spare: Lamp | None = None
    notes: dict[str, float] = field(default_factory=dict)
    anything: Any = None


ROOM = Room("hall", 2.5, 3, True, (Lamp(40.0), Lamp(9.5, "cold")), (0.0, 1.0))
PLAIN: dict[str, Any] = {
    "name": "hall",
    "area": 2.5,
    "doors": 3,
    "tidy": True,
    "lamps": [{"watts": 40.0, "colour": "warm"}, {"watts": 9.5, "colour": "cold"}],
    "corners": [0.0, 1.0],
    "floors": 1,
    "owner": None,
    "spare": None,
    "notes": {},
    "anything": None,
}

STUDENT = StudentConfig(
    EncoderConfig(0.0, 1.0, samples=4, frequencies=3),
    depth=6,
    width=16,
    sr_widths=(8, 4),
    last_scale=3,
    ray_width=63,
    ray_height=84,
    out_channels=4,
    activation="relu",
)
CONTRACT = Contract(
    layout="factored",
    activation="relu",
    inputs=(
        TensorSpec("sin_columns", (1, 36, 1, 63), "sines"),
        TensorSpec("sin_rows", (1, 36, 84, 1), "more sines"),
    ),
    output=TensorSpec("image", (1, 4, 1008, 756), "RGBA"),
    output_form="tensor",
    student=STUDENT,
    intrinsics=Intrinsics(756, 1008, 900.0, 901.5, 377.0, 505.25),
    orbit=OrbitLimits((0.0, 0.1, 0.2), (0.0, 1.0, 0.0), (150.0, 240.0), (-5.0, 60.0), (3.9, 4.1)),
    ball_radius=1.5,
    background=(1.0, 1.0, 1.0),
    weights_sha256="ab" * 32,
    min_psnr_db=60.0,
)


def test_to_dict_is_plain_data() -> None:
    assert to_dict(ROOM) == PLAIN


@pytest.mark.parametrize(
    "config",
    [
        ROOM,
        replace(ROOM, owner="me", spare=Lamp(3.0), notes={"a": 1.5}, anything=[1, {"b": None}]),
        replace(ROOM, lamps=()),
        STUDENT,
        StudentConfig(EncoderConfig(2.0, 6.0), architecture="r2l", sr_widths=()),
        CONTRACT,
    ],
    ids=["defaults", "all set", "empty tuple", "student", "r2l", "contract"],
)
def test_a_config_survives_json(config: Any) -> None:
    text = json.dumps(to_dict(config), allow_nan=False)
    again = from_dict(type(config), json.loads(text))
    assert again == config
    assert type(again) is type(config)
    assert json.dumps(to_dict(again)) == text


def test_tuples_come_back_as_tuples_and_integers_as_floats() -> None:
    room = from_dict(Room, {**PLAIN, "area": 2, "corners": (1, 2), "notes": {"a": 1}})
    assert room.corners == (1.0, 2.0)
    assert isinstance(room.lamps, tuple)
    assert [type(value) for value in (room.area, *room.corners, room.notes["a"])] == [float] * 4


def test_defaults_fill_what_is_not_given() -> None:
    needed = {name: PLAIN[name] for name in ("name", "area", "doors", "tidy", "lamps", "corners")}
    assert from_dict(Room, needed) == ROOM


BAD_ROOMS: list[tuple[dict[str, Any], str]] = [
    ({"colour": 1}, "room: unknown key 'colour', expected one of ['anything', 'area',"),
    ({"name": 3}, "room.name: expected str, found 3"),
    ({"area": "2.5"}, "room.area: expected float, found '2.5'"),
    ({"area": True}, "room.area: expected float, found True"),
    ({"area": 10**400}, "room.area: expected float, found an integer of more than 60 digits"),
    ({"doors": 3.0}, "room.doors: expected int, found 3.0"),
    ({"doors": True}, "room.doors: expected int, found True"),
    ({"tidy": 1}, "room.tidy: expected bool, found 1"),
    ({"lamps": {"watts": 1.0}}, "room.lamps: expected a list, found dict"),
    ({"lamps": [{"watts": 1.0}, 7]}, "room.lamps[1]: expected a mapping, found int"),
    ({"lamps": [{"watts": 1.0}, {}]}, "room.lamps[1]: key 'watts' is missing"),
    ({"lamps": [{"watts": None}]}, "room.lamps[0].watts: expected float, found None"),
    (
        {"lamps": [{"watts": 1.0, "volts": 2}]},
        "room.lamps[0]: unknown key 'volts', expected one of ['colour', 'watts']",
    ),
    (
        {"spare": {"watts": 1.0, "colour": "red"}},
        "room.spare.colour: expected one of ['warm', 'cold'], found 'red'",
    ),
    ({"corners": [1.0]}, "room.corners: expected 2 values, found 1"),
    ({"corners": [1.0, "b"]}, "room.corners[1]: expected float, found 'b'"),
    ({"corners": "ab"}, "room.corners: expected a list, found str"),
    ({"floors": 3}, "room.floors: expected one of [1, 2], found 3"),
    ({"floors": True}, "room.floors: expected one of [1, 2], found True"),
    ({"floors": 1.0}, "room.floors: expected one of [1, 2], found 1.0"),
    ({"owner": 1}, "room.owner: expected str, found 1"),
    ({"notes": []}, "room.notes: expected a mapping, found list"),
    ({"notes": {"a": "b"}}, "room.notes.a: expected float, found 'b'"),
    ({"notes": {1: 1.0}}, "room.notes: key: expected str, found 1"),
]


@pytest.mark.parametrize(("change", "message"), BAD_ROOMS, ids=[text for _, text in BAD_ROOMS])
def test_a_wrong_value_is_named_by_its_path(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(Room, {**PLAIN, **change}, "room")
    assert str(caught.value).startswith(message)


def test_a_missing_key_is_named() -> None:
    plain = dict(PLAIN)
    del plain["doors"]
    with pytest.raises(ConfigError, match=r"^Room: key 'doors' is missing$"):
        from_dict(Room, plain)


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_only_a_mapping_is_a_config(data: Any) -> None:
    with pytest.raises(ConfigError, match=f"room: expected a mapping, found {type(data).__name__}"):
        from_dict(Room, data, "room")


def change_at(plain: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A deep copy of `plain` with another value at a dotted path."""
    changed: dict[str, Any] = json.loads(json.dumps(plain))
    *parents, last = path.split(".")
    inner = changed
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("version", 1, "contract: contract version 1, this mnelf reads version 3"),
        ("layout", "ray", "contract.layout: expected one of ['factored', 'rays', 'camera'"),
        ("output.shape", [1, 3, 8], "contract.output.shape: expected 4 values, found 3"),
        ("student.depth", 7, "contract.student: depth must be even and at least 4, found 7"),
        ("student.depth", 2, "contract.student: depth must be even and at least 4, found 2"),
        ("student.width", 0, "contract.student: widths, blocks and ray grid must be positive"),
        ("student.sr_widths", [8, 0], "contract.student: widths, blocks and ray grid must be"),
        ("student.ray_height", -1, "contract.student: widths, blocks and ray grid must be"),
        ("student.architecture", "r2l", "contract.student: r2l has no super-resolution stages"),
        ("student.last_scale", 4, "contract.student.last_scale: expected one of [2, 3], found 4"),
        ("student.encoder.near", 1.0, "contract.student.encoder: need 0 <= near < far, found"),
        ("student.encoder.near", -1.0, "contract.student.encoder: need 0 <= near < far, found"),
        ("student.encoder.far", float("inf"), "contract.student.encoder.far: expected a finite"),
        ("student.encoder.near", float("nan"), "contract.student.encoder.near: expected a fin"),
        ("student.encoder.samples", 1, "contract.student.encoder: need at least 2 samples"),
        ("student.encoder.frequencies", 0, "contract.student.encoder: need at least 2 samples"),
        ("student.encoder.far", 1e10, "contract.student.encoder: need 0 <= near < far"),
        ("student.encoder.samples", 2000, "contract.student.encoder: need at most 1024 samples"),
        ("student.sr_widths", [8] * 19_000, "contract.student: need at most 6 super-resolution"),
        ("student.depth", 10**9, "contract.student: need at most 65536 channels, 1024 layers"),
        ("student.ray_width", 10**6, "contract.student: need a ray grid of at most 1048576 rays"),
        ("orbit.up", [0.0, 0.0, 0.0], "contract.orbit: orbit limits have no direction"),
        ("orbit.radius", [0.0, 1.0], "contract.orbit: orbit limits are empty: radius from 0.0"),
        ("orbit.azimuth", [-180.0, 1e300], "contract.orbit: orbit limits are empty: azimuth"),
        ("orbit.target", [1e300, 0.0, 0.0], "contract.orbit: need lengths up to 1e+09"),
        ("intrinsics.fx", 0.0, "contract.intrinsics: need positive focal lengths"),
        ("orbit.up", [0.0, 1.0], "contract.orbit.up: expected 3 values, found 2"),
    ],
)
def test_a_contract_with_impossible_values_is_refused(path: str, value: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(Contract, change_at(to_dict(CONTRACT), path, value), "contract")
    assert str(caught.value).startswith(message)


def test_what_is_not_known_is_not_written() -> None:
    """Bundles of scenes without a true size are the same as before there were such."""
    assert "metres_per_unit" not in to_dict(CONTRACT)
    known = replace(CONTRACT, metres_per_unit=0.05)
    assert from_dict(Contract, to_dict(known)) == known
    with pytest.raises(ConfigError, match="need a unit of some length, found 0 metres"):
        from_dict(Contract, {**to_dict(known), "metres_per_unit": 0.0})


def test_upload_bytes_are_those_of_all_inputs() -> None:
    assert CONTRACT.upload_bytes == 4 * (36 * 63 + 36 * 84)
