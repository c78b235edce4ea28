"""The folder of a server's files: gone at the end, and gone at the next start where the process was killed."""

import os
import subprocess
import sys
from pathlib import Path

from hubserve_serve._engines._folder import server_folder

_PROGRAM = """
import sys
from hubserve_serve._engines._folder import server_folder
with server_folder(sys.argv[1]) as folder:
    (folder / "models.config").touch()
    print(folder, flush=True)
    sys.stdin.read()
"""


def made_by_another(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    program = [sys.executable, "-c", _PROGRAM, str(parent)]
    process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().rstrip())


def grown_old(folder: Path) -> None:
    os.utime(folder, (0, 0))


def test_the_folder_of_a_killed_process_goes_and_that_of_a_living_one_stays(tmp_path: Path) -> None:
    killed, left = made_by_another(tmp_path)
    living, used = made_by_another(tmp_path)
    (other := tmp_path / "hubserve-other").mkdir()
    try:
        killed.kill()
        killed.communicate()
        for folder in (left, used, other):
            grown_old(folder)
        with server_folder(str(tmp_path)) as own:
            assert sorted(tmp_path.iterdir()) == sorted([used, other, own])
            assert (used / "models.config").exists()
    finally:
        living.communicate("")
    assert list(tmp_path.iterdir()) == [other]


def test_a_folder_that_was_just_made_stays(tmp_path: Path) -> None:
    (young := tmp_path / "hubserve-s-12345678").mkdir()
    with server_folder(str(tmp_path)):
        assert young.exists()
