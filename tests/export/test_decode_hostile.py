"""Files made to do harm: each is answered with a status, and its neighbours as if it were not there."""

import numpy as np
import pytest

from support import image_files
from support.decoding import decode
from support.hostile_files import FORMS, HOSTILE
from support.image_cases import CASES
from support.photographs import CHELSEA, COFFEE, encoded, image

GOOD = [CHELSEA.read_bytes(), COFFEE.read_bytes(), encoded(image(), "JPEG")]
SIGNATURES = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"RIFF\0\1\0\0WEBPVP8 ", b""]


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
    return dict(zip(HOSTILE, among_good_ones([file.make() for file in HOSTILE.values()], alone), strict=True))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_has_its_status_and_harms_no_other(answers: dict[str, int], name: str) -> None:
    assert answers[name] == HOSTILE[name].status


def test_every_case_in_one_batch_has_the_status_that_it_has_alone(alone: np.ndarray) -> None:
    cases = [case for case in CASES if "megapixels" not in case.name and "decoded at" not in case.name]
    assert among_good_ones([case.data() for case in cases], alone) == [case.status for case in cases]


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_an_image_with_too_many_pixels_is_recognized_by_its_header(form: str) -> None:
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
def test_noise_after_a_signature_harms_no_other_caller(signature: bytes, alone: np.ndarray) -> None:
    noise = np.random.default_rng(len(signature))
    statuses = among_good_ones([signature + noise.bytes(length) for length in range(71)], alone)
    assert set(statuses) <= {1, 2}


@pytest.mark.parametrize("form", FORMS)
def test_flipped_bytes_harm_no_other_caller(form: str, alone: np.ndarray) -> None:
    chance = np.random.default_rng(len(form))
    damaged = []
    for _ in range(60):
        data = np.frombuffer(FORMS[form], np.uint8).copy()
        # Mostly in the headers, where the sizes and offsets are.
        places = chance.integers(0, chance.choice([40, 300, len(data)]), chance.integers(1, 5)) % len(data)
        data[places] = chance.integers(0, 256, len(places))
        damaged.append(data.tobytes())
    assert set(among_good_ones(damaged, alone, max_pixels=400_000)) <= {0, 1, 2}
