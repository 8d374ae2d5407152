"""How long a frame may take on the Neural Engine: an estimate from figures that others measured.

An operation takes the longer of two times: that of its sums of products at the rate that the engine
reaches, and that of the tensors that do not fit on the chip at the bandwidth of the memory. Nobody
has compared this with a device of ours; it tells designs apart and promises no speed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mobile_nelf.deploy.contract import Contract
from mobile_nelf.export.tables import Table, TableRow
from mobile_nelf_exporters.coreml.facts import OperationFacts, ProgramFacts

__all__ = [
    "CHIPS",
    "ESTIMATE_TITLE",
    "Chip",
    "Traffic",
    "estimate_ms",
    "estimate_table",
    "layouts_table",
    "traffic",
]

ESTIMATE_TITLE = "Estimate for the Neural Engine, not measured"

#: On-chip memory of an M1's engine; tensors of a layer that is larger go through the memory.
WORKING_SET_BYTES = 2_000_000
#: A 1×1 conv to more channels takes about twice as long a channel.
CHANNEL_STEP = 192
#: A row of one number takes this many on the engine, as the tables of rows of layout `factored` do.
SINGLE_COLUMN = 32
#: What one prediction takes at least, milliseconds.
FLOOR_MS = 0.23

#: Operators that the compiler joins to the conv before them.
JOINED = ("relu", "gelu", "sigmoid", "tanh", "add", "quantize", "dequantize")

GUIDE = (
    "ANE guide (S. Bryngelson, 2026), sections 9, 13, 17 and 18: one author's measurements on an M1"
)
SCALING = "the others from the M1 by Apple's stated operations a second (8-bit figures halved)"


@dataclass(frozen=True)
class Chip:
    """A chip and its rates, each as slow and fast end.

    Attributes:
        title: as people call it.
        inside: 10¹² operations a second in layers that fit into the working set.
        outside: the same in larger ones.
        memory: 10⁹ bytes a second.
    """

    title: str
    inside: tuple[float, float]
    outside: tuple[float, float]
    memory: tuple[float, float]

    def scaled(self, title: str, compute: float, memory: float) -> Chip:
        """Returns a chip that computes and reads faster by these factors."""
        return Chip(
            title,
            (self.inside[0] * compute, self.inside[1] * compute),
            (self.outside[0] * compute, self.outside[1] * compute),
            (self.memory[0] * memory, self.memory[1] * memory),
        )


_M1 = Chip("A14, M1", inside=(8.1, 12.0), outside=(3.25, 4.8), memory=(51.0, 85.0))

#: Stated operations a second are 11, 15.8 and 38 · 10¹²; bandwidths 68, 100 and 120 · 10⁹ bytes a
#: second.
CHIPS = (_M1, _M1.scaled("A15, M2", 15.8 / 11, 100 / 68), _M1.scaled("M4", 19 / 11, 120 / 68))


@dataclass(frozen=True)
class Traffic:
    """What a frame moves.

    Attributes:
        total: bytes that its operations read and write in fp16, if nothing stays on the chip.
        outside: of those, the part of operations that do not fit into the working set.
        largest: bytes of the largest tensor.
        casts: operations that convert from or to float32.
        wide: convs of 1×1 with more than 192 channels of output.
    """

    total: int
    outside: int
    largest: int
    casts: int
    wide: int


def traffic(program: ProgramFacts) -> Traffic:
    """Counts what a program moves; what is joined to a conv moves nothing."""
    moved = [_moved(operation) for operation in _apart(program)]
    tensors = [*program.uploads.values(), *(operation.output for operation in program.operations)]
    return Traffic(
        total=sum(moved),
        outside=sum(size for size in moved if size > WORKING_SET_BYTES),
        largest=max(2 * math.prod(shape) for shape in tensors),
        casts=sum(operation.kind == "cast" for operation in program.operations),
        wide=sum(_is_wide(operation) for operation in program.operations),
    )


def estimate_ms(program: ProgramFacts, chip: Chip) -> tuple[float, float]:
    """Returns the fast and the slow end of a frame's time in milliseconds."""
    fast = slow = FLOOR_MS
    for operation in _apart(program):
        moved = _moved(operation)
        fits = moved <= WORKING_SET_BYTES
        rates = chip.inside if fits else chip.outside
        operations = 2 * operation.macs
        streamed = 0 if fits else moved
        fast += max(operations / (rates[1] * 1e9), streamed / (chip.memory[1] * 1e6))
        slow += max(operations / (rates[0] * 1e9), streamed / (chip.memory[0] * 1e6))
    return fast, slow


def estimate_table(program: ProgramFacts) -> Table:
    """Returns a row for each chip, and what a designer can change in the notes."""
    found = traffic(program)
    rows = []
    for chip in CHIPS:
        fast, slow = estimate_ms(program, chip)
        cells = (f"{fast:.2g}-{slow:.2g}", f"{1000 / slow:.0f}-{1000 / fast:.0f}")
        rows.append(TableRow((chip.title, *cells)))
    notes = [
        f"{found.total / 1e6:.4g} MB read and written a frame, {found.outside / 1e6:.4g} MB of it "
        f"by operations above the {WORKING_SET_BYTES / 1e6:g} MB that stay on the chip; largest "
        f"tensor {found.largest / 1e6:.3g} MB; {found.casts} casts"
    ]
    if found.wide:
        notes.append(
            f"{found.wide} convs of 1×1 to more than {CHANNEL_STEP} channels, where the time of a "
            "channel about doubles; a width of 192 avoids it"
        )
    notes.append(f"Sources: {GUIDE}; {SCALING}. An estimate, compared with no device.")
    return Table(
        ESTIMATE_TITLE,
        ("chip", "estimated ms a frame", "frames a second"),
        tuple(rows),
        2,
        tuple(notes),
    )


def layouts_table(layouts: Iterable[tuple[Contract, ProgramFacts]]) -> Table:
    """Returns a row for each input layout: what the host uploads, and the graph's share."""
    rows = []
    for contract, program in layouts:
        found = traffic(program)
        fast, slow = estimate_ms(program, _M1)
        cells = (
            contract.layout,
            contract.inputs[0].dtype,
            f"{contract.upload_bytes / 1e3:.4g} kB",
            f"{found.total / 1e6:.4g} MB",
            str(found.casts),
            f"{fast:.2g}-{slow:.2g}",
        )
        rows.append(TableRow(cells))
    note = (
        "Without the host's time for the upload, which the app measures; casts and operations in "
        "fp32 leave the Neural Engine, and their way there and back is not in the estimate"
    )
    return Table(
        "Estimate by input layout, not measured",
        ("layout", "inputs", "upload a frame", "traffic a frame", "casts", f"ms, {_M1.title}"),
        tuple(dict.fromkeys(rows)),
        4,
        (note,),
    )


def _apart(program: ProgramFacts) -> Iterable[OperationFacts]:
    """Yields operations that are not joined to the one before them."""
    made: dict[str, OperationFacts] = {}
    for operation in program.operations:
        made[operation.name] = operation
        sources = [made[name] for name in operation.reads if name in made]
        if operation.kind in JOINED and any(
            source.macs or source.kind in JOINED for source in sources
        ):
            continue
        yield operation


def _moved(operation: OperationFacts) -> int:
    """Returns bytes of operands and result in fp16; weights stay where they are."""
    shapes = [
        shape
        for parameter, operands in operation.inputs.items()
        if parameter not in ("weight", "bias")
        for shape in operands
    ]
    return sum(_bytes(shape) for shape in (*shapes, operation.output) if len(shape) == 4)


def _bytes(shape: tuple[int, ...]) -> int:
    """Returns what a tensor takes in fp16 on the engine."""
    return 2 * math.prod(shape) * (SINGLE_COLUMN if shape[-1] == 1 and math.prod(shape) > 1 else 1)


def _is_wide(operation: OperationFacts) -> bool:
    return (
        operation.kind == "conv"
        and operation.inputs["weight"][0][2:] == (1, 1)
        and operation.output[1] > CHANNEL_STEP
    )
