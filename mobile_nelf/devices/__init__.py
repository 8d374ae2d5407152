"""What a device measured: the schema of the file that the iPad app shares, read strictly.

Times are in milliseconds, memory in bytes. A speed belongs to a picture: each run carries the
self-check, in which the device compared its own frames with the reference frames of the bundle.
"""

from __future__ import annotations

from mobile_nelf.devices.figures import (
    Battery,
    Latency,
    Memory,
    Placement,
    SelfCheck,
    Sustained,
    Thermal,
)
from mobile_nelf.devices.result import Device, MeasuredBundle, Measurement, Run, read_measurement

__all__ = [
    "Battery",
    "Device",
    "Latency",
    "MeasuredBundle",
    "Measurement",
    "Memory",
    "Placement",
    "Run",
    "SelfCheck",
    "Sustained",
    "Thermal",
    "read_measurement",
]
