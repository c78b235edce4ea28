"""Files made to do harm: false headers, sizes that overflow, bombs, and endless work.

tests/trust/README.md says what each attacks; the tests of decoding and the fuzzer start from them.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from support import image_files
from support.photographs import encoded, image


@dataclass(frozen=True)
class HostileFile:
    """A file: the status that it must be answered with, what it attacks, and how it is made."""

    status: int
    attacks: str
    make: Callable[[], bytes]


SMALL = image().resize((64, 48))
FORMS = {
    "JPEG": encoded(SMALL, "JPEG"),
    "JPEG, progressive": encoded(SMALL, "JPEG", progressive=True),
    "PNG": encoded(SMALL, "PNG"),
    "GIF": encoded(SMALL.quantize(64), "GIF"),
    "BMP": encoded(SMALL, "BMP"),
    "BMP, palette": encoded(SMALL.quantize(256), "BMP"),
    "WebP": encoded(SMALL, "WEBP"),
    "WebP, lossless with alpha": encoded(SMALL.convert("RGBA"), "WEBP", lossless=True),
    "WebP, animated": encoded(SMALL, "WEBP", save_all=True, append_images=[SMALL.rotate(90)]),
}


def _patched(form: str, *patches: tuple[int, bytes]) -> bytes:
    """The file with these bytes at these places."""
    data = bytearray(FORMS[form])
    for place, put in patches:
        data[place : place + len(put)] = put
    return bytes(data)


def _png_header(width: int, height: int) -> bytes:
    return FORMS["PNG"][:8] + image_files.header_chunk(width, height, 8, 2) + FORMS["PNG"][33:]


def _hidden_png_header() -> bytes:
    """A chunk with small sizes where those of IHDR should be, and the vast IHDR after it."""
    fake = image_files.chunk(b"teXt", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    return FORMS["PNG"][:8] + fake + image_files.black_png(20_000, 20_000)[8:]


def _jpeg_in_a_segment() -> bytes:
    """A segment that holds a small frame header, and then the vast one."""
    vast = image_files.with_size(FORMS["JPEG"], 65500, 65500)
    at = image_files.frame_header(FORMS["JPEG"])
    return image_files.after_start(vast, image_files.segment(0xE1, FORMS["JPEG"][at : at + 19]))


def _le(number: int, octets: int = 4) -> bytes:
    return (number % 256**octets).to_bytes(octets, "little")


HOSTILE: dict[str, HostileFile] = {
    "PNG of 20000 x 20000 pixels in few bytes": HostileFile(
        2, "memory: 400 million pixels unpacked from kilobytes", lambda: image_files.black_png(20_000, 20_000)
    ),
    "PNG of one row of a million pixels": HostileFile(
        2,
        "memory: the resize brings one row of any length to the model's height first",
        lambda: image_files.black_png(1_000_000, 1),
    ),
    "PNG that claims 2**32 - 1 squared": HostileFile(
        2, "the product of the sides, which overflows 63 bits", lambda: _png_header(2**32 - 1, 2**32 - 1)
    ),
    "PNG that claims 2**31 squared": HostileFile(
        2, "sides taken for negative numbers", lambda: _png_header(2**31, 2**31)
    ),
    "PNG that claims no width": HostileFile(1, "division by zero, empty tensors", lambda: _png_header(0, 48)),
    "PNG that claims no height": HostileFile(1, "division by zero, empty tensors", lambda: _png_header(64, 0)),
    "PNG that claims fewer rows than it has": HostileFile(
        0, "bytes left over after the image", lambda: _png_header(64, 20)
    ),
    "PNG that claims more rows than it has": HostileFile(
        1, "memory given out and never filled", lambda: _png_header(64, 5000)
    ),
    "PNG whose true header is hidden": HostileFile(
        1, "a cap that reads one header while the decoder reads another", _hidden_png_header
    ),
    "PNG with a chunk of 2**32 - 1 bytes": HostileFile(
        1, "the walk over chunks, sent beyond the end", lambda: _patched("PNG", (33, b"\xff\xff\xff\xffteXt"))
    ),
    "PNG with a wrong checksum": HostileFile(
        1, "a header that is read before it is checked", lambda: _patched("PNG", (29, b"\0\0\0\0"))
    ),
    "JPEG that claims 65500 x 65500": HostileFile(
        2, "memory: 4 billion pixels from a kilobyte", lambda: image_files.with_size(FORMS["JPEG"], 65500, 65500)
    ),
    "JPEG that claims no width": HostileFile(
        1, "division by zero, empty tensors", lambda: image_files.with_size(FORMS["JPEG"], 0, 48)
    ),
    "JPEG that claims no height": HostileFile(
        1, "a height that libjpeg would read later, after the cap", lambda: image_files.with_size(FORMS["JPEG"], 64, 0)
    ),
    # libjpeg shows the rest in gray, here as in Pillow.
    "JPEG that claims more pixels than it has": HostileFile(
        0, "memory given out and never filled", lambda: image_files.with_size(FORMS["JPEG"], 4000, 4000)
    ),
    "JPEG whose true header is hidden": HostileFile(
        2, "a cap that reads one header while the decoder reads another", _jpeg_in_a_segment
    ),
    "JPEG with a segment beyond the end": HostileFile(
        1, "the walk over segments, sent beyond the end", lambda: FORMS["JPEG"][:2] + b"\xff\xe5\xff\xff"
    ),
    "JPEG of nothing but markers": HostileFile(1, "time: fill bytes without end", lambda: b"\xff" * 5000),
    "JPEG of 5000 empty segments": HostileFile(
        1, "time: a walk of many tiny steps", lambda: b"\xff\xd8" + b"\xff\xe5\0\2" * 5000
    ),
    "JPEG, baseline, 5000 scans of one component": HostileFile(
        1, "time: all pixels gone over once a scan of ten bytes", lambda: image_files.baseline_scans(8000, 8000, 5000)
    ),
    "JPEG of 5000 scans": HostileFile(
        1, "time: the same, progressive", lambda: image_files.progressive_scans(4000, 4000, 5000)
    ),
    "JPEG of 5000 scans after 2000 segments": HostileFile(
        1,
        "a limit on scans that looks only at the first segments",
        lambda: image_files.after_start(
            image_files.progressive_scans(400, 400, 5000), *[image_files.segment(0xE5, b"")] * 2000
        ),
    ),
    "GIF of the largest screen": HostileFile(
        2, "memory: 4 billion pixels from a few bytes", lambda: _patched("GIF", (6, b"\xff\xff\xff\xff"))
    ),
    "GIF of 100000 empty extensions": HostileFile(
        1, "time: a walk of many tiny steps", lambda: FORMS["GIF"][:205] + b"\x21\xfe\0" * 100_000 + FORMS["GIF"][205:]
    ),
    "GIF of 200000 tiny sub-blocks": HostileFile(
        1, "time: a walk of many tiny steps", lambda: FORMS["GIF"][:205] + b"\x21\xfe" + b"\1x" * 200_000 + b"\0"
    ),
    "GIF of 30 extensions of 65534 tiny sub-blocks, no two alike": HostileFile(
        1,
        "time: a limit that each extension stays below",
        lambda: FORMS["GIF"][:205] + (b"\x21\xfe" + b"\1x\2xx" * 32_767 + b"\0") * 30 + FORMS["GIF"][205:],
    ),
    "BMP that claims no width": HostileFile(
        1, "division by zero, empty tensors", lambda: _patched("BMP", (18, _le(0)))
    ),
    "BMP that claims no height": HostileFile(
        1, "division by zero, empty tensors", lambda: _patched("BMP", (22, _le(0)))
    ),
    "BMP of a negative width": HostileFile(2, "signs", lambda: _patched("BMP", (18, _le(-64)))),
    "BMP of the largest size": HostileFile(
        2, "the product of the sides", lambda: _patched("BMP", (18, _le(2**31 - 1) * 2))
    ),
    "BMP of the most negative height": HostileFile(
        2, "a number whose negative is itself", lambda: _patched("BMP", (22, _le(-(2**31))))
    ),
    "BMP whose pixels are beyond the end": HostileFile(
        1, "reading outside the file", lambda: _patched("BMP", (10, _le(2**31 - 1)))
    ),
    "BMP whose pixels are before the start": HostileFile(
        1, "reading outside the file", lambda: _patched("BMP", (10, _le(-100)))
    ),
    "BMP with a header beyond the end": HostileFile(
        1, "reading outside the file", lambda: _patched("BMP, palette", (14, _le(2**32 - 1)))
    ),
    "BMP with a palette of 2**32 - 1 colours": HostileFile(
        0, "memory, and reading outside the file", lambda: _patched("BMP, palette", (46, _le(-1)))
    ),
    "BMP of more rows than it has": HostileFile(1, "reading outside the file", lambda: _patched("BMP", (22, _le(49)))),
    "WebP of the largest canvas": HostileFile(
        2, "memory: 281 trillion pixels from 30 bytes", lambda: image_files.riff(image_files.canvas(2**24, 2**24, 0))
    ),
    "WebP whose size is too small": HostileFile(
        1, "a container shorter than what is in it", lambda: _patched("WebP", (4, _le(20)))
    ),
    "WebP whose size is too large": HostileFile(
        1, "reading outside the file", lambda: _patched("WebP", (4, _le(2**31)))
    ),
    "WebP of no size": HostileFile(1, "division by zero, empty tensors", lambda: _patched("WebP", (26, _le(0)))),
    "WebP, a chunk of 2**32 - 1 bytes": HostileFile(
        1, "the walk over chunks, sent beyond the end", lambda: _patched("WebP", (16, _le(-1)))
    ),
    "WebP, said to be animated": HostileFile(
        1,
        "the search for a frame that is not there",
        lambda: image_files.riff(image_files.canvas(64, 48, 0x02), image_files.picture_chunks(FORMS["WebP"])),
    ),
    "WebP, a frame of 2**32 - 1 bytes": HostileFile(
        1, "a frame cut out from beyond the end", lambda: _patched("WebP, animated", (48, _le(-1)))
    ),
    "WebP, a frame that holds an animation": HostileFile(
        1,
        "TensorFlow's own decoder of animations, which has corrupted memory",
        lambda: image_files.animation(
            (64, 48),
            image_files.webp_chunk(b"ANMF", bytes(6) + b"\x3f\0\0\x2f\0\0" + bytes(4) + FORMS["WebP, animated"][12:]),
        ),
    ),
}
