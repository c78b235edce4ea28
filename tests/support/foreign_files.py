"""Files of kinds that the server does not read, each with its pixels: `corpus(picture)`."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pillow_heif
import tifffile
from PIL import Image, ImageCms

from support.photographs import CAMERA, CHELSEA, COFFEE, GRACE_HOPPER, encoded, image

ORIENTATION = 0x0112
# What turns an image as a camera held in this way does, so that the orientation turns it back.
TURNS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def turned(picture: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    """The pixels as such a camera stores them, and the EXIF that says so."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    turn = TURNS[orientation]
    return (picture if turn is None else picture.transpose(turn)), exif


def heic(*pictures: Image.Image, quality: int = 90, **options: object) -> bytes:
    """The images as one HEIC file."""
    made = pillow_heif.from_pillow(pictures[0])
    for picture in pictures[1:]:
        made.add_from_pillow(picture)
    file = io.BytesIO()
    made.save(file, quality=quality, enc_params={"preset": "ultrafast"}, **options)
    return file.getvalue()


def exchanged_profile() -> bytes:
    """A colour profile in which red and green are swapped, so that a missing conversion is visible."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    return profile.replace(b"rXYZ", b"zXYZ", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"zXYZ", b"gXYZ", 1)


def exchanged(picture: Image.Image) -> Image.Image:
    """The image whose numbers mean the same under `exchanged_profile`."""
    red, green, blue = picture.split()
    return Image.merge("RGB", (green, red, blue))


def tiff(samples: np.ndarray, **options: object) -> bytes:
    """Samples as a TIFF file, of whatever type they are."""
    file = io.BytesIO()
    tifffile.imwrite(file, samples, **options)
    return file.getvalue()


def dng(preview: bytes, orientation: int = 1) -> bytes:
    """A RAW file as cameras write it: a directory, a small preview, a large one, and a lossless JPEG for the sensor."""
    entries = [(254, 4, 1), (256, 4, 1), (257, 4, 1), (ORIENTATION, 3, orientation), (50706, 1, 0x00000401)]
    body = b"".join(
        struct.pack("<HHI", tag, form, 1) + (struct.pack("<HH", value, 0) if form == 3 else struct.pack("<I", value))
        for tag, form, value in entries
    )
    thumbnail = encoded(Image.new("RGB", (160, 120), "blue"), "JPEG")
    sensor = b"\xff\xd8\xff\xc3\x00\x0b\x0e\x20\x00\x20\x00\x01\x00\x11\x00" + bytes(5000) + b"\xff\xd9"
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + thumbnail + preview + sensor


def narrow_palette(picture: Image.Image) -> bytes:
    """A TIFF whose palette has levels up to 255, as old programs write it, and not up to 65535."""
    data = bytearray(encoded(picture, "TIFF"))
    colours = struct.pack("<768H", *[level * 256 for level in _by_channel(picture)])
    at = data.find(colours)
    assert at >= 0
    data[at : at + len(colours)] = struct.pack("<768H", *_by_channel(picture))
    return bytes(data)


def _by_channel(picture: Image.Image) -> list[int]:
    palette = picture.getpalette() or []
    levels = palette + [0] * (768 - len(palette))
    return levels[0::3] + levels[1::3] + levels[2::3]


def tiled(side: int, tile: int = 512) -> bytes:
    """A TIFF of side x side pixels in a small file: all of its tiles are the same bytes."""
    down, across = np.mgrid[:tile, :tile]
    pixels = np.stack([across // 2, down // 2, (across + down) // 4], -1).astype(np.uint8)
    data = zlib.compress(pixels.tobytes(), 1)
    count = (-(-side // tile)) ** 2
    tags = [(256, 4, [side]), (257, 4, [side]), (258, 3, [8, 8, 8]), (259, 3, [8]), (262, 3, [2]), (277, 3, [3])]
    tags += [(322, 4, [tile]), (323, 4, [tile]), (324, 4, [8] * count), (325, 4, [len(data)] * count)]
    body = data + b"\0" * (len(data) % 2)
    after = 8 + len(body) + 2 + 12 * len(tags) + 4
    directory, longer = struct.pack("<H", len(tags)), b""
    for tag, form, values in tags:
        packed = struct.pack(f"<{len(values)}{'H' if form == 3 else 'I'}", *values)
        directory += struct.pack("<HHI", tag, form, len(values))
        directory += struct.pack("<I", after + len(longer)) if len(packed) > 4 else packed.ljust(4, b"\0")
        longer += packed + b"\0" * (len(packed) % 2) if len(packed) > 4 else b""
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + directory + bytes(4) + longer


def corpus(picture: Image.Image) -> Iterator[tuple[str, bytes, Image.Image, float]]:
    """Names, files, the images that they show, and by how many levels of 255 these may differ in the mean."""
    samples = np.asarray(picture)
    gray = picture.convert("L")
    deep = samples.astype(np.uint16) * 257
    for orientation in TURNS:
        pixels, exif = turned(picture, orientation)
        yield f"HEIC, orientation {orientation}", heic(pixels, exif=exif.tobytes(), quality=95), picture, 1.5
        yield f"TIFF, orientation {orientation}", encoded(pixels, "TIFF", tiffinfo={274: orientation}), picture, 0
        yield f"AVIF, orientation {orientation}", encoded(pixels, "AVIF", exif=exif.tobytes(), quality=95), picture, 2
        preview = encoded(pixels, "JPEG", quality=98, subsampling=0)
        yield f"RAW, orientation {orientation}", dng(preview, orientation), picture, 1.5
    profile = exchanged_profile()
    yield "HEIC, colour profile", heic(exchanged(picture), quality=95, icc_profile=profile), picture, 2
    yield "AVIF, colour profile", encoded(exchanged(picture), "AVIF", quality=95, icc_profile=profile), picture, 2.5
    yield "TIFF, colour profile", encoded(exchanged(picture), "TIFF", icc_profile=profile), picture, 1
    yield "JPEG 2000", encoded(picture, "JPEG2000"), picture, 0
    yield "JPEG 2000, 16 bits", encoded(Image.fromarray(deep[..., 0]), "JPEG2000"), Image.fromarray(samples[..., 0]), 1
    for packing in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd", "lzma"):
        yield f"TIFF, {packing}", encoded(picture, "TIFF", compression=packing), picture, 0
    yield "TIFF, JPEG", encoded(picture, "TIFF", compression="jpeg", quality=95), picture, 2.5
    yield "TIFF, difference", encoded(picture, "TIFF", compression="tiff_lzw", tiffinfo={317: 2}), picture, 0
    bilevel = picture.convert("1")
    yield "TIFF, fax", encoded(bilevel, "TIFF", compression="group4"), bilevel, 0
    palette = picture.quantize(64)
    yield "TIFF, palette", encoded(palette, "TIFF"), palette, 0
    yield "TIFF, CMYK", encoded(picture.convert("CMYK"), "TIFF"), picture, 0
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    yield "TIFF, Lab", encoded(ImageCms.profileToProfile(picture, *profiles, outputMode="LAB"), "TIFF"), picture, 1
    clear = picture.copy()
    clear.putalpha(0)
    yield "TIFF, transparent", encoded(clear, "TIFF"), Image.new("RGB", picture.size, "white"), 0
    colour = {"photometric": "rgb"}
    ramp = Image.linear_gradient("L").resize(picture.size)
    faded = Image.composite(picture, Image.new("RGB", picture.size, "white"), ramp)
    alpha = np.asarray(ramp)[..., None]
    multiplied = np.concatenate([np.rint(samples * (alpha / 255)).astype(np.uint8), alpha], axis=-1)
    for depth, numbers in {8: multiplied, 16: multiplied.astype(np.uint16) * 257}.items():
        extra = {"photometric": "rgb", "extrasamples": ["assocalpha"]}
        yield f"TIFF, multiplied with its alpha, {depth} bits", tiff(numbers, **extra), faded, 0.6
    yield "TIFF, 8-bit numbers with a sign", tiff((samples[..., 0] // 2).astype(np.int8)), picture.getchannel("R"), 1
    yield "TIFF, palette of 8-bit numbers", narrow_palette(palette), palette, 0
    yield "TIFF, 16 bits", tiff(deep, **colour), picture, 0
    yield (
        "TIFF, 16 bits in planes",
        tiff(np.moveaxis(deep, -1, 0).copy(), planarconfig="separate", **colour),
        picture,
        0,
    )
    yield "TIFF, 16 bits, differences", tiff(deep, compression="zlib", predictor=True, **colour), picture, 0
    yield "TIFF, 16 bits, big-endian", tiff(deep, byteorder=">", **colour), picture, 0
    yield "TIFF, 16 bits, tiles", tiff(deep, tile=(64, 64), compression="zlib", **colour), picture, 0
    yield "TIFF, 32 bits", tiff(samples.astype(np.uint32) * 16843009, **colour), picture, 0
    for depth in (2, 4, 8):
        floats = (samples / 255).astype(f"f{depth}")
        yield f"TIFF, floats of {8 * depth} bits", tiff(floats, **colour), picture, 0.1
    floating = Image.fromarray((samples[..., 0] / 255).astype(np.float32))
    red = Image.fromarray(samples[..., 0])
    yield "TIFF, float difference", encoded(floating, "TIFF", compression="tiff_lzw", tiffinfo={317: 3}), red, 0
    yield "TIFF, white is zero", tiff(65535 - deep[..., 0], photometric="miniswhite"), red, 0
    yield "TIFF, BigTIFF", tiff(deep, bigtiff=True, **colour), picture, 0
    yield "TIFF, tiles", tiff(samples, tile=(64, 64), **colour), picture, 0
    yield "PPM", encoded(picture, "PPM"), picture, 0
    height, width = samples.shape[:2]
    yield "PGM, 16 bits", b"P5 %d %d 65535\n" % (width, height) + deep[..., 0].astype(">u2").tobytes(), red, 0
    floats = (samples[::-1, :, 0] / 255).astype("<f4")
    yield "PFM", b"Pf\n%d %d\n-1.0\n" % (width, height) + floats.tobytes(), red, 0
    yield "BMP, 1 bit", encoded(bilevel, "BMP"), bilevel, 0
    yield "TIFF, gray", encoded(gray, "TIFF"), gray, 0


def phone_photographs(folder: Path, count: int, size: tuple[int, int] = (800, 600)) -> dict[str, str]:
    """Writes so many HEIC files as phones write them: held in all ways, half of them with a colour profile.

    Returns:
        Each file's name, and the name of what it shows.
    """
    shows = {"chelsea": CHELSEA, "coffee": COFFEE, "camera": CAMERA, "grace_hopper": GRACE_HOPPER}
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[tuple[str, int, bool], bytes] = {}
    names = {}
    for number in range(count):
        subject = list(shows)[number % len(shows)]
        orientation, wide = number // len(shows) % 8 + 1, bool(number // 32 % 2)
        if (subject, orientation, wide) not in made:
            pixels, exif = turned(image(shows[subject]).resize(size), orientation)
            options = {"icc_profile": exchanged_profile()} if wide else {}
            pixels = exchanged(pixels) if wide else pixels
            made[subject, orientation, wide] = heic(pixels, exif=exif.tobytes(), **options)
        name = f"IMG_{number:04}.HEIC"
        (folder / name).write_bytes(made[subject, orientation, wide])
        names[name] = subject
    return names
