"""The guide to tables, buckets and WebDataset, followed as it is written."""

import collections
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.dataset

from hubserve.testing import FakeServer
from support import guide

PAGE = guide.ROOT / "docs" / "data-lake.md"


def test_what_the_guide_links_to_is_there() -> None:
    assert all(link.exists() for link in guide.links(PAGE))


def test_the_guide_does_what_it_says(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with FakeServer(lambda data: {data.decode()[:16]: 1.0}) as server:
        for block in guide.blocks(PAGE):
            if not block.runs:
                continue
            text = block.text.replace("localhost:8500", server.target)
            if block.language == "python":
                (tmp_path / text.partition("\n")[0].removeprefix("# ")).write_text(text)
                continue
            done = subprocess.run(
                ["bash", "-ec", text],
                cwd=tmp_path,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                timeout=120,
            )
            assert done.returncode == 0, done.stderr
    ids = [f"2024-01-0{day}-{number}" for day in (1, 2) for number in range(20)]
    for folder in ("results", "shards", "by-label"):
        found = pyarrow.dataset.dataset(tmp_path / folder, format="parquet", partitioning="hive").to_table()
        assert collections.Counter(found["id"].to_pylist()) == collections.Counter(ids)
    assert "40 rows" in done.stdout
    assert sorted(each.name for each in (tmp_path / "shards").glob("[!_]*")) == [
        "part-00000-of-00002-000000.parquet",
        "part-00001-of-00002-000000.parquet",
    ]
    assert (tmp_path / "shards" / "_SUCCESS").exists()
    assert len([each for each in (tmp_path / "by-label").iterdir() if each.name.startswith("label=image")]) == 2
