"""The fixtures of each engine's tests: a table of 2,000 small images, and a server that knows their labels."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubserve.testing import FakeServer
from support import guide

ROWS = 2000
# Spark's workers start the Python that runs the tests.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["RAY_DEDUP_LOGS"] = "0"
# Ray 2.60 starts 32 processes to read the footer of one Parquet file.
os.environ["RAY_DATA_PARQUET_FOOTER_NUM_ACTORS"] = "1"
# Its workers have niceness 15, and hardly run beside other tests.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - it is so called


def image(number: int) -> bytes | None:
    """1 % of the rows hold no image that can be read, and a few hold none at all."""
    if number % 500 == 7:
        return None
    return b"corrupt" if number % 100 == 3 else b"image %d" % number


def label(number: int) -> str | None:
    """Return the label that the row must get."""
    data = image(number)
    return None if data in (None, b"corrupt") else data.decode()


def answered(data: bytes) -> dict[str, float] | int:
    return 1 if data == b"corrupt" else {data.decode(): 0.75, "other": 0.2, "more": 0.05}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(answered, model="pnasnet") as server:
        yield server


@pytest.fixture
def images_file(tmp_path) -> str:
    """The table as a Parquet file, with a column of every kind beside the images."""
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    numbers = range(ROWS)
    table = pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "bytes": pa.array([image(number) for number in numbers], pa.binary()),
            "nested": pa.array([{"ü": [number]} for number in numbers]),
        }
    )
    file = tmp_path / "images.parquet"
    parquet.write_table(table, file, row_group_size=300)
    return str(file)


def run_guide(name: str, server: FakeServer, folder: Path) -> None:
    """Write the program of a guide's page, run it in a folder with images.parquet, and check labels.parquet."""
    import pyarrow.parquet as parquet

    page = guide.ROOT / "docs" / name
    text = next(block.text for block in guide.blocks(page) if block.text.startswith("# label_images.py"))
    (folder / "label_images.py").write_text(text.replace("dns:///pnasnet-headless:8500", server.target))
    done = subprocess.run([sys.executable, "label_images.py"], cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    rows = parquet.read_table(folder / "labels.parquet").to_pylist()
    assert {row["id"]: row["label"] for row in rows} == {number: label(number) for number in range(ROWS)}
    assert len(rows) == ROWS


def run_with_a_secret(program: str, server: FakeServer, *arguments: str) -> tuple[str, str]:
    """Run a program in two jobs, of which the second asks for a model that is not there.

    Args:
        program: Its arguments are the server's address, the token from behind, and `arguments`. It prints "failed" for
            the second job.
        server: Gets the token.
        arguments: More of the program's arguments.

    Returns:
        The secret, and all that the program printed.
    """
    secret = "the-secret-of-this-test"  # noqa: S105 - it is none
    command = [sys.executable, "-c", program, server.target, secret[::-1], *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert "image 1" in said
    assert "failed" in said
    assert {request.metadata["authorization"] for request in server.requests} == {f"Bearer {secret}"}
    return secret, said
