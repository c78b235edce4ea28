"""Every format and mode gives the pixels that Pillow gives, and what could come out wrong is refused."""

import dataclasses

import numpy as np
import pytest

from support import decode_table
from support.decoding import HEIGHT, WIDTH, decode
from support.image_cases import CASES, Case
from support.photographs import encoded, image
from support.reference import pixels


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_model_sees_what_pillow_sees_or_says_so(case: Case) -> None:
    finding = decode_table.find(case)
    assert finding.within(case), finding


def test_no_two_cases_have_one_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize("wrong", [{"status": 1}, {"largest": 0.5}, {"mean": 0.1}])
def test_the_table_finds_what_is_outside(wrong: dict[str, float]) -> None:
    case = Case("as it should be", lambda: b"")
    assert decode_table.Finding(0).within(case)
    assert not dataclasses.replace(decode_table.Finding(0), **wrong).within(case)


def test_a_central_crop_keeps_the_middle() -> None:
    data = encoded(image(), "PNG")
    margin = (int(300 * 0.0625), int(451 * 0.0625))
    cropped = image().crop((margin[1], margin[0], 451 - margin[1], 300 - margin[0]))
    _, found = decode(data, crop_fraction=0.875)
    assert np.abs(found[0] - pixels(encoded(cropped, "PNG"), HEIGHT, WIDTH)).max() <= 1
