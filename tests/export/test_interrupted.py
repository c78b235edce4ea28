"""An export that does not come to its end leaves the model's base folder as it was."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hubserve_export import _publish
from hubserve_model.versions import versions

# Exports under ever larger limits on the size of a file, as a disk that is full at ever later moments.
ON_A_FULL_DISK = """
import json, resource, sys
from pathlib import Path
from click.testing import CliRunner
from hubserve_export.command import export
model, base, *limits = sys.argv[1:]
for limit in limits:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    result = CliRunner().invoke(export, [model, "--output", base, "--batch-sizes", "1,32", "--warmup", "all"])
    left = sorted(path.name for path in Path(base).iterdir())
    print(json.dumps([result.exit_code, result.stderr.splitlines()[-1], left]))
"""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A base folder with a version in it."""
    with _publish.staging(tmp_path / "model", 1) as folder:
        (folder / "saved_model.pb").write_bytes(b"served")
    return tmp_path / "model"


def start(model: Path, base: Path) -> "subprocess.Popen[str]":
    """An export that has written its files, and is proving them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "hubserve", "export", model, "--output", base], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    while "proving" not in process.stderr.readline():
        assert process.poll() is None
    assert len(list(base.glob(".tmp-*/saved_model.pb"))) == 1
    return process


def test_a_disk_that_fills_up_is_one_sentence_and_leaves_nothing(
    light_saved: Path, light_dir: Path, base: Path
) -> None:
    weights = next((light_saved / "variables").glob("*.data-*")).stat().st_size
    graph_written = (light_dir / "1" / "saved_model.pb").stat().st_size + 1000
    assert weights + 1000 < graph_written
    limits = [weights // 2, weights + 1000, graph_written]
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, light_saved, base, *map(str, limits)],
        stdout=subprocess.PIPE,
        check=True,
    )
    runs = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(runs) == 3
    for code, last, left in runs:
        assert code == 1
        assert last.startswith(f"Error: the new version cannot be written to {base} (File too large), and nothing was")
        assert left == ["1"]


def test_an_export_that_is_asked_to_end_removes_its_folder(light_saved: Path, base: Path) -> None:
    process = start(light_saved, base)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 128 + signal.SIGTERM
    assert [path.name for path in base.iterdir()] == ["1"]


def test_files_of_a_killed_export_are_not_a_version_and_the_next_export_removes_them(
    light_saved: Path, base: Path
) -> None:
    process = start(light_saved, base)
    process.kill()
    process.communicate()
    assert versions(base) == [1]
    with _publish.staging(base, 2) as folder:
        (folder / "saved_model.pb").write_bytes(b"newer")
    assert sorted(path.name for path in base.iterdir()) == ["1", "2"]
