"""What the paper reports of its own models, as data.

Kewal Mishra, Swapneel Wagholikar, Shounak Naik: Mobile NeRF: Real-Time On-device Neural Radiance
Field, Worcester Polytechnic Institute. It reports no PSNR, no latency in milliseconds and no
compute units, and does not repeat its measurements.
"""

from __future__ import annotations

from mobile_nelf.comparison.rows import DeviceFigures, Row

__all__ = ["PAPER_ROWS"]

PAPER = "Mishra, Wagholikar and Naik, Mobile NeRF"
TABLE = f"{PAPER}, table 1"
SECTION = f"{PAPER}, section 4.3"

#: Section 3.4, in its own words.
DEVICE = "iPad (Apple M1v Pro chip)"


def _row(name: str, network: str, size_bytes: int, figures: DeviceFigures | None, note: str) -> Row:
    return Row(
        name=name,
        kind="paper",
        model="",
        network=network,
        target="",
        weights="",
        size_bytes=size_bytes,
        size_of="model",
        psnr_db=None,
        parity_db=None,
        figures=figures,
        note=note,
    )


#: Table 1, then the model that only the text speaks of. RAM as printed, in units of 1000 bytes.
PAPER_ROWS = (
    _row("MobileNeRF", "", 125_000_000, None, f"{TABLE}, which quotes Chen et al. 2022"),
    _row(
        "distilled",
        "D60-SR3",
        13_000_000,
        DeviceFigures(device=DEVICE, fps=20.0, fps_source=TABLE, memory_bytes=700_000),
        f"{TABLE}: the lego scene, in a lens of Snapchat",
    ),
    _row(
        "pruned 30 %",
        "D60-SR3",
        9_000_000,
        DeviceFigures(device=DEVICE, fps=22.0, fps_source=TABLE, memory_bytes=680_000),
        f"{TABLE}: the lego scene, in a lens of Snapchat",
    ),
    _row(
        "pruned 50 %",
        "D60-SR3",
        8_000_000,
        None,
        f"{SECTION}: less accurate and slower, without figures",
    ),
)
