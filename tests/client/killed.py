"""Start one command again and again, and kill it (SIGKILL) at random moments: `python killed.py SEED KILLS FILE ...`.

Each try is forked from a process that has imported everything, so that it is at work at once. Half of the tries are
killed when the file or folder has grown by a random number of bytes, the others after a random number of looks at it.
At the end the command is left alone. Prints how many tries were killed, and in how many of them the file had grown.
"""

import os
import random
import select
import signal
import sys
from pathlib import Path

from hubserve_cli import classify
from hubserve_cli.main import main


def size(file: Path) -> int:
    """Return the bytes in a file, or in the files of a folder, which may be renamed or removed meanwhile."""
    if file.is_dir():
        return sum(size(each) for each in file.iterdir())
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def start(arguments: list[str]) -> tuple[int, int]:
    """The process, and a pipe that ends with it."""
    ends, end = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(ends)
        try:
            main(arguments, standalone_mode=False)
        finally:
            os._exit(0)
    os.close(end)
    return process, ends


def run(seed: int, kills: int, file: Path, arguments: list[str]) -> tuple[int, int]:
    assert classify.classify.name == "classify"
    chance = random.Random(seed)  # noqa: S311
    killed = grown = 0
    while killed < kills:
        before = size(file)
        growth = chance.randrange(1, 20_000) if killed % 2 else sys.maxsize
        looks = chance.randrange(5, 100) if growth == sys.maxsize else sys.maxsize
        process, ends = start(arguments)
        while size(file) < before + growth and looks and not select.select([ends], [], [], 0.005)[0]:
            looks -= 1
        if select.select([ends], [], [], 0)[0]:
            # It has come to its end, before it could be killed.
            os.waitpid(process, 0)
            break
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        os.close(ends)
        killed += 1
        grown += size(file) > before
    return killed, grown


if __name__ == "__main__":
    print(*run(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:]))
