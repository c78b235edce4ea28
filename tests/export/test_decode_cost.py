"""The cost of an image: known from its header, refused with status 2 if too high, and never paid by a neighbour."""

import numpy as np
import pytest

from support import image_files
from support.decoding import decode
from support.photographs import CHELSEA, encoded, image
from trust import costly

# Of 25 megapixels, as phones and cameras make them: what stands in the way of a large image is its coding.
SIDES = (6000, 4200)
LARGE = {
    "JPEG": costly.one_scan(3),
    "JPEG, CMYK": costly.one_scan(4),
    "JPEG, progressive": costly.refined_ac(14, 3),
    "JPEG, 40 scans": costly.scans_of_one_component(40),
    "PNG": costly.png(8, 2),
    "PNG, interlaced": costly.png(16, 2, interlaced=True),
    "PNG, alpha": costly.png(8, 6),
    "GIF": costly.gif,
    "WebP, lossy": costly.webp_lossy,
    "WebP, lossless": costly.webp_lossless(),
}
DEAR = {
    "JPEG, 100 refinements": costly.refined_ac(100),
    "JPEG, CMYK, 100 refinements without a byte": costly.refined_dc(100, 4),
    "JPEG, 100 scans of one component": costly.scans_of_one_component(100),
    "JPEG, arithmetic": costly.arithmetic(1),
    "JPEG, arithmetic, 6 scans": costly.arithmetic(6),
    "JPEG, arithmetic, progressive": costly.arithmetic_progressive(11),
}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_image_of_a_usual_coding_is_answered(name: str) -> None:
    status, _ = decode(LARGE[name](*SIDES))
    assert status == [0]


@pytest.mark.parametrize("name", DEAR)
def test_a_coding_that_costs_too_much_for_its_pixels_is_refused_and_harms_no_neighbour(name: str) -> None:
    good = CHELSEA.read_bytes()
    status, found = decode(good, DEAR[name](*SIDES), good)
    assert status == [0, 2, 0]
    assert np.array_equal(found[[0, 2]], decode(good, good)[1])
    assert not found[1].any()


@pytest.mark.parametrize("name", DEAR)
def test_the_same_coding_of_a_small_image_is_answered(name: str) -> None:
    assert decode(DEAR[name](150, 120))[0] == [0]


@pytest.mark.parametrize(("frame", "status"), [(0xC9, 2), (0xC0, 0)])
def test_a_coding_is_known_wherever_its_header_stands(frame: int, status: int) -> None:
    # Segments, markers without a length, bytes of no segment: libjpeg passes over all of them.
    made = costly.jpeg(*SIDES, frame, [(((1, 2, 3), 0, 63, 0, 0), b"")], 3)
    start, rest = made[:2] + image_files.segment(0xE5, b"first"), made[2:]
    several = image_files.segment(0xE5, b"x" * 70) * 30
    ways = [several, b"\xff\xd0", b"\xff\x01", b"\0\0\0", b"\xff\0\xff\0", b"\xff\xff\xff"]
    assert [decode(start + before + rest)[0] for before in ways] == [[status]] * len(ways)


def test_a_thumbnail_and_further_images_do_not_make_a_photograph_costly() -> None:
    thumbnail = image_files.tiff(1) + encoded(image().resize((40, 24)), "JPEG")
    picture = costly.one_scan(3)(8160, 6144)
    exif = image_files.segment(0xE1, image_files.EXIF_PREFIX + thumbnail)
    video = np.random.default_rng(0).bytes(4_000_000)
    assert decode(image_files.after_start(picture, exif) + encoded(image(), "JPEG") + video)[0] == [0]


def test_what_follows_the_only_scan_of_a_large_photograph_is_not_counted_as_scans() -> None:
    picture = costly.one_scan(3)(*SIDES)
    assert decode(picture + b"\xff\xda\0\x0c" * 200)[0] == [0]


@pytest.mark.parametrize(("width", "status"), [(8192, 0), (9600, 2)])
def test_the_default_takes_what_phones_send(width: int, status: int) -> None:
    assert decode(costly.one_scan(3)(width, width * 3 // 4))[0] == [status]


def test_more_pixels_allowed_allow_more_work_and_fewer_do_not_forbid_any() -> None:
    dear = costly.arithmetic(1)(*SIDES)
    assert decode(dear, max_pixels=200_000_000)[0] == [0]
    assert decode(costly.png(8, 6)(200, 150), costly.gif(200, 150), max_pixels=30_000)[0] == [0, 0]


@pytest.mark.parametrize(
    ("name", "least", "most"), [("JPEG", 90, 100), ("BMP", 90, 100), ("GIF", 70, 98), ("WEBP", 10, 60), ("PNG", 0, 5)]
)
def test_only_png_has_checksums_so_others_answer_with_what_a_damaged_file_shows(
    name: str, least: int, most: int
) -> None:
    chance, data = np.random.default_rng(1), encoded(image().resize((240, 160)), name)
    damaged = []
    for _ in range(100):
        file = bytearray(data)
        file[chance.integers(len(data) // 8, len(data))] ^= 1 << chance.integers(8)
        damaged.append(bytes(file))
    assert least <= decode(*damaged)[0].count(0) <= most
