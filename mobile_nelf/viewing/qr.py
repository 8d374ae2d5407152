"""A QR code for a short address, as text for a terminal (ISO/IEC 18004, model 2).

Byte mode, error correction L and mask 0 are all that an address needs; any reader takes them.
"""

from __future__ import annotations

__all__ = ["qr_matrix", "qr_text"]

#: Codewords of data and of correction in versions 1 to 5, each one block at level L.
CAPACITY = ((19, 7), (34, 10), (55, 15), (80, 20), (108, 26))

#: Format information for level L and mask 0, masked as the standard says.
FORMAT = 0b111011111000100

#: Light modules around the code.
QUIET = 2


def qr_text(text: str) -> str:
    """Returns a QR code in half blocks, two rows of modules a line, light on dark.

    Raises:
        ValueError: more than 106 bytes.
    """
    rows = qr_matrix(text)
    size = len(rows) + 2 * QUIET
    light = [[True] * size for _ in range(size + size % 2)]
    for y, row in enumerate(rows):
        for x, dark in enumerate(row):
            light[y + QUIET][x + QUIET] = not dark
    glyphs = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
    return "\n".join(
        "".join(glyphs[pair] for pair in zip(light[y], light[y + 1], strict=True))
        for y in range(0, len(light), 2)
    )


def qr_matrix(text: str) -> list[list[bool]]:
    """Returns rows of modules, dark ones True.

    Raises:
        ValueError: more than 106 bytes.
    """
    content = text.encode()
    found = [v for v, (data, _) in enumerate(CAPACITY, start=1) if len(content) + 2 <= data]
    if not found:
        raise ValueError(f"a text of {len(content)} bytes is too long for this QR code")
    version = found[0]
    data_count, check_count = CAPACITY[version - 1]
    bits = f"0100{len(content):08b}" + "".join(f"{byte:08b}" for byte in content) + "0000"
    data = [int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits) - 7, 8)]
    data = data[:data_count]
    while len(data) < data_count:
        data.append((0xEC, 0x11)[(len(data) - len(content) - 2) % 2])
    return _drawn(version, data + _check_words(data, check_count))


def _check_words(data: list[int], count: int) -> list[int]:
    """Reed-Solomon over the field of 256 with polynomial 0x11D."""
    power, log = [1] * 255, [0] * 256
    for exponent in range(1, 255):
        value = power[exponent - 1] << 1
        power[exponent] = value ^ 0x11D if value > 255 else value
    for exponent, value in enumerate(power):
        log[value] = exponent
    generator = [1]
    for exponent in range(count):
        following = [*generator, 0]
        for at, factor in enumerate(generator):
            if factor:
                following[at + 1] ^= power[(log[factor] + exponent) % 255]
        generator = following
    rest = data + [0] * count
    for at in range(len(data)):
        if rest[at]:
            lead = log[rest[at]]
            for offset, factor in enumerate(generator):
                if factor:
                    rest[at + offset] ^= power[(log[factor] + lead) % 255]
    return rest[len(data) :]


def _drawn(version: int, words: list[int]) -> list[list[bool]]:
    size = 17 + 4 * version
    grid: list[list[bool | None]] = [[None] * size for _ in range(size)]

    def square(y: int, x: int, rings: str) -> None:
        """A pattern around its middle, from the middle outwards; 1 is dark."""
        reach = len(rings) - 1
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                if 0 <= y + dy < size and 0 <= x + dx < size:
                    grid[y + dy][x + dx] = rings[max(abs(dy), abs(dx))] == "1"

    for y, x in ((3, 3), (3, size - 4), (size - 4, 3)):
        square(y, x, "11010")
    if version > 1:
        square(size - 7, size - 7, "101")
    for at in range(8, size - 8):
        grid[6][at] = grid[at][6] = at % 2 == 0
    _write_format(grid, size)
    bits = iter([(word >> shift) & 1 for word in words for shift in range(7, -1, -1)])
    upwards = True
    for right in (x for x in range(size - 1, 0, -2)):
        column = right if right > 6 else right - 1
        for y in range(size - 1, -1, -1) if upwards else range(size):
            for x in (column, column - 1):
                if grid[y][x] is None:
                    grid[y][x] = bool(next(bits, 0)) ^ ((y + x) % 2 == 0)
        upwards = not upwards
    return [[bool(module) for module in row] for row in grid]


def _write_format(grid: list[list[bool | None]], size: int) -> None:
    first = [(8, x) for x in (0, 1, 2, 3, 4, 5, 7, 8)] + [(y, 8) for y in (7, 5, 4, 3, 2, 1, 0)]
    second = [(size - 1 - k, 8) for k in range(7)] + [(8, size - 8 + k) for k in range(8)]
    for places in (first, second):
        for k, (y, x) in enumerate(places):
            grid[y][x] = bool(FORMAT >> (14 - k) & 1)
    grid[size - 8][8] = True
