"""What a student is made of, enough to build it and to feed it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mobile_nelf.plain import check_choices
from mobile_nelf.vocabulary import Activation, Architecture

__all__ = ["EncoderConfig", "StudentConfig"]

#: What no student of either paper comes near, so that a small file cannot claim a network that
#: fills any memory. R2L renders each of its 640,000 pixels by a ray.
MAX_CHANNELS = 1 << 16
MAX_DEPTH = 1024
MAX_STAGES = 6
MAX_SAMPLES = 1024
MAX_FREQUENCIES = 32
MAX_RAYS = 1 << 20
MAX_PIXELS = 1 << 24
MAX_DEPTH_RANGE = 1e9


@dataclass(frozen=True)
class EncoderConfig:
    """How a ray becomes input channels.

    Attributes:
        near: depth of the first sample along the optical axis, world units.
        far: depth of the last sample, world units.
        samples: points a ray, K.
        frequencies: octaves of the positional encoding, L.
    """

    near: float
    far: float
    samples: int = 8
    frequencies: int = 6

    def __post_init__(self) -> None:
        """Refuses ranges that hold no ray."""
        if not 0.0 <= self.near < self.far <= MAX_DEPTH_RANGE:
            raise ValueError(f"need 0 <= near < far, found near {self.near} and far {self.far}")
        if self.samples < 2 or self.frequencies < 1:
            raise ValueError(
                f"need at least 2 samples and 1 frequency, found {self.samples} and "
                f"{self.frequencies}"
            )
        if self.samples > MAX_SAMPLES or self.frequencies > MAX_FREQUENCIES:
            raise ValueError(
                f"need at most {MAX_SAMPLES} samples and {MAX_FREQUENCIES} frequencies, found "
                f"{self.samples} and {self.frequencies}"
            )

    @property
    def coords(self) -> int:
        """Coordinates a ray, 3·K."""
        return 3 * self.samples

    @property
    def channels(self) -> int:
        """Input channels of the student, 3·K·(2L+1)."""
        return self.coords * (2 * self.frequencies + 1)


@dataclass(frozen=True)
class StudentConfig:
    """The shape of a student network. D60-SR3 is the default apart from the depth range.

    Attributes:
        encoder: how rays are sampled and encoded.
        architecture: `mobiler2l` (1×1 convs and super-resolution) or `r2l` (FC on rays).
        depth: layers of head and body and the output layer, as the papers count them.
        width: channels of the body.
        sr_widths: channels of each super-resolution stage; empty for none.
        sr_blocks: residual blocks after each stage.
        last_scale: upsampling of the last stage, 2 (×8 in all with three stages) or 3 (×12).
        ray_width: columns of the ray grid.
        ray_height: rows of the ray grid.
        out_channels: 3 for RGB, 4 for RGB and alpha.
        activation: the non-linearity it was trained with; GELU is the erf form.
        batchnorm: whether residual blocks of `mobiler2l` normalise, as the paper's do. Without it a
            step is cheaper and small students learn more (docs/decisions.md).
        direct_output: whether a last stage of its own, without blocks, makes colours at once; the
            blocks at full resolution cost half of a small student's step and gain nothing.
        inner_widths: channels between the two layers of each residual block, those of the body
            first; empty if each block is as wide inside as outside. Compressed students have them.
        head_width: channels of the first layer if they are not those of the body; a 1×1 layer
            without an activation then follows, from these to `width`.
        products: learnt features beside the encoding of each sample, each the product of a
            function of x, one of y and one of z (`students.products`); 0 for none.
    """

    encoder: EncoderConfig
    architecture: Architecture = "mobiler2l"
    depth: int = 60
    width: int = 256
    sr_widths: tuple[int, ...] = (64, 64, 16)
    sr_blocks: int = 2
    last_scale: Literal[2, 3] = 2
    ray_width: int = 100
    ray_height: int = 100
    out_channels: Literal[3, 4] = 3
    activation: Activation = "gelu"
    batchnorm: bool = True
    direct_output: bool = False
    inner_widths: tuple[int, ...] = ()
    head_width: int | None = None
    products: int = 0

    def __post_init__(self) -> None:
        """Refuses shapes that cannot be built."""
        check_choices(self)
        if self.stages > MAX_STAGES:
            raise ValueError(
                f"need at most {MAX_STAGES} super-resolution stages, found {self.stages}"
            )
        sizes = (self.width, self.ray_width, self.ray_height, self.sr_blocks, *self.sr_widths)
        narrowed = (*self.inner_widths, *([] if self.head_width is None else [self.head_width]))
        if min((*sizes, *narrowed)) < 1:
            raise ValueError(
                f"widths, blocks and ray grid must be positive, found {(*sizes, *narrowed)}"
            )
        products = self.encoder.samples * self.products
        if self.products < 0:
            raise ValueError(f"products must not be negative, found {self.products}")
        if self.products and self.architecture == "r2l":
            raise ValueError("r2l has no learnt products; leave products 0")
        channels = max(self.width, self.encoder.channels, products, *self.sr_widths, *narrowed)
        if channels > MAX_CHANNELS or max(self.depth, self.sr_blocks) > MAX_DEPTH:
            raise ValueError(
                f"need at most {MAX_CHANNELS} channels, {MAX_DEPTH} layers and {MAX_DEPTH} blocks "
                f"a stage, found {channels}, {self.depth} and {self.sr_blocks}"
            )
        rays, pixels = self.ray_width * self.ray_height, self.image_width * self.image_height
        if rays > MAX_RAYS or pixels > MAX_PIXELS:
            raise ValueError(
                f"need a ray grid of at most {MAX_RAYS} rays and {MAX_PIXELS} pixels, found "
                f"{self.ray_width}×{self.ray_height} rays and {self.image_width}×"
                f"{self.image_height} pixels"
            )
        if self.depth < 4 or self.depth % 2:
            raise ValueError(f"depth must be even and at least 4, found {self.depth}")
        if self.architecture == "r2l" and self.stages:
            raise ValueError(
                "r2l has no super-resolution stages; leave sr_widths empty and direct_output False"
            )
        if self.inner_widths and len(self.inner_widths) != len(self.block_widths):
            raise ValueError(
                f"need an inner width for each of {len(self.block_widths)} residual blocks, found "
                f"{len(self.inner_widths)}"
            )

    @property
    def blocks(self) -> int:
        """Residual blocks in the body, two layers each; head and output layer are the other two."""
        return (self.depth - 2) // 2

    @property
    def block_widths(self) -> tuple[int, ...]:
        """Channels that each residual block takes and returns, those of the body first."""
        stages = (width for width in self.sr_widths for _ in range(self.sr_blocks))
        return (*[self.width] * self.blocks, *stages)

    @property
    def block_inner_widths(self) -> tuple[int, ...]:
        """Channels between the two layers of each residual block, those of the body first."""
        return self.inner_widths or self.block_widths

    @property
    def stages(self) -> int:
        """Super-resolution stages, each of which doubles the resolution or, at last, triples it."""
        return len(self.sr_widths) + self.direct_output

    @property
    def scale(self) -> int:
        """Image pixels a ray along each axis."""
        return int(2 ** (self.stages - 1) * self.last_scale) if self.stages else 1

    @property
    def image_width(self) -> int:
        """Columns of the rendered image."""
        return self.ray_width * self.scale

    @property
    def image_height(self) -> int:
        """Rows of the rendered image."""
        return self.ray_height * self.scale

    @property
    def name(self) -> str:
        """Short name in the papers' style, such as `D60-SR3`."""
        return f"D{self.depth}-SR{self.stages}"
