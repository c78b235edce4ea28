"""Unfinished files are removed if the process that made them has ended, and only then."""

import signal
import subprocess
import sys
from pathlib import Path

from hubserve_model import scratch

# Makes a folder, says which, and waits to be killed.
MAKER = """
import sys
from pathlib import Path
from hubserve_model import scratch
with scratch.scratch_folder(Path(sys.argv[1]), ".tmp-") as folder:
    (folder / "half").write_text("half")
    print(folder, flush=True)
    sys.stdin.read()
"""


def maker(base: Path) -> tuple["subprocess.Popen[str]", Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER, base], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_the_folder_of_a_killed_run_goes_with_the_next_one(tmp_path: Path) -> None:
    process, left = maker(tmp_path)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (left / "half").exists()
    with scratch.scratch_folder(tmp_path, ".tmp-") as folder:
        assert list(tmp_path.iterdir()) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_the_folder_of_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    process, theirs = maker(tmp_path)
    scratch.sweep(tmp_path, ".tmp-")
    assert (theirs / "half").exists()
    process.communicate("")
    assert not theirs.exists()


def test_other_folders_and_files_are_ignored(tmp_path: Path) -> None:
    names = ["1", ".tmp-mine", "tmp-0", ".tmp-00000000-0000-0000-0000-000000000000x"]
    for name in names:
        (tmp_path / name).mkdir()
    (tmp_path / ".tmp-00000000-0000-0000-0000-000000000000").write_text("a file")
    scratch.sweep(tmp_path, ".tmp-")
    assert len(list(tmp_path.iterdir())) == len(names) + 1


def test_a_folder_renamed_away_stays(tmp_path: Path) -> None:
    with scratch.scratch_folder(tmp_path, ".tmp-") as folder:
        (folder / "whole").write_text("")
        folder.rename(tmp_path / "1")
    assert (tmp_path / "1" / "whole").exists()


def test_a_private_folder_is_closed_to_others() -> None:
    with scratch.private_folder() as folder:
        assert folder.stat().st_mode & 0o077 == 0
