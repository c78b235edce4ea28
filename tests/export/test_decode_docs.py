"""The page about images is true: its table is the table of the tests, and its code gives the model's pixels."""

import io

import numpy as np
import pytest

from support import decode_table, guide
from support.decoding import HEIGHT, WIDTH, decode
from support.image_cases import CASES
from support.photographs import CHELSEA

PAGE = guide.ROOT / "docs" / "image-handling.md"
SHOWN_BY_PILLOW = [case for case in CASES if case.status == 0 and not case.shown]


def test_the_page_has_the_table_of_cases() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("<!-- cases -->\n")[2].partition("<!-- end of cases -->")[0]
    assert table == decode_table.expected(), "put in what `python -m support.decode_table --expected` prints"


@pytest.fixture(scope="module")
def model_input():
    (code,) = [block.text for block in guide.blocks(PAGE) if block.language == "python"]
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102
    return names["model_input"]


@pytest.mark.parametrize("case", SHOWN_BY_PILLOW[::7], ids=lambda case: case.name)
def test_the_page_tells_how_to_get_the_same_pixels(model_input, case) -> None:
    data = case.data()
    height, width = case.size
    _, found = decode(data, height=height, width=width)
    assert np.abs(found[0] - model_input(io.BytesIO(data), height, width) * 255).mean() <= max(case.mean, 0.5)


def test_the_page_tells_how_to_crop(model_input) -> None:
    _, found = decode(CHELSEA.read_bytes(), crop_fraction=0.875)
    assert np.abs(found[0] - model_input(CHELSEA, HEIGHT, WIDTH, 0.875) * 255).max() <= 1
