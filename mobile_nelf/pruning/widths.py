"""The widths of a student that compression chooses, and what a student of such widths costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mobile_nelf.students import StudentConfig

__all__ = ["Widths", "macs", "parameters", "runtime_work", "widths_text", "written"]

#: Multiply-accumulates that take ONNX Runtime as long on a CPU as to write one value. From the
#: times of 13 students, which it gives within 4 % (docs/decisions.md).
VALUE_MACS = 120


@dataclass(frozen=True)
class Widths:
    """How wide each part of a student is.

    Attributes:
        head: channels of the first layer.
        streams: channels of the body and of each super-resolution stage that has blocks.
        inner: channels inside each residual block, the body's first; 0 stands for a block of the
            body that is dropped.
    """

    head: int
    streams: tuple[int, ...]
    inner: tuple[int, ...]

    @staticmethod
    def of(student: StudentConfig) -> Widths:
        """Returns the widths of a student."""
        head = student.width if student.head_width is None else student.head_width
        return Widths(head, (student.width, *student.sr_widths), student.block_inner_widths)

    def student(self, before: StudentConfig) -> StudentConfig:
        """Returns the student `before` with these widths."""
        own = Widths.of(before)
        body, rest = self.inner[: before.blocks], self.inner[before.blocks :]
        kept = tuple(width for width in body if width)
        changed = self.head != own.head or self.streams[0] != own.streams[0]
        shape = replace(
            before,
            depth=2 + 2 * len(kept),
            width=self.streams[0],
            sr_widths=self.streams[1:],
            head_width=self.head if changed else before.head_width,
            inner_widths=(),
        )
        inner = (*kept, *rest)
        return shape if inner == shape.block_widths else replace(shape, inner_widths=inner)


def _layers(student: StudentConfig) -> list[tuple[int, int, int, int]]:
    """Weights, biases, and pixels that it reads and writes, of each layer."""
    rays = student.ray_width * student.ray_height
    widths = Widths.of(student)
    layers = [(student.encoder.channels * widths.head, widths.head, rays, rays)]
    if student.head_width is not None:
        layers.append((widths.head * student.width, student.width, rays, rays))
    inner = iter(widths.inner)

    def blocks(count: int, width: int, pixels: int) -> None:
        for _ in range(count):
            inside = next(inner)
            layers.append((width * inside, inside, pixels, pixels))
            layers.append((inside * width, width, pixels, pixels))

    blocks(student.blocks, student.width, rays)
    width, pixels = student.width, rays
    for stage in range(1, student.stages + 1):
        last = stage == student.stages
        factor = student.last_scale if last else 2
        made = student.out_channels if last and student.direct_output else widths.streams[stage]
        weights, larger = width * made * (9 if factor == 3 else 16), pixels * factor**2
        layers.append((weights, made, pixels, larger))
        width, pixels = made, larger
        if not (last and student.direct_output):
            blocks(student.sr_blocks, width, pixels)
    if not student.direct_output:
        made = student.out_channels
        layers.append((width * made, made, pixels, pixels))
    return layers


def parameters(student: StudentConfig) -> int:
    """Returns weights and biases of a student without BatchNorm."""
    layers = sum(weights + biases for weights, biases, *_ in _layers(student))
    # A function of each axis for each product, and the conv that mixes the products.
    line = student.encoder.channels // student.encoder.coords + 1
    mixed = student.encoder.samples * Widths.of(student).head
    return layers + student.products * (3 * line + mixed)


def macs(student: StudentConfig) -> int:
    """Returns multiply-accumulates of a frame, without the encoding; as `deploy.cost` counts."""
    layers = sum(weights * pixels for weights, _, pixels, _ in _layers(student))
    # Three functions of the whole encoding for each product, and the conv that mixes the products.
    count = student.products * student.encoder.samples
    reads = 3 * student.encoder.channels + Widths.of(student).head
    return layers + count * reads * student.ray_width * student.ray_height


def written(student: StudentConfig) -> int:
    """Returns the values that the layers of a frame write together."""
    return sum(channels * pixels for _, channels, _, pixels in _layers(student))


def runtime_work(student: StudentConfig) -> int:
    """Returns what a frame takes ONNX Runtime on a CPU, as multiply-accumulates; to compare shapes.

    Narrow layers at full resolution compute little and write much, so they take time that `macs`
    does not see.
    """
    return macs(student) + VALUE_MACS * written(student)


def widths_text(student: StudentConfig) -> str:
    """Returns the widths of a student as `160 | 160: 152 131 | 32 16 8`."""
    widths = Widths.of(student)
    body = " ".join(map(str, widths.inner[: student.blocks]))
    stages = " ".join(map(str, widths.streams[1:]))
    return " | ".join(
        part for part in (str(widths.head), f"{student.width}: {body}", stages) if part
    )
