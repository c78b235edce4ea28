"""Send numbered inputs to a child process in batches, and find the one that causes a crash, a hang or a wrong answer.

The child takes a JSON list of numbers a line, and answers with a JSON object a line; its "wrong" says what was wrong,
and is null where nothing was. It says "ready" first.
"""

import json
import os
import selectors
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any

# A child that imports TensorFlow on a busy machine.
_STARTING = 600.0


@dataclass(frozen=True)
class Finding:
    """An input that does harm: its number, and the harm. No number: no input of the batch does it alone."""

    number: int | None
    harm: str


class _Harm(Exception):  # noqa: N818
    """The harm that a batch did."""


class Hunter:
    """`with Hunter([sys.executable, "-m", "trust.decode_child", ...]) as hunter: hunter.hunt(range(32))`.

    Args:
        command: Starts the child.
        patience: Seconds that a batch may take before it counts as a hang.
        environment: Variables that the child has besides those of this process.
    """

    def __init__(self, command: Sequence[str], patience: float, environment: Mapping[str, str] | None = None) -> None:
        self._command = command
        self._environment = {**os.environ, **(environment or {})}
        self._patience = patience
        self._child: subprocess.Popen[str] | None = None
        self._errors = TemporaryFile("w+")  # noqa: SIM115 - closed with the hunter
        self.starts = 0

    def __enter__(self) -> "Hunter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()
        self._errors.close()

    def hunt(self, numbers: Sequence[int], report: Callable[[dict[str, Any]], None]) -> list[Finding]:
        """Runs a batch: `report` gets the answer of a harmless one; of a harmful one, those who did it are found."""
        try:
            report(self._ask(numbers))
        except _Harm as harm:
            # From here on every batch has a child of its own, so that none pays for what another left behind.
            found = self._bisected(numbers, str(harm))
            return found or [Finding(None, f"{harm}; inputs {numbers[0]} to {numbers[-1]}, and none alone")]
        return []

    def _bisected(self, numbers: Sequence[int], harm: str) -> list[Finding]:
        self._end()
        if len(numbers) == 1:
            try:
                self._ask(numbers)
            except _Harm as again:
                self._end()
                return [Finding(numbers[0], str(again))]
            return []
        found = []
        for half in (numbers[: len(numbers) // 2], numbers[len(numbers) // 2 :]):
            try:
                self._ask(half)
            except _Harm as again:
                found += self._bisected(half, str(again))
        return found

    def _ask(self, numbers: Sequence[int]) -> dict[str, Any]:
        if self._child is None:
            self._start()
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(list(numbers)) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            pass
        answer: dict[str, Any] = json.loads(self._line(self._patience))
        if answer["wrong"] is not None:
            raise _Harm(answer["wrong"])
        return answer

    def _start(self) -> None:
        self.starts += 1
        self._child = subprocess.Popen(
            self._command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            self._line(_STARTING)
        except _Harm as harm:
            raise RuntimeError(f"{' '.join(self._command)} does not start: {harm}") from harm

    def _line(self, patience: float) -> str:
        assert self._child is not None
        assert self._child.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._child.stdout, selectors.EVENT_READ)
            if not selector.select(patience):
                self._end()
                raise _Harm(f"no answer in {patience:g} s")
        line = self._child.stdout.readline()
        if not line:
            code = self._child.wait()
            self._end()
            raise _Harm(f"the process ended with {code}: {self._last_words()}")
        return line

    def _last_words(self) -> str:
        self._errors.seek(0)
        return " ".join(self._errors.read().split("\n")[-4:]).strip()[-300:]

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None
