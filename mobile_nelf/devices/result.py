"""The file of a device: which runs of which models, under which conditions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from mobile_nelf.devices.figures import (
    Battery,
    Latency,
    Memory,
    Placement,
    SelfCheck,
    Sustained,
    Thermal,
    check_counts,
    check_filled,
    check_positive,
)
from mobile_nelf.errors import ConfigError, InputError, require
from mobile_nelf.parsing import read_json, shown
from mobile_nelf.plain import from_dict
from mobile_nelf.vocabulary import ComputeUnits, FpsSource, InputEncoder, Processor

__all__ = [
    "Device",
    "MeasuredBundle",
    "Measurement",
    "Run",
    "read_measurement",
]

SCHEMA_VERSION = 1


#: What every run without an error has. The rest depends on the system and on what was asked for.
_MEASURED_ALWAYS = (
    "cold_load_ms",
    "first_frame_ms",
    "warm_up_frames",
    "latency_ms",
    "self_check",
)

#: What an app measures as well; a page is told neither its footprint nor the heat.
_MEASURED_BY_APPS = ("warm_load_ms", "memory", "thermal")

#: Engines of a page.
_IN_A_BROWSER = ("webgpuF16", "webgpu", "webgl2", "webgl2Half")


@dataclass(frozen=True)
class Device:
    """What measured.

    Attributes:
        model: Apple's identifier, such as `iPad13,8`; what a browser tells of the device.
        os: system and version, such as `iPadOS 18.2`.
        app_version: of the benchmark app, or of the mnelf that wrote the page; ends in `-debug` for
            a debug build, whose own code is slower, which the display rate shows.
        low_power: whether Low Power Mode was on, which slows every processor.
        memory: bytes that it has; None in files of older apps.
        adapter: the graphics processor, as a browser names it; empty for an app.
        user_agent: of the browser; empty for an app.
    """

    model: str
    os: str
    app_version: str
    low_power: bool
    memory: int | None = None
    adapter: str = ""
    user_agent: str = ""

    def __post_init__(self) -> None:
        """Refuses empty names."""
        check_filled(self, "model", "os", "app_version")

    @property
    def slowed_by(self) -> str:
        """What made the device slower than it could be; empty if nothing is known."""
        reasons = {
            "Low Power Mode": self.low_power,
            "a debug build of the app": self.app_version.endswith("-debug"),
        }
        return " and ".join(reason for reason, holds in reasons.items() if holds)


@dataclass(frozen=True)
class MeasuredBundle:
    """The bundle that the app was made from.

    Attributes:
        name: in its manifest.
        weights_sha256: of the trained weights, as its contract has it.
    """

    name: str
    weights_sha256: str


@dataclass(frozen=True)
class Run:
    """One model with one setting of compute units.

    A failed run has a text in `error`, and of the other figures those that it reached.

    Attributes:
        model: its path inside the bundle.
        weights_sha256: of the weights inside it (see `ModelRecord`).
        compute_units: which processors Core ML was allowed to use, or the engine of a page.
        encoder: what computed the inputs.
        error: why the run failed; None if it did not.
        compile_ms: from package to compiled model; None if the app carried a compiled one.
        cold_load_ms: first load, which may make the plan for the Neural Engine.
        warm_load_ms: second load.
        first_frame_ms: first frame after the load.
        warm_up_frames: rendered until the latency was stable, and not counted.
        latency_ms: of the frames after that.
        inputs_ms: median time until the inputs of a pose are where the model reads them, which
            `latency_ms` leaves out; None where that was not measured.
        display_fps: frames a second on the screen; None if that was not measured.
        display_hz: the most that the display can show.
        sustained: runs without a pause.
        memory: footprint of the app; of a page, its objects without what the graphics processor
            holds.
        thermal: heat at start and end.
        placement: operations by processor; None where the system does not tell.
        placement_by_operation: the same for each kind of operation.
        placement_cost: share of the estimated cost by processor; None where the system does not
            tell.
        neural_engine_supported: operations that the Neural Engine could run.
        battery: charge at start and end.
        self_check: whether the picture was right.
    """

    model: str
    weights_sha256: str
    compute_units: ComputeUnits
    encoder: InputEncoder = "cpu"
    error: str | None = None
    compile_ms: float | None = None
    cold_load_ms: float | None = None
    warm_load_ms: float | None = None
    first_frame_ms: float | None = None
    warm_up_frames: int | None = None
    latency_ms: Latency | None = None
    inputs_ms: float | None = None
    display_fps: float | None = None
    display_hz: float | None = None
    sustained: tuple[Sustained, ...] = ()
    memory: Memory | None = None
    thermal: Thermal | None = None
    placement: Placement | None = None
    placement_by_operation: dict[str, dict[Processor, int]] | None = None
    placement_cost: dict[Processor, float] | None = None
    neural_engine_supported: int | None = None
    battery: Battery | None = None
    self_check: SelfCheck | None = None

    def __post_init__(self) -> None:
        """Refuses a finished run that lacks a figure, and figures that cannot be."""
        check_positive(
            self,
            "compile_ms",
            "cold_load_ms",
            "warm_load_ms",
            "first_frame_ms",
            "inputs_ms",
            "display_fps",
            "display_hz",
        )
        check_counts(self, "warm_up_frames", "neural_engine_supported")
        for operation, counts in (self.placement_by_operation or {}).items():
            for processor, count in counts.items():
                if count < 0:
                    raise ValueError(
                        f"placement_by_operation.{operation}.{processor} is {count}, expected 0 "
                        "or more"
                    )
        if self.error is not None:
            check_filled(self, "error")
            return
        by_apps = () if self.compute_units in _IN_A_BROWSER else _MEASURED_BY_APPS
        for name in (*_MEASURED_ALWAYS, *by_apps):
            if getattr(self, name) is None:
                raise ValueError(f"key {name!r} is missing, although the run has no error")

    @property
    def setting(self) -> str:
        """Compute units and, where it was not the processor, what computed the inputs."""
        return self.compute_units + ("" if self.encoder == "cpu" else ", inputs by Metal")

    @property
    def picture_is_right(self) -> bool:
        """Whether the run finished with frames that the self-check found right."""
        return self.error is None and self.self_check is not None and self.self_check.passed

    @property
    def fps(self) -> tuple[float, FpsSource] | None:
        """Frames a second and where they come from; None if no latency was measured."""
        if self.error is not None or self.latency_ms is None:
            return None
        if self.display_fps is not None:
            return self.display_fps, "display link"
        return 1000.0 / self.latency_ms.p50, "1000 / p50"


@dataclass(frozen=True)
class Measurement:
    """One file of a device.

    Attributes:
        schema: version of the file.
        device: what measured.
        date: when it did, in ISO 8601 with its time zone.
        bundle: what was measured.
        runs: one for each model and setting.
    """

    schema: int
    device: Device
    date: str
    bundle: MeasuredBundle
    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        """Refuses a file without runs, with a run twice, or without a date."""
        _utc(self.date)
        if not self.runs:
            raise ValueError("runs is empty, expected at least one run")
        seen = set()
        for index, run in enumerate(self.runs):
            if (run.model, run.setting) in seen:
                raise ValueError(
                    f"runs[{index}] is {run.model} on {run.setting} for a second time, "
                    "expected each once"
                )
            seen.add((run.model, run.setting))

    @property
    def when(self) -> datetime:
        """The date in UTC."""
        return _utc(self.date)


def _utc(date: str) -> datetime:
    """Returns a date in UTC; refuses one without a time zone."""
    try:
        # Python 3.10 does not know Z as a time zone.
        when = datetime.fromisoformat(date.replace("Z", "+00:00"))
        if when.tzinfo is not None:
            return when.astimezone(timezone.utc)
    except (ValueError, OverflowError):  # the first hours of year 1 are none in UTC
        pass
    raise ValueError(f"date is {date!r}, expected one such as '2026-11-23T10:00:00Z'")


def read_measurement(path: Path) -> Measurement:
    """Reads the file of a device.

    Raises:
        InputError: there is no file, or it is not what the app writes; the message names the field,
            what was found there and what was expected.
    """
    require(path, "the JSON file that the app shared")
    try:
        data: Any = read_json(path, finite=False)
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path}: {error}, expected the file that the app shared; share it again"
        ) from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA_VERSION or isinstance(schema, bool):
        raise InputError(
            f"{path}: schema is {shown(schema)}, this mnelf reads {SCHEMA_VERSION}; give it the "
            "file that the app shared, or use the mnelf that wrote the bundle"
        )
    try:
        return from_dict(Measurement, data, "result")
    except ConfigError as error:
        raise InputError(
            f"{path}: {error}; import the file as the app wrote it, with the mnelf that wrote the "
            "bundle"
        ) from error
