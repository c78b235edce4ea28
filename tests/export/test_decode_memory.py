"""No file takes more memory than the cap on pixels allows, whatever it claims or unpacks to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import decode_memory

MAX_PIXELS = 4_000_000
# The costliest form, PNG with transparency, takes 20 or so; the allocator keeps some of the images before.
BYTES_PER_PIXEL = 32

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="a peak can be set back on Linux only"
)


@pytest.fixture(scope="module")
def taken() -> dict[str, tuple[int, int]]:
    done = subprocess.run(
        [sys.executable, "-m", "support.decode_memory", str(MAX_PIXELS)],
        env={**os.environ, **decode_memory.ALLOCATOR, "PYTHONPATH": "tests"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*decode_memory.VAST, *decode_memory.ALLOWED])
def test_a_file_takes_no_more_than_so_many_bytes_for_each_pixel_allowed(
    taken: dict[str, tuple[int, int]], name: str
) -> None:
    status, memory = taken[name]
    assert status == decode_memory.VAST.get(name, (0, None))[0]
    assert memory <= BYTES_PER_PIXEL * MAX_PIXELS
