"""Thousands of hostile inputs, in a process that may crash; those that do harm are found and kept.

    PYTHONPATH=tests python -m trust.fuzz images --inputs 100000 --seed 1
    PYTHONPATH=tests python -m trust.fuzz requests --inputs 20000
    PYTHONPATH=tests python -m trust.fuzz responses --inputs 20000
    PYTHONPATH=tests python -m trust.fuzz verbs --inputs 20000

Images go through the exported graph, in batches with good ones whose answers must not change by a bit. Requests go to
the embedded engine, which must stay up and answer good callers. Responses come to the client's `classify`, verbs are
answers to every verb of both clients: they must give what TensorFlow reads in the bytes, or call them malformed. Ends
with 1 where an input did harm: a crash, a hang, more memory than the bound, a wrong answer. It is then in --save, with
its seed and number, from which it can be made again.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from support.decode_memory import ALLOCATOR
from trust.cost import BOUND, BOUNDS, Worst, worst_table
from trust.hunt import Finding, Hunter

BATCH = 29
# A hang is for ever; a machine may be slow.
PATIENCE = 300.0
# Each input of a batch that takes a larger share of the bound is tried alone, to see which of them costs so much. The
# cost of any other batch counts for each of its inputs: none can cost more.
CHEAP_SHARE = 0.05


@dataclass
class Tally:
    """The counts of a run."""

    inputs: int = 0
    batches: int = 0
    memory: int = 0
    bound: int = 0
    slowest: float = 0.0
    slowest_from: int = 0
    seconds: float = 0.0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    worst: dict[str, Worst] = field(default_factory=dict)
    constructed: dict[str, Worst] = field(default_factory=dict)
    alone: int = 0

    def add(self, answer: dict[str, Any]) -> None:
        """Counts a batch's answer."""
        self.bound = answer["bound"]
        self.memory = max(self.memory, answer["memory"])
        if answer["seconds"] > self.slowest:
            self.slowest, self.slowest_from = answer["seconds"], self.inputs
        self.outcomes.update((strategy, outcome) for strategy, outcome in answer["outcomes"])

    def weigh(self, answer: dict[str, Any], *, constructed: bool = False) -> str | None:
        """Count what a batch cost for each of its inputs; what is wrong, where that is more than a bound allows."""
        wrong, worst = None, self.constructed if constructed else self.worst
        for form, octets in answer["sizes"]:
            bound, memory = BOUNDS.get(form, BOUND), answer["taken"] / 2**20
            worst.setdefault(form, Worst()).add(octets, answer["cpu"], memory)
            if answer["cpu"] > bound.seconds or memory > bound.memory:
                wrong = wrong or f"{answer['cpu']:.1f} CPU s and {memory:.0f} MiB, above the bound of {form}"
        return wrong

    def outcome(self, its: str) -> int:
        """Return the number of inputs that ended so."""
        return sum(count for (_, outcome), count in self.outcomes.items() if outcome == its)

    def __str__(self) -> str:
        columns = sorted({outcome for _, outcome in self.outcomes})
        strategies = sorted({strategy for strategy, _ in self.outcomes})
        widths = [max(len(column), 7) + 2 for column in columns]
        rows = [
            f"{'':27}" + "".join(f"{column:>{width}}" for column, width in zip(columns, widths, strict=True)),
            *(
                f"{strategy:27}"
                + "".join(
                    f"{self.outcomes[strategy, column]:>{width},}"
                    for column, width in zip(columns, widths, strict=True)
                )
                for strategy in strategies
            ),
        ]
        return "\n".join(
            [
                *rows,
                f"inputs tried: {self.inputs:,} in {self.batches:,} batches, {self.seconds:.0f} s; slowest batch "
                f"{self.slowest:.1f} s, from input {self.slowest_from:,}; most memory of a batch "
                f"{self.memory / 2**20:.0f} MiB (bound {self.bound / 2**20:.0f})",
                *(
                    [f"mutated\n{worst_table(self.worst)}\nof these, weighed alone: {self.alone:,}"]
                    if self.worst
                    else []
                ),
                *([f"constructed, each weighed alone\n{worst_table(self.constructed)}"] if self.constructed else []),
                f"inputs that did harm: {len(self.findings)}",
            ]
        )


@dataclass(frozen=True)
class Target:
    """A target of the fuzzer: makes the child's last arguments in an empty folder, and gives an input's bytes."""

    child: str
    prepare: Callable[[Path], list[str]]
    data: Callable[[int, int], bytes]
    #: Whether the cost of each input is of interest.
    weighed: bool = False
    #: Whether the input of this number was constructed to cost much.
    constructed: Callable[[int], bool] = lambda _: False


def _pixels(folder: Path) -> list[str]:
    from hubserve_export._preprocessing import DEFAULT_MAX_PIXELS
    from trust.pixels_model import export_pixels

    return [str(export_pixels(folder, max_pixels=DEFAULT_MAX_PIXELS))]


def _toy(folder: Path) -> list[str]:
    from serve.toys import model_dir, save_toy

    return [str(model_dir(save_toy(folder / "saved"), folder / "toy"))]


def _image(seed: int, number: int) -> bytes:
    from trust.images import hostile_image

    return hostile_image(seed, number)[1]


def _constructed(number: int) -> bool:
    from trust.images import is_constructed

    return is_constructed(number)


def _call(seed: int, number: int) -> bytes:
    from trust.requests import hostile_call

    return hostile_call(seed, number).data


def _response(seed: int, number: int) -> bytes:
    from trust.responses import hostile_response

    return hostile_response(seed, number)[1]


def _answer(seed: int, number: int) -> bytes:
    from trust.verb_answers import hostile_answer

    return hostile_answer(seed, number).data


TARGETS = {
    "images": Target("trust.decode_child", _pixels, _image, weighed=True, constructed=_constructed),
    "requests": Target("trust.engine_child", _toy, _call),
    "responses": Target("trust.client_child", lambda _: [], _response),
    "verbs": Target("trust.verbs_child", lambda _: [], _answer),
}


def fuzz(
    target: str, *, inputs: int, seed: int, saved: Path, folder: Path, first: int = 0, progress: bool = False
) -> Tally:
    """Try so many inputs, numbered from `first`, in a child that is started again where it dies."""
    attacked = TARGETS[target]
    command = [sys.executable, "-m", attacked.child, str(seed), *attacked.prepare(folder)]
    tally, started = Tally(), time.monotonic()
    with Hunter(command, PATIENCE, ALLOCATOR if attacked.weighed else {}) as hunter:
        for numbers in batches(range(first, first + inputs), attacked.constructed):
            for finding in _tried(hunter, numbers, tally, constructed=attacked.constructed(numbers[0])):
                tally.findings.append(finding)
                for number in numbers if finding.number is None else [finding.number]:
                    file = saved / f"{target}-{seed}-{number}.bin"
                    _keep(file, attacked.data(seed, number), {"seed": seed, "number": number, "harm": finding.harm})
            tally.inputs += len(numbers)
            tally.batches += 1
            if progress and tally.batches % 100 == 0:
                print(f"{tally.inputs:,} inputs, {len(tally.findings)} did harm", file=sys.stderr, flush=True)
                if tally.batches % 500 == 0:
                    tally.seconds = time.monotonic() - started
                    print(tally, file=sys.stderr, flush=True)
    tally.seconds = time.monotonic() - started
    return tally


def batches(numbers: range, constructed: Callable[[int], bool]) -> Iterator[list[int]]:
    """Yield the numbers in batches; each constructed input is alone, so that its cost is its own."""
    batch: list[int] = []
    for number in numbers:
        if constructed(number):
            yield [number]
            continue
        batch.append(number)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _tried(hunter: Hunter, numbers: Sequence[int], tally: Tally, *, constructed: bool) -> list[Finding]:
    """Try a batch; and its inputs alone, where it costs much."""
    answers: list[dict[str, Any]] = []
    found = hunter.hunt(numbers, answers.append)
    for answer in answers:
        tally.add(answer)
        if len(numbers) == 1 or _cheap(answer):
            harm = tally.weigh(answer, constructed=constructed)
            found += [Finding(numbers[0], harm)] if harm else []
            continue
        for number in numbers:
            alone: list[dict[str, Any]] = []
            found += hunter.hunt([number], alone.append)
            tally.alone += 1
            found += [Finding(number, harm) for answer in alone if (harm := tally.weigh(answer))]
    return found


def _cheap(answer: dict[str, Any]) -> bool:
    seconds, memory = CHEAP_SHARE * BOUND.seconds, CHEAP_SHARE * BOUND.memory * 2**20
    return not answer["sizes"] or (answer["cpu"] <= seconds and answer["taken"] <= memory)


def _keep(file: Path, data: bytes, facts: dict[str, Any]) -> None:
    """An input that did harm, and beside it what it takes to make it again."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    file.with_suffix(".json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(f"{file}: {facts['harm']}", file=sys.stderr, flush=True)


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument(
        "--first", type=int, default=0, help="the number of the first input, to go on where a run ended"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path, default=Path("fuzz-findings"))
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        tally = fuzz(
            arguments.target,
            inputs=arguments.inputs,
            first=arguments.first,
            seed=arguments.seed,
            saved=arguments.save,
            folder=Path(folder),
            progress=True,
        )
    print(f"{arguments.target}, seed {arguments.seed}, from input {arguments.first:,}\n{tally}")
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
