"""A run that is killed again and again ends with one record for each image, and loses and repeats none."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset
import pytest

from client import killed
from client.bulk import images
from hubserve_cli.bulk.records import readable


@pytest.fixture
def target() -> Iterator[str]:
    """A slow server in a process of its own, so that a run can be killed in the middle."""
    command = [sys.executable, "-m", "hubserve.testing", "--seconds", "0.1", "--threads", "2"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.kill()


@pytest.mark.parametrize(
    ("suffix", "count", "kills"),
    [
        pytest.param("jsonl", 3000, 24, marks=pytest.mark.slow),
        pytest.param("csv", 700, 4, marks=pytest.mark.slow),
        pytest.param("parquet", 700, 4, marks=pytest.mark.slow),
        pytest.param("parts/", 3000, 40, marks=pytest.mark.slow),
        ("parts/", 300, 3),
    ],
)
def test_a_run_killed_at_random_moments_records_each_image_once(
    tmp_path: Path, target: str, suffix: str, count: int, kills: int
) -> None:
    folder = images(tmp_path / "images", count)
    file = tmp_path / f"results.{suffix}"
    parts = suffix == "parts/"
    written = tmp_path / "results.parquet.jsonl" if suffix == "parquet" else file
    command = [
        "classify",
        str(folder),
        "--server",
        target,
        "--model",
        "m",
        "--output",
        f"{file}/" if parts else str(file),
        "--resume",
        "--quiet",
        *(["--part-rows", "40"] if parts else []),
    ]
    slow = ["--batch-size", "16", "--concurrency", "2"]

    arguments = [sys.executable, killed.__file__, "7", str(kills), str(written), *command, *slow]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tries, grown = map(int, done.stdout.split())
    left_alone = subprocess.run(
        [sys.executable, "-m", "hubserve", *command], capture_output=True, text=True, check=False
    )
    assert (left_alone.returncode, left_alone.stderr) == (0, "")

    if suffix == "parquet" or parts:
        recorded = pyarrow.dataset.dataset(file, format="parquet").to_table()["source"].to_pylist()
    else:
        form = readable(suffix, top_k=1)
        with file.open("rb") as results:
            recorded = [form.read(piece).source for piece in form.pieces(results) if piece != form.header]
    assert sorted(recorded) == sorted(map(str, folder.iterdir()))
    # Else little would have been shown.
    assert tries >= 0.8 * kills
    assert grown >= tries // 4
