"""A short form of `make fuzz`: costly files cost at most what the page states, and the search finds costlier ones."""

from pathlib import Path

import pytest

from hubserve_export._preprocessing import DEFAULT_MAX_PIXELS
from support import guide
from trust.cost import BOUND, BOUNDS, SIDE, Cost, costs, sizes, table
from trust.costly import COSTLY
from trust.pixels_model import export_pixels

pytestmark = pytest.mark.slow

PAGE = (guide.ROOT / "docs" / "image-handling.md").read_text(encoding="utf-8")
OF_EACH_FORMAT = [
    "JPEG, progressive CMYK, 10 scans",
    "PNG, palette of 4 bits, transparent, interlaced",
    "GIF",
    "WebP, lossless, many groups",
]


def test_the_costliest_files_stay_below_their_bounds(tmp_path: Path) -> None:
    found = list(costs(export_pixels(tmp_path, SIDE, SIDE, DEFAULT_MAX_PIXELS), OF_EACH_FORMAT, ["square"]))
    assert [cost.coding for cost in found] == OF_EACH_FORMAT
    assert [str(cost) for cost in found if cost.above()] == []
    # The search must find files that cost much.
    assert all(cost.memory > 100 for cost in found)


@pytest.mark.parametrize(("seconds", "memory"), [(5.1, 10.0), (0.1, 301.0)])
def test_a_file_above_a_bound_is_seen(seconds: float, memory: float) -> None:
    cost = Cost("PNG, alpha", "square", 10, 10, 2048, seconds, memory)
    assert cost.above()
    assert "alpha 10 x 10 (2.0 KB)" in table([cost])


def test_every_coding_is_tried_from_the_largest_image_that_is_allowed() -> None:
    for coding in COSTLY:
        width, height = next(sizes(coding, "square"))
        assert 0.9 * min(COSTLY[coding].most_pixels, DEFAULT_MAX_PIXELS) <= width * height <= DEFAULT_MAX_PIXELS


def test_the_page_states_the_bounds() -> None:
    assert f"**{BOUND.seconds:g} CPU seconds and {BOUND.memory:g} MiB**" in PAGE
    assert f"{BOUNDS['WebP'].memory:g} MiB" in PAGE
