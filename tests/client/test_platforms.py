"""The library works without features of only Linux or macOS; the command says what it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

from hubserve.testing import FakeServer

# As on Windows, as far as Python programs can see it.
_WITHOUT = """
import builtins, io, os, signal, sys

HIDDEN = {"fcntl", "resource", "pwd", "grp", "termios", "pty", "tty"}

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

for name in HIDDEN:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Hidden())
for name in ("SIGALRM", "SIGHUP", "SIGKILL", "SIGUSR1", "setitimer", "getitimer", "alarm", "pause"):
    if hasattr(signal, name):
        delattr(signal, name)
for name in ("fork", "register_at_fork", "fchmod", "getuid", "umask"):
    delattr(os, name)
plain = io.open
def checked(file, *arguments, **options):
    if str(file).startswith("/proc"):
        raise FileNotFoundError(2, "No such file or directory", str(file))
    return plain(file, *arguments, **options)
# Python 3.10 makes a method of a plain function.
io.open = builtins.open = staticmethod(checked)
"""
_LIBRARY = """
import asyncio
from hubserve import AsyncClient, Client
target, photograph = sys.argv[1:]
with Client(target, model="m") as client, client.classify_batcher() as batcher:
    assert batcher.ask(b"cat").label == "cat"
    print([result.label for result in client.classify([b"cat", bytearray(b"dog")])])
    assert all(result.ok for result in client.classify([photograph]))
    print(client.status()[0].available, client.metadata().name, client.wait_until_ready(10)[0].version)
with Client([target, target.replace("127.0.0.1", "localhost")], model="m") as client:
    print([result.label for result in client.classify([b"cat"])])

async def main():
    async with AsyncClient(target, model="m") as client:
        print([result.label async for result in client.classify([b"cat"])], (await client.metadata()).name)

asyncio.run(main())
print(sorted(HIDDEN & sys.modules.keys()))
"""
_COMMAND = """
from hubserve_cli.main import main
main(sys.argv[1:])
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _WITHOUT + program, *arguments], capture_output=True, text=True, check=False, timeout=120
    )


def test_the_library_works_without_what_only_linux_or_macos_has(photograph: Path) -> None:
    with FakeServer() as server:
        done = run(_LIBRARY, server.target, str(photograph))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["['cat', 'dog']", "True m 1", "['cat']", "['cat'] m", "[]"]


def test_classify_says_where_it_runs_and_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    output = tmp_path / "out.jsonl"
    with FakeServer() as server:
        options = ["--server", server.target, "--model", "m", "--output", str(output)]
        done = run(_COMMAND, "classify", str(tmp_path), *options)
        assert server.requests == []
    assert (done.returncode, done.stdout, output.exists()) == (1, "", False)
    assert done.stderr.startswith("Error: hubserve classify runs on Linux and macOS, and this system")
    assert done.stderr.endswith(
        "does not have SIGALRM and flock: run it there, or in WSL; the library's Client.classify works here\n"
    )


@pytest.mark.parametrize("command", ["status", "bench"])
def test_other_subcommands_work_there(command: str) -> None:
    more = ["--requests", "2", "--warmup", "0", "--concurrency", "1"] if command == "bench" else []
    with FakeServer(model="m") as server:
        done = run(_COMMAND, command, "--server", server.target, "--model", "m", *more)
    assert done.returncode == 0, done.stderr
