"""The costliest known images of every coding: few bytes that take much time or memory to decode.

Each function takes the width and the height of the image, and a file of any size comes from it. A mutator does not
find these by chance: each uses what its format has to say much in few bytes.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from support import image_files
from support.image_files import segment
from support.photographs import encoded

Maker = Callable[[int, int], bytes]
# The bounds are for files below a megabyte.
SMALL_FILE = 1_000_000

_HUFFMAN_DC, _HUFFMAN_AC = 0x00, 0x10
_BASELINE, _PROGRESSIVE, _ARITHMETIC, _ARITHMETIC_PROGRESSIVE = 0xC0, 0xC2, 0xC9, 0xCA
# A scan: its components, the first and the last coefficient, the bit before and the bit now.
Scan = tuple[Sequence[int], int, int, int, int]


def jpeg(
    width: int,
    height: int,
    frame: int,
    scans: Sequence[tuple[Scan, bytes]],
    components: int = 1,
    sampling: int = 0x11,
) -> bytes:
    """A JPEG of these scans, each with its data; the Huffman codes are 0 for the DC, 0 and 10 for a run and an end."""
    parts = [bytes([number, sampling if number == 1 else 0x11, 0]) for number in range(1, components + 1)]
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, b"\0" + b"\1" * 64),
            segment(frame, struct.pack(">BHHB", 8, height, width, components) + b"".join(parts)),
            segment(0xC4, bytes([_HUFFMAN_DC, 1] + [0] * 15) + b"\x00"),
            segment(0xC4, bytes([_HUFFMAN_AC, 1, 1] + [0] * 14) + b"\xe0\x00"),
            *(_scan(*scan) + data for scan, data in scans),
            b"\xff\xd9",
        ]
    )


def _scan(numbers: Sequence[int], first: int, last: int, before: int, now: int) -> bytes:
    chosen = b"".join(bytes([number, 0]) for number in numbers)
    return segment(0xDA, bytes([len(numbers)]) + chosen + bytes([first, last, before << 4 | now]))


def one_scan(components: int, sampling: int = 0x11) -> Maker:
    """A baseline JPEG without a byte of data: libjpeg takes what is missing for zeros."""
    scan = (range(1, components + 1), 0, 63, 0, 0)
    return lambda width, height: jpeg(width, height, _BASELINE, [(scan, b"")], components, sampling)


def scans_of_one_component(scans: int) -> Maker:
    """A baseline JPEG, of three components, one a scan, over and over."""
    return lambda width, height: image_files.baseline_scans(width, height, scans)


def refined_dc(scans: int, components: int) -> Maker:
    """A progressive JPEG whose first coefficients are refined over and over, all components at once, without a byte."""
    numbers = range(1, components + 1)

    def make(width: int, height: int) -> bytes:
        return jpeg(
            width,
            height,
            _PROGRESSIVE,
            [((numbers, 0, 0, 0, 13), b""), *(((numbers, 0, 0, 1, 0), b"") for _ in range(scans - 1))],
            components,
        )

    return make


def refined_ac(scans: int, components: int = 1) -> Maker:
    """A progressive JPEG all of whose other coefficients are refined over and over, as runs of empty blocks."""

    def make(width: int, height: int) -> bytes:
        runs = _empty_blocks(-(-width // 8) * -(-height // 8))
        numbers = range(1, components + 1)
        first = [((numbers, 0, 0, 0, 0), b""), *((([number], 1, 63, 0, 13), runs) for number in numbers)]
        more = [(([1], 1, 63, 13 - done % 13, 12 - done % 13), runs) for done in range(scans - len(first))]
        return jpeg(width, height, _PROGRESSIVE, [*first, *more], components)

    return make


def _empty_blocks(blocks: int) -> bytes:
    """A run of 32767 blocks is a code of one bit and fourteen ones; one block alone is a code of two."""
    full, rest = divmod(blocks, 32767)
    bits = ("0" + "1" * 14) * full + "10" * rest
    bits += "1" * (-len(bits) % 8)
    return int(bits or "1", 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def arithmetic(scans: int, components: int = 3, octets: int = 2000) -> Maker:
    """Arithmetic coding, which goes on when its data has ended: each scan costs all pixels anew, for a few bytes."""
    numbers = range(1, components + 1)
    data = _unmarked(octets)
    chosen = [[number] for number in numbers] if scans > 1 else [list(numbers)]

    def make(width: int, height: int) -> bytes:
        listed = [((chosen[done % len(chosen)], 0, 63, 0, 0), data) for done in range(scans)]
        return jpeg(width, height, _ARITHMETIC, listed, components)

    return make


def arithmetic_progressive(scans: int, components: int = 1, octets: int = 200) -> Maker:
    """The same, progressive: all coefficients first, then refined."""
    data = _unmarked(octets)

    def make(width: int, height: int) -> bytes:
        first = [((range(1, components + 1), 0, 0, 0, 0), data), (([1], 1, 63, 0, 13), data)]
        more = [(([1], 1, 63, 13 - done % 13, 12 - done % 13), data) for done in range(scans - len(first))]
        return jpeg(width, height, _ARITHMETIC_PROGRESSIVE, [*first, *more][:scans], components)

    return make


def _unmarked(octets: int) -> bytes:
    """Bytes among which no marker is."""
    return bytes((number * 37 + 11) % 255 for number in range(octets))


def png(depth: int, colour_type: int, *, interlaced: bool = False, key: bool = False, filtered: int = 4) -> Maker:
    """A PNG whose rows are zeros, each with a filter that has to be undone; `key` adds a transparent colour."""
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour_type]

    def make(width: int, height: int) -> bytes:
        packer = zlib.compressobj(9)
        rows = b"".join(_packed_rows(packer, width, height, depth * samples, interlaced, filtered)) + packer.flush()
        before = [image_files.chunk(b"PLTE", bytes(range(48))[: 3 << depth])] if colour_type == 3 else []
        if key:
            before.append(image_files.chunk(b"tRNS", {0: b"\0\0", 2: b"\0" * 6, 3: b"\x80"}[colour_type]))
        return b"".join(
            [
                image_files.PNG_SIGNATURE,
                image_files.header_chunk(width, height, depth, colour_type, interlaced),
                *before,
                image_files.chunk(b"IDAT", rows),
                image_files.chunk(b"IEND", b""),
            ]
        )

    return make


def _packed_rows(
    packer: "zlib._Compress", width: int, height: int, bits: int, interlaced: bool, filtered: int
) -> Iterator[bytes]:
    for first_row, first_column, row_step, column_step in image_files.PASSES if interlaced else [(0, 0, 1, 1)]:
        columns = -(-(width - first_column) // column_step)
        rows = -(-(height - first_row) // row_step)
        if columns <= 0:
            continue
        row = bytes([filtered]) + bytes(-(-columns * bits // 8))
        at_once = max(1, 2**20 // len(row))
        for done in range(0, rows, at_once):
            yield packer.compress(row * min(at_once, rows - done))


def png_texts(count: int, kind: bytes = b"zTXt") -> Maker:
    """A PNG with compressed texts before the image, each as long as libpng unpacks."""
    packed = zlib.compress(bytes(7_900_000), 9)
    heads = {b"zTXt": b"Comment\0\0", b"iTXt": b"Comment\0\1\0\0\0"}
    text = image_files.chunk(kind, heads[kind] + packed)
    return lambda width, height: image_files.with_chunks(png(1, 0)(width, height), *[text] * count)


def gif(width: int, height: int) -> bytes:
    """A GIF of one colour."""
    return encoded(Image.new("P", (width, height)), "GIF")


def gif_transparent(width: int, height: int) -> bytes:
    """The same, that colour transparent, and interlaced."""
    return encoded(Image.new("P", (width, height)), "GIF", transparency=0, interlace=1)


def gif_tiny_blocks(width: int, height: int) -> bytes:
    """As many sub-blocks as a server passes over, no two of one length after each other."""
    file = encoded(Image.new("P", (width, height)), "GIF")
    at = image_files.gif_frame(file)
    return file[:at] + b"\x21\xfe" + b"\1x\2xx" * 8_000 + b"\0" + file[at:]


def bmp(bits: int) -> Maker:
    """A BMP has all its pixels: nothing can be made of few bytes."""

    def make(width: int, height: int) -> bytes:
        row = bytes(-(-width * bits // 8))
        return image_files.bmp([row] * height, (width, height), bits, palette=bytes(1024) if bits == 8 else b"")

    return make


def webp_lossy(width: int, height: int) -> bytes:
    """A lossy WebP of one colour, twelve bytes for each thousand pixels or so."""
    return encoded(Image.new("RGB", (width, height)), "WEBP", method=0, quality=0)


def webp_lossy_alpha(width: int, height: int) -> bytes:
    """The same with a plane of alpha, which is coded lossless."""
    return encoded(Image.new("RGBA", (width, height)), "WEBP", method=0, quality=0, exact=True)


class _Bits:
    """Bits as lossless WebP has them: the lowest of a byte first."""

    def __init__(self) -> None:
        self._value, self._length = 0, 0

    def put(self, value: int, count: int) -> "_Bits":
        self._value |= value << self._length
        self._length += count
        return self

    def codes(self, *symbols: int) -> "_Bits":
        """Prefix codes of one symbol each, which takes no bits: for green, red, blue, alpha and distance."""
        for symbol in symbols or (0, 0, 0, 0, 0):
            self.put(0b101 if symbol > 1 else 0b001, 3).put(symbol, 8 if symbol > 1 else 1)
        return self

    def octets(self) -> bytes:
        return self._value.to_bytes(self._length // 8 + 1, "little")


def webp_lossless(*, alpha: bool = False, transforms: str = "", cache: int = 0) -> Maker:
    """A lossless WebP whose pixels take no bits; each letter of `transforms` is one that has to be undone.

    p predictor, c colour, g green, i index.
    """
    return lambda width, height: image_files.riff(
        image_files.webp_chunk(b"VP8L", _lossless(width, height, alpha, transforms, cache).octets())
    )


def _lossless(width: int, height: int, alpha: bool, transforms: str, cache: int) -> _Bits:
    bits = _lossless_header(width, height, alpha)
    for letter in transforms:
        bits.put(1, 1).put("pcgi".index(letter), 2)
        if letter in "pc":
            # Blocks of 512 pixels, of one kind: the predictor that takes the longest, or any colour.
            bits.put(7, 3).put(0, 1).codes(13, 200, 100, 0, 0)
        if letter == "i":
            bits.put(255, 8).put(0, 1).codes(7, 9, 11, 13, 0)
    bits.put(0, 1)
    bits.put(1, 1).put(cache, 4) if cache else bits.put(0, 1)
    # No groups of codes, and one code for each.
    return bits.put(0, 1).codes(77, 66, 55, 128, 0)


def _lossless_header(width: int, height: int, alpha: bool) -> _Bits:
    return _Bits().put(0x2F, 8).put(width - 1, 14).put(height - 1, 14).put(int(alpha), 1).put(0, 3)


def webp_groups(most: int = 65_536) -> Maker:
    """A lossless WebP with a group of codes for every few pixels: each group takes kilobytes once it is unpacked."""

    def make(width: int, height: int) -> bytes:
        # Squares of 4 pixels or more share a group; the numbers of 200 000 of them are 400 kB.
        precision = next(bits for bits in range(2, 10) if _squares(width, height, bits) <= 200_000)
        squares = _squares(width, height, precision)
        groups = min(most, squares)
        bits = _lossless_header(width, height, False).put(0, 1).put(0, 1).put(1, 1).put(precision - 2, 3)
        # An image of the numbers of the groups, in red and green, of eight bits each.
        bits.put(0, 1)
        _eight_bits(bits, 280)
        _eight_bits(bits, 256)
        bits.codes(0, 0, 0)
        numbers = (place % groups for place in range(squares))
        places = b"".join(bytes([_REVERSED[number & 0xFF], _REVERSED[number >> 8]]) for number in numbers)
        bits.put(int.from_bytes(places, "little"), 8 * len(places))
        # Of each group five codes of one symbol, of four bits each.
        bits.put(int("1" * 5 * groups, 16), 20 * groups)
        return image_files.riff(image_files.webp_chunk(b"VP8L", bits.octets()))

    return make


def _squares(width: int, height: int, precision: int) -> int:
    return -(-width // 2**precision) * -(-height // 2**precision)


_REVERSED = [int(f"{number:08b}"[::-1], 2) for number in range(256)]


def _eight_bits(bits: _Bits, alphabet: int) -> None:
    """A prefix code in which each of the first 256 symbols takes eight bits."""
    bits.put(0, 1).put(12 - 4, 4)
    for length in (17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8):
        bits.put(int(length in (0, 8)), 3)
    bits.put(0, 1)
    for symbol in range(alphabet):
        bits.put(int(symbol < 256), 1)


def webp_animated(maker: Maker) -> Maker:
    """An animation with this image for its first frame, and two more."""

    def make(width: int, height: int) -> bytes:
        frame = image_files.frame(maker(width, height))
        return image_files.animation((width, height), *[frame] * 3)

    return make


@dataclass(frozen=True)
class Costly:
    """A coding: what makes a file of it, and the pixels of the largest that is still a small file."""

    make: Maker
    most_pixels: int = 2**31


COSTLY: dict[str, Costly] = {
    name: made if isinstance(made, Costly) else Costly(made)
    for name, made in {
        "JPEG, baseline, gray": one_scan(1),
        "JPEG, baseline": one_scan(3),
        "JPEG, baseline, 4:2:0": one_scan(3, 0x22),
        "JPEG, CMYK": one_scan(4),
        "JPEG, baseline, 3 scans of one component": scans_of_one_component(3),
        "JPEG, baseline, 20 scans of one component": scans_of_one_component(20),
        "JPEG, baseline, 100 scans of one component": scans_of_one_component(100),
        "JPEG, progressive, 10 scans": refined_ac(10, 3),
        "JPEG, progressive, 100 refinements": refined_ac(100),
        "JPEG, progressive, 35 refinements": refined_ac(35),
        "JPEG, progressive CMYK, 10 scans": refined_ac(10, 4),
        "JPEG, progressive CMYK, 100 refinements of the first": refined_dc(100, 4),
        "JPEG, arithmetic": arithmetic(1),
        "JPEG, arithmetic, gray": arithmetic(1, 1),
        "JPEG, arithmetic CMYK": arithmetic(1, 4),
        "JPEG, arithmetic, 6 scans": arithmetic(6),
        "JPEG, arithmetic, progressive, 11 scans": arithmetic_progressive(11),
        "JPEG, arithmetic, progressive, 100 scans": arithmetic_progressive(100),
        "PNG, 1 bit": png(1, 0),
        "PNG, 1 bit, interlaced": png(1, 0, interlaced=True),
        "PNG, palette of 1 bit, transparent": png(1, 3, key=True),
        "PNG, palette of 4 bits, transparent, interlaced": png(4, 3, key=True, interlaced=True),
        "PNG, 2 bits, one transparent": png(2, 0, key=True),
        "PNG, gray": png(8, 0),
        "PNG, RGB": png(8, 2),
        "PNG, RGB, one transparent": png(8, 2, key=True),
        "PNG, RGB, interlaced": png(8, 2, interlaced=True),
        "PNG, alpha": png(8, 6),
        "PNG, gray with alpha": png(8, 4),
        "PNG, alpha, interlaced": png(8, 6, interlaced=True),
        "PNG, 16 bits": png(16, 2),
        "PNG, 16 bits, alpha": png(16, 6),
        "PNG, 16 bits, alpha, interlaced": png(16, 6, interlaced=True),
        "PNG, 16 packed texts": png_texts(16),
        "PNG, 16 packed international texts": png_texts(16, b"iTXt"),
        "GIF": gif,
        "GIF, transparent, interlaced": gif_transparent,
        "GIF, tiny sub-blocks": gif_tiny_blocks,
        "BMP": Costly(bmp(24), 330_000),
        "BMP, palette": Costly(bmp(8), 990_000),
        "WebP, lossy": webp_lossy,
        "WebP, lossy, alpha": webp_lossy_alpha,
        "WebP, lossless": webp_lossless(),
        "WebP, lossless, alpha": webp_lossless(alpha=True),
        "WebP, lossless, alpha, all transforms": webp_lossless(alpha=True, transforms="pcgi"),
        "WebP, lossless, alpha, predicted": webp_lossless(alpha=True, transforms="pcg", cache=11),
        "WebP, lossless, many groups": webp_groups(),
        "WebP, animated, lossless": webp_animated(webp_lossless(alpha=True, transforms="pc")),
        "WebP, animated, lossy": webp_animated(webp_lossy),
    }.items()
}
