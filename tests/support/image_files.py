"""Image files that Pillow does not write: chunks, headers and containers, made by hand."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from support.photographs import encoded

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
EXIF_PREFIX = b"Exif\0\0"
# Adam7: first row, first column, row step and column step of each pass.
PASSES = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def tiff(orientation: int, order: str = "<", *, entries: int = 3, offset: int = 8, kind: int = 3) -> bytes:
    """EXIF without its prefix, with the orientation as its last entry; `order` is "<" (Intel) or ">" (Motorola)."""
    first = b"".join(struct.pack(order + "HHII", 0x0100 + i, 4, 1, 7) for i in range(entries - 1))
    last = struct.pack(order + "HHIHH", 0x0112, kind, 1, orientation, 0)
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, offset)
    no_further_directory = b"\0" * 4
    return head + b"\0" * (offset - 8) + struct.pack(order + "H", entries) + first + last + no_further_directory


# JPEG


def segment(marker: int, payload: bytes) -> bytes:
    """A marker segment."""
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(payload) + 2) + payload


def after_start(jpeg: bytes, *segments: bytes) -> bytes:
    """The JPEG with these before its first segment."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def adobe(jpeg: bytes, transform: int | None) -> bytes:
    """The JPEG, written by Pillow, with Adobe's marker saying this transform, or without the marker."""
    at = jpeg.find(b"\xff\xee\x00\x0eAdobe")
    plain = jpeg if at < 0 else jpeg[:at] + jpeg[at + 16 :]
    return (
        plain if transform is None else after_start(plain, segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform])))
    )


def frame_header(jpeg: bytes) -> int:
    """Return the place of the frame header: marker, length (2), precision, height (2), width (2)."""
    return max(jpeg.find(b"\xff\xc0\x00"), jpeg.find(b"\xff\xc2\x00"))


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with another size in its frame header."""
    at = frame_header(jpeg) + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


def progressive_scans(width: int, height: int, scans: int) -> bytes:
    """A grayscale progressive JPEG that goes over its pixels so many times, in few bytes each time."""
    blocks = -(-width // 8) * -(-height // 8)
    full, rest = divmod(blocks, 32767)
    # One code stands for a run of 32767 empty blocks (two to the 14th and 14 bits of ones more), another for one.
    run, one, dc = "0" + "1" * 14, "10", "0"
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, b"\0" + b"\1" * 64),
            segment(0xC2, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0"),
            segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00"),
            segment(0xC4, b"\x10" + bytes([1, 1] + [0] * 14) + b"\xe0\x00"),
            segment(0xDA, b"\1\1\0\0\0\0") + _stuffed(dc * blocks),
            (segment(0xDA, b"\1\1\0\1\1\0") + _stuffed(run * full + one * rest)) * (scans - 1),
            b"\xff\xd9",
        ]
    )


def baseline_scans(width: int, height: int, scans: int) -> bytes:
    """A JPEG of three components, none of it progressive, whose scans have one component each, and no bytes for it.

    libjpeg takes what is missing for zeros, block by block.
    """
    components = [bytes([number, 0x11, 0]) for number in (1, 2, 3)]
    return b"".join(
        [
            b"\xff\xd8",
            segment(0xDB, b"\0" + b"\1" * 64),
            segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + b"".join(components)),
            segment(0xC4, b"\x00" + bytes([1] + [0] * 15) + b"\x00"),
            segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\x00"),
            *(segment(0xDA, bytes([1, 1 + number % 3, 0, 0, 63, 0])) for number in range(scans)),
            b"\xff\xd9",
        ]
    )


def _stuffed(bits: str) -> bytes:
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


# PNG


def chunk(kind: bytes, payload: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(
    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], colour_type: int, *before: bytes, interlaced: bool = False
) -> bytes:
    """A PNG of 8 or 16 bits, [h, w] or [h, w, samples], with these chunks before the image."""
    depth = 8 * pixels.dtype.itemsize
    passes = [pixels[y::dy, x::dx] for y, x, dy, dx in (PASSES if interlaced else [(0, 0, 1, 1)])]
    rows = (row.astype(f">u{depth // 8}").tobytes() for part in passes if part.size for row in part)
    return b"".join(
        [
            PNG_SIGNATURE,
            header_chunk(pixels.shape[1], pixels.shape[0], depth, colour_type, interlaced),
            *before,
            chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
            chunk(b"IEND", b""),
        ]
    )


def header_chunk(width: int, height: int, depth: int, colour_type: int, interlaced: bool = False) -> bytes:
    """IHDR."""
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlaced))


def with_chunks(file: bytes, *chunks: bytes) -> bytes:
    """The PNG with these chunks after its IHDR."""
    return file[:33] + b"".join(chunks) + file[33:]


def black_png(width: int, height: int) -> bytes:
    """A grayscale PNG of 1 bit a pixel, all black: many pixels in few bytes."""
    packer = zlib.compressobj(9)
    row = bytes(1 + -(-width // 8))
    rows = b"".join(packer.compress(row * min(1024, height - done)) for done in range(0, height, 1024))
    picture = chunk(b"IDAT", rows + packer.flush())
    return PNG_SIGNATURE + header_chunk(width, height, 1, 0) + picture + chunk(b"IEND", b"")


# GIF


def gif(picture: Image.Image, *, interlaced: bool = False, **options: object) -> bytes:
    """A GIF of a palette image, as Pillow writes it."""
    return encoded(picture, "GIF", interlace=int(interlaced), **options)


def gif_frame(file: bytes) -> int:
    """The place of the first frame's descriptor: 0x2C, left (2), top (2), width (2), height (2), flags."""
    return file.index(b"\x2c\0\0\0\0", 13 + _table_size(file[10]))


def on_screen(file: bytes, size: tuple[int, int], place: tuple[int, int]) -> bytes:
    """The GIF, written by Pillow, on a screen of another size (width, height), its frame at (left, top)."""
    data, frame = bytearray(file), gif_frame(file)
    data[6:10] = struct.pack("<HH", *size)
    data[frame + 1 : frame + 5] = struct.pack("<HH", *place)
    return bytes(data)


def with_local_table(file: bytes) -> bytes:
    """The GIF with its palette in the frame, and no global palette."""
    size, frame = _table_size(file[10]), gif_frame(file)
    descriptor = file[frame : frame + 9] + bytes([file[frame + 9] | file[10] & 0x87])
    head = file[:10] + bytes([file[10] & 0x78]) + file[11:13]
    return head + file[13 + size : frame] + descriptor + file[13 : 13 + size] + file[frame + 10 :]


def _table_size(flags: int) -> int:
    return 3 << (flags & 7) + 1


# BMP


def bmp(
    rows: Sequence[bytes],
    size: tuple[int, int],
    bits: int,
    *,
    palette: bytes = b"",
    header: int = 40,
    compression: int = 0,
    masks: Sequence[int] = (),
) -> bytes:
    """A BMP of these rows, from the bottom, each without its padding; of size (width, height).

    The masks stand where they belong: in a longer header, or after the shortest.
    """
    width, height = size
    pixels = b"".join(row + b"\0" * (-len(row) % 4) for row in rows)
    fields = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    if header == 12:
        fields = struct.pack("<IHHHH", header, width, height, 1, bits)
    fields = (fields + struct.pack(f"<{len(masks)}I", *masks)).ljust(header, b"\0")
    start = 14 + len(fields) + len(palette)
    return b"BM" + struct.pack("<III", start + len(pixels), 0, start) + fields + palette + pixels


def bmp_palette(picture: Image.Image) -> bytes:
    """The colours of a palette image, four bytes each."""
    colours = np.array(picture.getpalette(), np.uint8).reshape(-1, 3)
    return np.pad(colours[:, ::-1], ((0, 0), (0, 1))).tobytes()


# WebP


def webp_chunk(kind: bytes, payload: bytes) -> bytes:
    """A chunk of a RIFF file."""
    return kind + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def riff(*chunks: bytes) -> bytes:
    """A WebP file of these chunks."""
    return webp_chunk(b"RIFF", b"WEBP" + b"".join(chunks))


def canvas(width: int, height: int, flags: int) -> bytes:
    """The chunk VP8X."""
    return webp_chunk(b"VP8X", struct.pack("<I", flags) + _in_three(width - 1) + _in_three(height - 1))


def picture_chunks(still: bytes) -> bytes:
    """The chunks of a still WebP that hold the image: ALPH and VP8, or VP8L."""
    return still[30:] if still[12:16] == b"VP8X" else still[12:]


def frame(still: bytes, place: tuple[int, int] = (0, 0)) -> bytes:
    """A frame of an animation, made of a still WebP, at (left, top), both even."""
    with Image.open(io.BytesIO(still)) as opened:
        width, height = opened.size
    places = (place[0] // 2, place[1] // 2, width - 1, height - 1, 40)
    return webp_chunk(b"ANMF", b"".join(map(_in_three, places)) + b"\0" + picture_chunks(still))


def animation(size: tuple[int, int], *frames: bytes, flags: int = 0x12) -> bytes:
    """An animated WebP of these frames on a canvas of (width, height)."""
    return riff(canvas(*size, flags), webp_chunk(b"ANIM", b"\xff\xff\xff\xff\0\0"), *frames)


def _in_three(number: int) -> bytes:
    return number.to_bytes(3, "little")
