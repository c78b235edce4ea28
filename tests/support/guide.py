"""A page of the documentation, and a reader who runs its blocks of code."""

import contextlib
import dataclasses
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(
    r"(?:^<!-- test: (?P<mark>\w+)(?: (?P<reason>\w+))? -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_OWN_TEST = re.compile(r"<!-- tested by (\S+) -->")
_FILE_NAME = re.compile(r"# (\w+\.py)\n")
_LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
_PATIENCE_SECONDS = 900


@dataclasses.dataclass(frozen=True)
class Block:
    """One block of code: its language, its text, and the mark on the line before it, if any.

    `<!-- test: background -->`: for another terminal. `<!-- test: skip REASON -->`: no test can run it, and why not.
    """

    language: str
    text: str
    mark: str | None
    reason: str | None = None

    @property
    def runs(self) -> bool:
        """True if a test has to run the block."""
        return self.language in ("sh", "python") and self.mark != "skip"


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    return [
        Block(found["language"], found["text"], found["mark"], found["reason"])
        for found in _BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


def pages() -> list[Path]:
    """The pages that a user reads to do something."""
    return [ROOT / "README.md", ROOT / "k8s" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def own_test(page: Path) -> Path | None:
    """The test that follows this page and no other, which the page names in a comment: `<!-- tested by FILE -->`."""
    named = _OWN_TEST.search(page.read_text(encoding="utf-8"))
    return ROOT / named[1] if named else None


def links(page: Path) -> list[Path]:
    """The files that a page links to."""
    return [page.parent / link for link in _LINK.findall(page.read_text(encoding="utf-8"))]


class Reader(contextlib.ExitStack):
    """Someone who follows a page in one folder; what runs in the background ends with the context.

    A Python block is written to the file that its first line names (`# train.py`), or run if it names none. A shell
    block is run, one command a line. `skip` is left out, `background` is for another terminal. Other blocks are for
    the eye.

        with Reader(folder, {"8500": "40123"}, {"TFHUB_CACHE_DIR": "hub"}) as reader:
            reader.follow(blocks(page))
            reader.said("python train.py")

    Args:
        folder: Where the reader works.
        instead: What the reader writes for what is on the page, such as a port that is free for one that may not be.
        environment: Variables besides our own; `python` and `hubserve` are the ones that run the tests.
    """

    def __init__(self, folder: Path, instead: Mapping[str, str], environment: Mapping[str, str]) -> None:
        super().__init__()
        self._folder = folder
        self._instead = instead
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._environment = {**os.environ, "PATH": tools, **environment}
        self._said: dict[str, str] = {}

    def follow(self, page: list[Block]) -> None:
        """Does what the blocks say, one after another."""
        for block in page:
            text = block.text
            for written, meant in self._instead.items():
                text = text.replace(written, meant)
            if block.language == "python":
                if name := _FILE_NAME.match(text):
                    (self._folder / name[1]).write_text(text, encoding="utf-8")
                elif block.mark is None:
                    self._call([sys.executable, "-c", text], text)
            elif block.language == "sh" and block.mark == "background":
                self.enter_context(self._in_background(text))
            elif block.language == "sh" and block.mark is None:
                self._run(text)

    def said(self, command: str) -> str:
        """Return the standard output of the command that begins so."""
        (output,) = (said for line, said in self._said.items() if line.startswith(command))
        return output

    def _run(self, text: str) -> None:
        for line in text.splitlines():
            self._call(["bash", "-c", line], line)

    def _call(self, command: list[str], text: str) -> None:
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        self._said[text] = done.stdout

    @contextlib.contextmanager
    def _in_background(self, text: str) -> Iterator[None]:
        # A session of its own, so that the signal reaches what the shell started.
        command = ["bash", "-c", text]
        with subprocess.Popen(command, cwd=self._folder, env=self._environment, start_new_session=True) as process:
            try:
                yield
            finally:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(_PATIENCE_SECONDS)
