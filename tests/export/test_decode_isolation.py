"""One image in a batch never costs another one its answer."""

import numpy as np
import pytest

from support.decoding import decode
from support.photographs import CHELSEA, COFFEE, encoded, image

GOOD = [CHELSEA.read_bytes(), COFFEE.read_bytes(), encoded(image(), "JPEG")]
BAD = {
    "empty": b"",
    "text": b"not an image, though long enough to look into",
    "one byte": b"\xff",
    "a JPEG cut short": GOOD[2][:-200],
    "a PNG cut short": GOOD[0][:3000],
    "a GIF cut short": encoded(image(), "GIF")[:9000],
    "a WebP cut short": encoded(image(), "WEBP")[:900],
    "a BMP cut short": encoded(image(), "BMP")[:900],
    "only a PNG's signature": GOOD[0][:8],
    "only a GIF's signature": b"GIF89a",
    "only a BMP's signature": b"BM",
    "only a WebP's signature": b"RIFF\0\0\0\0WEBPVP8X",
    "a GIF whose frame has too few pixels": encoded(image(), "GIF").replace(
        b"\x2c\0\0\0\0\xc3\x01", b"\x2c\0\0\0\0\xc3\x02", 1
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_image_leaves_its_neighbours_as_they_are(case: str) -> None:
    alone = decode(*GOOD)[1]
    status, found = decode(GOOD[0], BAD[case], *GOOD[1:])
    assert status == [0, 1, 0, 0]
    assert np.array_equal(found[[0, 2, 3]], alone)
    assert not found[1].any()


def test_one_bad_among_thirty_two_is_the_only_one_refused() -> None:
    batch = [GOOD[i % 3] for i in range(32)]
    batch[17] = b"broken"
    assert decode(*batch)[0] == [int(i == 17) for i in range(32)]


def test_a_batch_of_bad_images_has_a_status_for_each() -> None:
    assert decode(b"", b"x", b"y")[0] == [1, 1, 1]


def test_an_empty_batch_gives_an_empty_answer() -> None:
    status, found = decode()
    assert status == []
    assert found.shape == (0, 96, 80, 3)
