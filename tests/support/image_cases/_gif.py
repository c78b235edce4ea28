"""GIF: frames and their places, palettes, transparency."""

from PIL import Image

from support import image_files
from support.image_cases._case import Case, as_png, palette_picture, photograph
from support.image_files import gif

# A frame of the largest screen there is.
_VAST_FRAME = b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0"


def _part() -> Image.Image:
    return palette_picture().crop((0, 0, 50, 60))


def _part_on_white() -> bytes:
    shown = Image.new("RGB", (80, 96), "white")
    shown.paste(_part().convert("RGB"), (20, 30))
    return as_png(shown)


def _damaged() -> bytes:
    """The compressed pixels are garbage."""
    data = bytearray(gif(palette_picture()))
    at = image_files.gif_frame(data) + 12
    data[at : at + 100] = b"\xa5" * 100
    return bytes(data)


def _taller_frame() -> bytes:
    """The frame claims more rows than its data have."""
    data = bytearray(gif(palette_picture()))
    data[image_files.gif_frame(data) + 7] += 1
    return bytes(data)


def _without_a_palette() -> bytes:
    """A palette is optional in the format, and readers make up one each."""
    file = gif(palette_picture())
    frame = image_files.gif_frame(file)
    return file[:10] + bytes([file[10] & 0x78]) + file[11:13] + file[frame:]


def _in_blocks_of(file: bytes, size: int) -> bytes:
    """The pixels in sub-blocks of this size, as some writers have them."""
    start = at = image_files.gif_frame(file) + 11
    data = b""
    while file[at]:
        data += file[at + 1 : at + 1 + file[at]]
        at += 1 + file[at]
    parts = (data[done : done + size] for done in range(0, len(data), size))
    return file[:start] + b"".join(bytes([len(part)]) + part for part in parts) + file[at:]


CASES = [
    Case("GIF, version 89a", lambda: gif(palette_picture(), comment="89a")),
    Case("GIF, version 87a", lambda: gif(palette_picture()).replace(b"GIF89a", b"GIF87a")),
    Case("GIF, interlaced", lambda: gif(palette_picture(), interlaced=True)),
    Case("GIF, palette of 2", lambda: gif(palette_picture(2))),
    Case("GIF, palette of 256", lambda: gif(palette_picture(256))),
    Case("GIF, grayscale", lambda: gif(photograph().convert("L"))),
    Case("GIF, palette of its own frame", lambda: image_files.with_local_table(gif(palette_picture()))),
    Case("GIF, one colour transparent", lambda: gif(palette_picture(), transparency=3)),
    Case(
        "GIF, palette of its own frame, one colour transparent",
        lambda: image_files.with_local_table(gif(palette_picture(), transparency=3)),
    ),
    Case("GIF, a transparent colour that is not there", lambda: gif(palette_picture(), transparency=255)),
    Case("GIF, animated", lambda: gif(palette_picture(), save_all=True, append_images=[photograph().rotate(90)])),
    Case(
        "GIF, 10000 frames of the largest screen",
        lambda: gif(palette_picture())[:-1] + _VAST_FRAME * 10_000 + b"\x3b",
        shown=lambda: gif(palette_picture()),
    ),
    Case(
        "GIF, frame smaller than the screen",
        lambda: image_files.on_screen(gif(_part()), (80, 96), (20, 30)),
        shown=_part_on_white,
    ),
    Case(
        "GIF, frame that reaches over the screen",
        lambda: image_files.on_screen(gif(palette_picture()), (40, 40), (0, 0)),
    ),
    Case("GIF, screen of no size", lambda: image_files.on_screen(gif(palette_picture()), (0, 0), (0, 0))),
    Case(
        "GIF, frame far over a small screen",
        lambda: image_files.on_screen(gif(palette_picture()), (9, 9), (65000, 65000)),
        status=2,
    ),
    Case("GIF, no palette at all", _without_a_palette, status=1),
    Case("GIF, sub-blocks of 100 bytes", lambda: _in_blocks_of(gif(palette_picture()), 100)),
    Case("GIF, no frame", lambda: gif(palette_picture())[: 13 + 192] + b"\x3b", status=1),
    Case("GIF, damaged pixels", _damaged, status=1),
    Case("GIF, fewer pixels than the frame has", _taller_frame, status=1),
    Case("GIF, the end missing", lambda: gif(palette_picture())[:-2], status=1),
]
