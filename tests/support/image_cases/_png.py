"""PNG: depths, colour types, transparency, chunks."""

import struct
import zlib

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from support import image_files
from support.image_cases._case import Case, as_png, palette_picture, photograph, transparent
from support.photographs import encoded

_GRAY, _RGB, _GRAY_ALPHA, _RGB_ALPHA = 0, 2, 4, 6


def _samples(picture: Image.Image) -> npt.NDArray[np.uint8]:
    return np.asarray(picture)


def _wide(picture: Image.Image) -> npt.NDArray[np.uint16]:
    """16 bits a sample; the lower eight are noise."""
    samples = _samples(picture)
    return samples.astype(np.uint16) << 8 | np.random.default_rng(1).integers(0, 256, samples.shape, np.uint16)


def _one_colour_transparent(samples: npt.NDArray[np.uint8] | npt.NDArray[np.uint16], colour_type: int) -> bytes:
    """With the colour of the middle pixel transparent."""
    colour = np.atleast_1d(samples[48, 40])
    return image_files.png(samples, colour_type, image_files.chunk(b"tRNS", colour.astype(">u2").tobytes()))


def _one_wide_colour_transparent(picture: Image.Image, colour_type: int) -> bytes:
    """Return the image that is to be seen, as PNG: Pillow compares eight bits only."""
    samples = _wide(picture).reshape(96, 80, -1)
    opaque = (samples != samples[48, 40]).any(-1)
    shown = picture.convert("RGBA")
    shown.putalpha(Image.fromarray(opaque.astype(np.uint8) * 255))
    return as_png(shown)


def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _lying(orientation: int) -> Image.Image:
    return photograph().transpose(Image.Transpose.TRANSPOSE) if orientation >= 5 else photograph()


def _text_chunks(count: int) -> bytes:
    return image_files.with_chunks(as_png(photograph()), *([image_files.chunk(b"tEXt", b"Comment\0x")] * count))


def _packed_texts(count: int) -> bytes:
    text = b"Comment\0\0" + zlib.compress(b"x" * 100)
    return image_files.with_chunks(as_png(photograph()), *([image_files.chunk(b"zTXt", text)] * count))


def _with_text(file: bytes, kind: str, text: bytes) -> bytes:
    """The PNG with a text as ImageMagick writes EXIF there."""
    head = b"Raw profile type exif\0"
    payload = head + text if kind == "tEXt" else head + b"\0" + zlib.compress(text)
    return image_files.with_chunks(file, image_files.chunk(kind.encode(), payload))


def _exif_as_text(kind: str, orientation: int) -> bytes:
    exif = image_files.EXIF_PREFIX + image_files.tiff(orientation, ">") + bytes(40_000)
    digits = exif.hex()
    lines = "".join(f"{digits[done : done + 72]}\n" for done in range(0, len(digits), 72))
    return _with_text(as_png(_lying(orientation)), kind, f"\nexif\n{len(exif):8}\n{lines}".encode())


def _exif_twice() -> bytes:
    """The chunk goes before the text."""
    with_chunk = encoded(_lying(6), "PNG", exif=image_files.tiff(6))
    return _with_text(with_chunk, "tEXt", f"\nexif\n      99\n{image_files.tiff(3).hex()}\n".encode())


_LEVELS = np.asarray([[column // 20 for column in range(80)]] * 96, np.uint8)


def _two_bits() -> bytes:
    """Four levels of gray, of which the second is transparent. Pillow takes another for it."""
    rows = b"".join(
        b"\0" + bytes(int("".join(f"{v:02b}" for v in row[i : i + 4]), 2) for i in range(0, 80, 4)) for row in _LEVELS
    )
    return b"".join(
        [
            image_files.PNG_SIGNATURE,
            image_files.header_chunk(80, 96, 2, _GRAY),
            image_files.chunk(b"tRNS", b"\0\1"),
            image_files.chunk(b"IDAT", zlib.compress(rows)),
            image_files.chunk(b"IEND", b""),
        ]
    )


def _two_bits_shown() -> bytes:
    return as_png(Image.fromarray(np.where(_LEVELS == 1, 255, _LEVELS * 85).astype(np.uint8)))


def _moved_header() -> bytes:
    """Return a file in which another chunk has small sizes where those of IHDR should be."""
    data = as_png(photograph())
    return data[:8] + image_files.chunk(b"teXt", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0)) + data[8:]


CASES = [
    Case("PNG, RGB", lambda: as_png(photograph())),
    Case("PNG, RGB with alpha", lambda: as_png(transparent())),
    Case("PNG, grayscale", lambda: as_png(photograph().convert("L"))),
    Case("PNG, grayscale with alpha", lambda: as_png(transparent().convert("LA"))),
    Case("PNG, 1 bit", lambda: as_png(photograph().convert("1"))),
    Case("PNG, 16 bits, RGB", lambda: image_files.png(_wide(photograph()), _RGB)),
    Case("PNG, 16 bits, RGB with alpha", lambda: image_files.png(_wide(transparent()), _RGB_ALPHA)),
    Case("PNG, 16 bits, grayscale", lambda: image_files.png(_wide(photograph().convert("L")), _GRAY)),
    Case(
        "PNG, 16 bits, grayscale with alpha", lambda: image_files.png(_wide(transparent().convert("LA")), _GRAY_ALPHA)
    ),
    *(Case(f"PNG, palette of {n}", lambda n=n: as_png(palette_picture(n))) for n in (2, 4, 16, 200)),
    *(
        Case(f"PNG, palette of {n}, one transparent", lambda n=n: encoded(palette_picture(n), "PNG", transparency=1))
        for n in (2, 4, 16, 200)
    ),
    Case(
        "PNG, palette, each of its own transparency",
        lambda: encoded(palette_picture(64), "PNG", transparency=bytes(range(0, 256, 4))),
    ),
    Case(
        "PNG, grayscale, one level transparent",
        lambda: _one_colour_transparent(_samples(photograph().convert("L")), _GRAY),
    ),
    Case("PNG, RGB, one colour transparent", lambda: _one_colour_transparent(_samples(photograph()), _RGB)),
    Case(
        "PNG, 16 bits, grayscale, one level transparent",
        lambda: _one_colour_transparent(_wide(photograph().convert("L")), _GRAY),
        shown=lambda: _one_wide_colour_transparent(photograph().convert("L"), _GRAY),
    ),
    Case(
        "PNG, 16 bits, RGB, one colour transparent",
        lambda: _one_colour_transparent(_wide(photograph()), _RGB),
        shown=lambda: _one_wide_colour_transparent(photograph(), _RGB),
    ),
    Case("PNG, interlaced", lambda: image_files.png(_samples(photograph()), _RGB, interlaced=True)),
    Case(
        "PNG, interlaced, 16 bits with alpha",
        lambda: image_files.png(_wide(transparent()), _RGB_ALPHA, interlaced=True),
    ),
    Case(
        "PNG, gAMA",
        lambda: image_files.with_chunks(as_png(photograph()), image_files.chunk(b"gAMA", struct.pack(">I", 100_000))),
    ),
    Case("PNG, sRGB", lambda: image_files.with_chunks(as_png(photograph()), image_files.chunk(b"sRGB", b"\0"))),
    Case("PNG, colour profile", lambda: encoded(photograph(), "PNG", icc_profile=_profile())),
    *(
        Case(f"PNG, EXIF orientation {n}", lambda n=n: encoded(_lying(n), "PNG", exif=image_files.tiff(n, ">")))
        for n in (3, 6)
    ),
    *(
        Case(f"PNG, EXIF as text in {kind}, orientation {n}", lambda n=n, kind=kind: _exif_as_text(kind, n))
        for kind in ("tEXt", "zTXt")
        for n in (3, 6)
    ),
    Case("PNG, EXIF as text and in its chunk", _exif_twice),
    Case(
        "PNG, EXIF as text that is malformed",
        lambda: _with_text(as_png(photograph()), "zTXt", b"\nexif\n      99\nno digits\n"),
        shown=lambda: as_png(photograph()),
    ),
    Case("PNG, 2 bits, grayscale, one level transparent", _two_bits, shown=_two_bits_shown),
    Case("PNG, the end missing", lambda: as_png(photograph())[:-12]),
    Case("PNG, the end cut short", lambda: as_png(photograph())[:-5]),
    Case("PNG, bytes after the end", lambda: as_png(photograph()) + b"trailer"),
    Case("PNG, 16 texts that may be compressed", lambda: _packed_texts(16)),
    Case("PNG, 17 texts that may be compressed", lambda: _packed_texts(17), status=1),
    Case("PNG, animated", lambda: encoded(photograph(), "PNG", save_all=True, append_images=[photograph().rotate(90)])),
    Case("PNG, 200 chunks before the image", lambda: _text_chunks(200)),
    Case("PNG, 300 chunks before the image", lambda: _text_chunks(300), status=1),
    Case("PNG, no image", lambda: as_png(photograph())[:33] + image_files.chunk(b"IEND", b""), status=1),
    Case("PNG, IHDR not the first chunk", _moved_header, status=1),
    Case(
        "PNG, a second IHDR",
        lambda: image_files.with_chunks(as_png(photograph()), image_files.header_chunk(8, 8, 8, _RGB)),
        status=1,
    ),
]
