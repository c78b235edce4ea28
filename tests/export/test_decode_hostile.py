"""Files made to do harm: each is answered with a status, and its neighbours as if it were not there."""

import struct
from collections.abc import Callable

import numpy as np
import pytest

from support import image_files
from support.decoding import decode
from support.image_cases import CASES
from support.photographs import CHELSEA, COFFEE, encoded, image

GOOD = [CHELSEA.read_bytes(), COFFEE.read_bytes(), encoded(image(), "JPEG")]
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
SIGNATURES = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"RIFF\0\1\0\0WEBPVP8 ", b""]


def patched(form: str, *patches: tuple[int, bytes]) -> bytes:
    """The file with these bytes at these places."""
    data = bytearray(FORMS[form])
    for place, put in patches:
        data[place : place + len(put)] = put
    return bytes(data)


def png_header(width: int, height: int) -> bytes:
    return FORMS["PNG"][:8] + image_files.header_chunk(width, height, 8, 2) + FORMS["PNG"][33:]


def hidden_png_header() -> bytes:
    """A chunk with small sizes where those of IHDR should be, and the vast IHDR after it."""
    fake = image_files.chunk(b"teXt", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    return FORMS["PNG"][:8] + fake + image_files.black_png(20_000, 20_000)[8:]


def jpeg_in_a_segment() -> bytes:
    """A segment that holds a small frame header, and then the vast one."""
    vast = image_files.with_size(FORMS["JPEG"], 65500, 65500)
    at = image_files.frame_header(FORMS["JPEG"])
    return image_files.after_start(vast, image_files.segment(0xE1, FORMS["JPEG"][at : at + 19]))


def le(number: int, octets: int = 4) -> bytes:
    return (number % 256**octets).to_bytes(octets, "little")


HOSTILE: dict[str, tuple[int, Callable[[], bytes]]] = {
    "PNG of 20000 x 20000 pixels in few bytes": (2, lambda: image_files.black_png(20_000, 20_000)),
    "PNG of one row of a million pixels": (2, lambda: image_files.black_png(1_000_000, 1)),
    "PNG that claims 2**32 - 1 squared": (2, lambda: png_header(2**32 - 1, 2**32 - 1)),
    "PNG that claims 2**31 squared": (2, lambda: png_header(2**31, 2**31)),
    "PNG that claims no width": (1, lambda: png_header(0, 48)),
    "PNG that claims no height": (1, lambda: png_header(64, 0)),
    "PNG that claims fewer rows than it has": (0, lambda: png_header(64, 20)),
    "PNG that claims more rows than it has": (1, lambda: png_header(64, 5000)),
    "PNG whose true header is hidden": (1, hidden_png_header),
    "PNG with a chunk of 2**32 - 1 bytes": (1, lambda: patched("PNG", (33, b"\xff\xff\xff\xffteXt"))),
    "PNG with a wrong checksum": (1, lambda: patched("PNG", (29, b"\0\0\0\0"))),
    "JPEG that claims 65500 x 65500": (2, lambda: image_files.with_size(FORMS["JPEG"], 65500, 65500)),
    "JPEG that claims no width": (1, lambda: image_files.with_size(FORMS["JPEG"], 0, 48)),
    "JPEG that claims no height": (1, lambda: image_files.with_size(FORMS["JPEG"], 64, 0)),
    # libjpeg shows the rest in gray, here as in Pillow.
    "JPEG that claims more pixels than it has": (0, lambda: image_files.with_size(FORMS["JPEG"], 4000, 4000)),
    "JPEG whose true header is hidden": (2, jpeg_in_a_segment),
    "JPEG with a segment beyond the end": (1, lambda: FORMS["JPEG"][:2] + b"\xff\xe5\xff\xff"),
    "JPEG of nothing but markers": (1, lambda: b"\xff" * 5000),
    "JPEG of 5000 empty segments": (1, lambda: b"\xff\xd8" + b"\xff\xe5\0\2" * 5000),
    "JPEG, baseline, 5000 scans of one component": (1, lambda: image_files.baseline_scans(8000, 8000, 5000)),
    "JPEG of 5000 scans": (1, lambda: image_files.progressive_scans(4000, 4000, 5000)),
    "JPEG of 5000 scans after 2000 segments": (
        1,
        lambda: image_files.after_start(
            image_files.progressive_scans(400, 400, 5000), *[image_files.segment(0xE5, b"")] * 2000
        ),
    ),
    "GIF of the largest screen": (2, lambda: patched("GIF", (6, b"\xff\xff\xff\xff"))),
    "GIF of 100000 empty extensions": (1, lambda: FORMS["GIF"][:205] + b"\x21\xfe\0" * 100_000 + FORMS["GIF"][205:]),
    "GIF of 200000 tiny sub-blocks": (1, lambda: FORMS["GIF"][:205] + b"\x21\xfe" + b"\1x" * 200_000 + b"\0"),
    "GIF of 30 extensions of 65535 tiny sub-blocks": (
        1,
        lambda: FORMS["GIF"][:205] + (b"\x21\xfe" + b"\1x" * 65_535 + b"\0") * 30 + FORMS["GIF"][205:],
    ),
    "BMP that claims no width": (1, lambda: patched("BMP", (18, le(0)))),
    "BMP that claims no height": (1, lambda: patched("BMP", (22, le(0)))),
    "BMP of a negative width": (2, lambda: patched("BMP", (18, le(-64)))),
    "BMP of the largest size": (2, lambda: patched("BMP", (18, le(2**31 - 1) * 2))),
    "BMP of the most negative height": (2, lambda: patched("BMP", (22, le(-(2**31))))),
    "BMP whose pixels are beyond the end": (1, lambda: patched("BMP", (10, le(2**31 - 1)))),
    "BMP whose pixels are before the start": (1, lambda: patched("BMP", (10, le(-100)))),
    "BMP with a header beyond the end": (1, lambda: patched("BMP, palette", (14, le(2**32 - 1)))),
    "BMP with a palette of 2**32 - 1 colours": (0, lambda: patched("BMP, palette", (46, le(-1)))),
    "BMP of more rows than it has": (1, lambda: patched("BMP", (22, le(49)))),
    "WebP of the largest canvas": (2, lambda: image_files.riff(image_files.canvas(2**24, 2**24, 0))),
    "WebP whose size is too small": (1, lambda: patched("WebP", (4, le(20)))),
    "WebP whose size is too large": (1, lambda: patched("WebP", (4, le(2**31)))),
    "WebP of no size": (1, lambda: patched("WebP", (26, le(0)))),
    "WebP, a chunk of 2**32 - 1 bytes": (1, lambda: patched("WebP", (16, le(-1)))),
    "WebP, said to be animated": (
        1,
        lambda: image_files.riff(image_files.canvas(64, 48, 0x02), image_files.picture_chunks(FORMS["WebP"])),
    ),
    "WebP, a frame of 2**32 - 1 bytes": (1, lambda: patched("WebP, animated", (48, le(-1)))),
    "WebP, a frame that holds an animation": (
        1,
        lambda: image_files.animation(
            (64, 48),
            image_files.webp_chunk(b"ANMF", bytes(6) + b"\x3f\0\0\x2f\0\0" + bytes(4) + FORMS["WebP, animated"][12:]),
        ),
    ),
}


@pytest.fixture(scope="module")
def alone() -> np.ndarray:
    return decode(*GOOD)[1]


def among_good_ones(files: list[bytes], alone: np.ndarray, **options: int) -> list[int]:
    """The statuses of the files, in one batch with good images before, between and after, which must be unharmed."""
    half = len(files) // 2
    status, found = decode(GOOD[0], *files[:half], GOOD[1], *files[half:], GOOD[2], **options)
    places = [0, half + 1, len(status) - 1]
    assert [status[place] for place in places] == [0, 0, 0]
    assert np.array_equal(found[places], alone)
    bad = np.array(status) != 0
    assert not found[bad].any()
    return [value for place, value in enumerate(status) if place not in places]


@pytest.fixture(scope="module")
def answers(alone: np.ndarray) -> dict[str, int]:
    return dict(zip(HOSTILE, among_good_ones([make() for _, make in HOSTILE.values()], alone), strict=True))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_has_its_status_and_harms_no_other(answers: dict[str, int], name: str) -> None:
    assert answers[name] == HOSTILE[name][0]


def test_every_case_in_one_batch_has_the_status_that_it_has_alone(alone: np.ndarray) -> None:
    cases = [case for case in CASES if "megapixels" not in case.name and "decoded at" not in case.name]
    assert among_good_ones([case.data() for case in cases], alone) == [case.status for case in cases]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_an_image_with_too_many_pixels_is_told_apart_by_its_header(form: str) -> None:
    fits, too_large = (encoded(image().resize(size), form) for size in ((200, 150), (201, 150)))
    assert decode(fits, too_large, max_pixels=30_000)[0] == [0, 2]


def test_an_image_lower_than_the_model_counts_as_if_it_were_as_high() -> None:
    # 96 rows are what the resize makes of the one.
    fits, too_long = (image_files.black_png(width, 1) for width in (10_000, 10_001))
    assert decode(fits, too_long, max_pixels=960_000)[0] == [0, 2]


@pytest.mark.parametrize("form", FORMS)
def test_a_file_cut_short_is_refused_or_shown_whole(form: str, alone: np.ndarray) -> None:
    data = FORMS[form]
    whole = decode(data)[1]
    lengths = [len(data) * part // 16 for part in range(16)] + [len(data) - less for less in (1, 2, 4, 12)]
    cut = [data[:length] for length in lengths]
    for piece, status in zip(cut, among_good_ones(cut, alone), strict=True):
        assert status == 1 or np.array_equal(decode(piece)[1], whole)


@pytest.mark.parametrize("signature", SIGNATURES)
def test_noise_after_a_signature_harms_nobody(signature: bytes, alone: np.ndarray) -> None:
    noise = np.random.default_rng(len(signature))
    statuses = among_good_ones([signature + noise.bytes(length) for length in range(71)], alone)
    assert set(statuses) <= {1, 2}


@pytest.mark.parametrize("form", FORMS)
def test_flipped_bytes_harm_nobody(form: str, alone: np.ndarray) -> None:
    chance = np.random.default_rng(len(form))
    damaged = []
    for _ in range(60):
        data = np.frombuffer(FORMS[form], np.uint8).copy()
        # Mostly in the headers, where the sizes and offsets are.
        places = chance.integers(0, chance.choice([40, 300, len(data)]), chance.integers(1, 5)) % len(data)
        data[places] = chance.integers(0, 256, len(places))
        damaged.append(data.tobytes())
    assert set(among_good_ones(damaged, alone, max_pixels=400_000)) <= {0, 1, 2}
