"""Decode huge files in a process of its own, and print as JSON the status and the memory of each.

    PYTHONPATH=tests python -m support.decode_memory MAX_PIXELS

On Linux, where a process can set its peak back. `MALLOC_MMAP_THRESHOLD_` in the environment makes the allocator give
every image's memory back, so that the next one's is seen.
"""

import functools
import json
import re
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from support import image_files
from support.decoding import HEIGHT, decode
from support.image_cases import CASES
from support.photographs import encoded

# Without these, glibc and the allocator that TensorFlow has with oneDNN keep what an image takes, and what the next one
# takes is not seen. Decoding itself does not use oneDNN.
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "TF_ENABLE_ONEDNN_OPTS": "0"}


@functools.cache
def _packed_zeros() -> bytes:
    """A quarter of a megabyte that unpacks to 256."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(2**20)) for _ in range(256)) + packer.flush()


def _bomb(kind: bytes, before: bytes) -> bytes:
    """A PNG of a few pixels, with a text or a colour profile that unpacks to 256 megabytes."""
    picture = encoded(Image.new("RGB", (8, 8)), "PNG")
    return image_files.with_chunks(picture, image_files.chunk(kind, before + _packed_zeros()))


def _huge_jpeg(width: int, height: int) -> bytes:
    return image_files.with_size(encoded(Image.new("RGB", (8, 8)), "JPEG"), width, height)


def _long_row() -> bytes:
    return image_files.bmp([bytes(4_000_000)], (4_000_000, 1), 8, palette=bytes(1024))


def _gif_of_many_frames() -> bytes:
    one = encoded(Image.new("P", (8, 8)), "GIF")
    return one[:-1] + b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0" * 10_000 + one[-1:]


def _animation_of_many_frames() -> bytes:
    still = encoded(Image.new("RGB", (1000, 1000)), "WEBP", lossless=True)
    return image_files.animation((1000, 1000), *[image_files.frame(still)] * 1000)


def _square(form: str, mode: str = "RGB", **options: object) -> bytes:
    """Four million pixels of noise."""
    samples = np.random.default_rng(0).integers(0, 256, (2000, 2000, len(mode)), np.uint8).squeeze()
    return encoded(Image.fromarray(samples), form, **options)


def _wide() -> bytes:
    """Four million pixels in as few rows as the model has: the resize first works on all of its columns."""
    samples = np.random.default_rng(0).integers(0, 256, (HEIGHT, 4_000_000 // HEIGHT, 3), np.uint8)
    return encoded(Image.fromarray(samples), "PNG", compress_level=1)


# Vast in what they claim or unpack to: the status, and the file.
VAST: dict[str, tuple[int, Callable[[], bytes]]] = {
    "PNG of 20000 x 20000": (2, lambda: image_files.black_png(20_000, 20_000)),
    "PNG of a million columns": (2, lambda: image_files.black_png(1_000_000, 1)),
    "PNG with 256 megabytes of text": (0, lambda: _bomb(b"zTXt", b"Comment\0\0")),
    "PNG with 256 megabytes of colour profile": (0, lambda: _bomb(b"iCCP", b"Profile\0\0")),
    "JPEG of 65500 x 65500": (2, lambda: _huge_jpeg(65500, 65500)),
    "BMP of 4 million columns": (2, _long_row),
    "GIF of 10000 vast frames": (0, _gif_of_many_frames),
    "WebP of 1000 frames": (0, _animation_of_many_frames),
}
# Ordinary files of as many pixels as are allowed.
ALLOWED: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: _square("JPEG"),
    "JPEG, progressive": lambda: _square("JPEG", progressive=True, subsampling=0),
    "PNG": lambda: _square("PNG", compress_level=1),
    "PNG, wide": _wide,
    "PNG with alpha": lambda: _square("PNG", "RGBA", compress_level=1),
    "GIF": lambda: _square("GIF", "L"),
    "BMP": lambda: _square("BMP"),
    "BMP, palette": lambda: _square("BMP", "L"),
    "WebP": lambda: _square("WEBP", method=0),
    "WebP with alpha": lambda: _square("WEBP", "RGBA", method=0),
}


def main() -> None:
    """Prints {name: [status, bytes]}."""
    max_pixels = int(sys.argv[1])
    makers = {name: make for name, (_, make) in VAST.items()} | ALLOWED
    files = {name: make() for name, make in makers.items()}
    for case in CASES:
        if case.name.endswith("1 x 1"):
            decode(case.data(), max_pixels=max_pixels)
    # One base for all: what the image before took may not all have been given back yet.
    base, taken = memory("VmRSS"), {}
    for name, data in files.items():
        # Makes the peak what the process has now.
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        (status,), _ = decode(data, max_pixels=max_pixels)
        taken[name] = [status, memory("VmHWM") - base]
    print(json.dumps(taken))


def memory(which: str) -> int:
    """Return a figure of the kernel about this process, in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{which}:\s+(\d+) kB", status)[1]) * 1024


if __name__ == "__main__":
    main()
