"""Seeded hostile images: `hostile_image(seed, number)` is always the same bytes, from the same bases.

Each is one of the strategies below applied to a file that exists (a case of `support.image_cases`, a hostile file of
`support.hostile_files`, a photograph), and now and then a second one on top. One in `COSTLY_EVERY` is a file
of `trust.costly`.
"""

import functools
import struct
import zlib
from collections.abc import Sequence

from PIL import Image

from hubserve_export._preprocessing import DEFAULT_MAX_PIXELS
from support import image_files
from support.hostile_files import FORMS, HOSTILE
from support.image_cases import CASES
from support.photographs import GRACE_HOPPER, encoded
from trust.costly import COSTLY, SMALL_FILE
from trust.mutations import EDGES, Chance, Mutation, cut_and_paste, flip, mutate, number_edges, truncate

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"RIFF\0\1\0\0WEBPVP8 ", b"")
_SMALL = 12_000
# One in so many is a file of `trust.costly`, of any size up to the default of --max-pixels: each coding in turn. They
# take seconds each, the others milliseconds.
COSTLY_EVERY = 200


def hostile_image(seed: int, number: int) -> tuple[str, bytes]:
    """The name of the strategy, and the file."""
    chance = Chance(f"{seed}/{number}")
    if is_constructed(number):
        return "costly", _costly(chance, number // COSTLY_EVERY)
    small, large = _bases()
    base = chance.choice(small if chance.random() < 0.97 else large)
    (name,) = chance.choices(list(STRATEGIES), [weight for weight, _ in STRATEGIES.values()])
    data = STRATEGIES[name][1](chance, base)
    if chance.random() < 0.3:
        data = mutate(chance, data)
    return name, data


def is_constructed(number: int) -> bool:
    """Tell whether the input of this number is a file of `trust.costly`."""
    return number % COSTLY_EVERY == COSTLY_EVERY - 1


def _costly(chance: Chance, turn: int) -> bytes:
    """Return a file below a megabyte that was constructed to cost much, of many or of few pixels."""
    coding = list(COSTLY.values())[turn % len(COSTLY)]
    most = min(DEFAULT_MAX_PIXELS, coding.most_pixels)
    pixels = most * chance.choice([chance.uniform(1 / 3, 1), chance.random() ** 4])
    while True:
        width = max(1, min(int(pixels ** chance.uniform(0.45, 0.55)), 16_383))
        data = coding.make(width, max(1, min(int(pixels / width), 16_383)))
        if len(data) <= SMALL_FILE:
            return data
        pixels /= 2


@functools.cache
def _bases() -> tuple[list[bytes], list[bytes]]:
    slow = ("megapixels", "decoded at", "20000", "scans", "10000 frames")
    cases = [case.data() for case in CASES if not any(word in case.name for word in slow)]
    hostile = [
        file.make() for name, file in HOSTILE.items() if not any(word in name for word in ("5000", "20000", "hidden"))
    ]
    every = sorted({*FORMS.values(), *cases, *hostile, GRACE_HOPPER.read_bytes()})
    small = [data for data in every if len(data) <= _SMALL]
    return small, [data for data in every if len(data) > _SMALL]


def noise(chance: Chance, _: bytes) -> bytes:
    """Random bytes after a format's signature, or after none."""
    return chance.choice(_SIGNATURES) + chance.randbytes(chance.randrange(400))


def splice(chance: Chance, data: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    other = chance.choice(_bases()[0])
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


def restructure(chance: Chance, data: bytes) -> bytes:
    """Chunks or segments dropped, doubled, exchanged, or altered, with lengths and checksums put right again."""
    form, parts = _parts(data)
    if len(parts) < 2:
        return flip(chance, data)
    at, other = chance.randrange(len(parts)), chance.randrange(len(parts))
    match chance.randrange(5):
        case 0:
            del parts[at]
        case 1:
            parts.insert(other, parts[at])
        case 2:
            parts[at], parts[other] = parts[other], parts[at]
        case _:
            kind, payload = parts[at]
            parts[at] = (kind, _altered(chance, kind, payload))
    return _joined(form, parts)


def exif(chance: Chance, data: bytes) -> bytes:
    """An orientation tag that is broken in any way, where the format keeps its EXIF."""
    tag = image_files.tiff(
        chance.choice([0, 1, 6, 8, 9, 65535]),
        chance.choice("<>"),
        entries=chance.choice([1, 2, 3, 40]),
        offset=chance.choice([8, 9, 12, 100]),
        kind=chance.choice([2, 3, 4, 7]),
    )
    # A segment of JPEG holds no more.
    tag = mutate(chance, tag)[:60_000]
    if data.startswith(b"\x89PNG"):
        return image_files.with_chunks(data, image_files.chunk(b"eXIf", tag))
    if data.startswith(b"RIFF"):
        still = image_files.picture_chunks(FORMS["WebP"])
        return image_files.riff(image_files.canvas(64, 48, 0x08), still, image_files.webp_chunk(b"EXIF", tag))
    return image_files.after_start(FORMS["JPEG"], image_files.segment(0xE1, image_files.EXIF_PREFIX + tag))


def claim(chance: Chance, _: bytes) -> bytes:
    """A whole file of another size than its header says, up to the largest that the format can say."""
    width, height = (chance.choice([chance.randrange(1, 3000), *(edge % 2**32 for edge in EDGES)]) for _ in range(2))
    depth, colour = chance.choice([1, 2, 4, 8, 16]), chance.choice([0, 2, 3, 4, 6])
    png = FORMS["PNG"]
    screen = struct.pack("<HH", width % 65536, height % 65536)
    gif, bmp = FORMS["GIF"], FORMS["BMP"]
    return chance.choice(
        [
            png[:8] + image_files.header_chunk(width, height, depth, colour, chance.random() < 0.3) + png[33:],
            image_files.with_size(FORMS["JPEG"], width % 65536, height % 65536),
            image_files.with_size(FORMS["JPEG, progressive"], width % 65536, height % 65536),
            gif[:6] + screen + gif[10:],
            bmp[:18] + struct.pack("<II", width, height) + bmp[26:],
            image_files.riff(
                image_files.canvas(width % 2**24 or 1, height % 2**24 or 1, chance.choice([0, 2, 16])),
                image_files.picture_chunks(FORMS["WebP"]),
            ),
        ]
    )


def bomb(chance: Chance, _: bytes) -> bytes:
    """Few bytes that stand for many: rows of zeros, packed text, scans without end, vast frames."""
    return chance.choice(_bombs())


@functools.cache
def _bombs() -> Sequence[bytes]:
    zeros = zlib.compress(bytes(2**24), 9)
    tiny = encoded(Image.new("RGB", (8, 8)), "PNG")
    gif = encoded(Image.new("P", (8, 8)), "GIF")
    return [
        image_files.black_png(1400, 1400),
        image_files.black_png(20_000, 20_000),
        image_files.black_png(1, 60_000),
        image_files.black_png(80_000, 1),
        image_files.with_chunks(tiny, image_files.chunk(b"zTXt", b"Comment\0\0" + zeros)),
        image_files.with_chunks(tiny, image_files.chunk(b"iCCP", b"Profile\0\0" + zeros)),
        image_files.progressive_scans(200, 200, 100),
        image_files.baseline_scans(200, 200, 100),
        gif[:-1] + b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0" * 2000 + gif[-1:],
        image_files.after_start(FORMS["JPEG"], *[image_files.segment(0xE5, b"")] * 2000),
    ]


STRATEGIES: dict[str, tuple[int, Mutation]] = {
    "noise": (5, noise),
    "truncate": (10, truncate),
    "flip": (20, flip),
    "number edges": (20, number_edges),
    "cut and paste": (8, cut_and_paste),
    "splice": (6, splice),
    "restructure": (18, restructure),
    "exif": (7, exif),
    "claim": (5, claim),
    "bomb": (1, bomb),
}


def _parts(data: bytes) -> tuple[str, list[tuple[bytes, bytes]]]:
    """The format, and its chunks or segments as kind and payload, as far as they can be followed."""
    parts: list[tuple[bytes, bytes]] = []
    if data.startswith(image_files.PNG_SIGNATURE):
        at = 8
        while at + 12 <= len(data):
            (length,) = struct.unpack(">I", data[at : at + 4])
            parts.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
            at += 12 + length
        return "PNG", parts
    if data.startswith(b"RIFF"):
        at = 12
        while at + 8 <= len(data):
            (length,) = struct.unpack("<I", data[at + 4 : at + 8])
            parts.append((data[at : at + 4], data[at + 8 : at + 8 + length]))
            at += 8 + length + length % 2
        return "WebP", parts
    if data.startswith(b"\xff\xd8"):
        at = 2
        while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != 0xDA:
            (length,) = struct.unpack(">H", data[at + 2 : at + 4])
            parts.append((data[at + 1 : at + 2], data[at + 4 : at + 2 + length]))
            at += 2 + length
        return "JPEG", [*parts, (b"", data[at:])]
    return "", [(b"", data)]


def _joined(form: str, parts: Sequence[tuple[bytes, bytes]]) -> bytes:
    if form == "PNG":
        return image_files.PNG_SIGNATURE + b"".join(image_files.chunk(*part) for part in parts)
    if form == "WebP":
        return image_files.riff(*(image_files.webp_chunk(*part) for part in parts))
    segments = (image_files.segment(kind[0], payload[:65533]) if kind else payload for kind, payload in parts)
    return b"\xff\xd8" + b"".join(segments)


def _altered(chance: Chance, kind: bytes, payload: bytes) -> bytes:
    if kind == b"IDAT" and chance.random() < 0.5:
        # Below the compression: filters, and rows that are too short or too long.
        try:
            return zlib.compress(mutate(chance, zlib.decompress(payload)), 1)
        except zlib.error:
            pass
    return mutate(chance, payload)
