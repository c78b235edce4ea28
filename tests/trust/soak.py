"""Mixed load on an embedded engine, while the memory, descriptors and threads of both sides are watched.

    PYTHONPATH=tests python -m trust.soak --minutes 60

Vectors of good and hostile images, predictions, metadata, status, calls that are given up, clients that come and go,
threads and asyncio. Every good image must be answered as the first time. Ends with 1 where an answer differed or
something grew.
"""

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hubserve import AsyncClient, Client, HubserveError
from support.hostile_files import FORMS
from trust.images import hostile_image
from trust.pixels_model import HEIGHT, WIDTH, export_pixels

_GOOD = list(FORMS.values())
_SAMPLES = 40
# What the allocator's fragments and the sampling of a moment may make of something that is flat.
_RSS_SHARE, _RSS_BYTES, _COUNT = 0.05, 24 * 2**20, 12


@dataclass(frozen=True)
class Sample:
    """One look at a process: resident bytes, open descriptors, threads."""

    rss: int
    descriptors: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> "Sample":
        """As the kernel says."""
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        numbers = {name: int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("VmRSS", "Threads")}
        return cls(numbers["VmRSS"] * 1024, len(os.listdir(f"/proc/{pid}/fd")), numbers["Threads"])


def grown(samples: Sequence[Sample]) -> list[str]:
    """Return the figures that are higher in the last quarter than in the second, in words; empty if all is flat.

    The first quarter is left out: caches and pools fill up then.
    """
    quarter = len(samples) // 4
    early, late = samples[quarter : 2 * quarter], samples[-quarter:]
    found = []
    for name, allowed in (
        ("rss", lambda before: max(before * _RSS_SHARE, _RSS_BYTES)),
        ("descriptors", lambda _: _COUNT),
        ("threads", lambda _: _COUNT),
    ):
        before, after = (statistics.median(getattr(sample, name) for sample in part) for part in (early, late))
        if after - before > allowed(before):
            found.append(f"{name} from {before:,.0f} to {after:,.0f}")
    return found


class Load:
    """The workers: each does its own until `stop` is set, and counts what it did."""

    def __init__(self, target: str, model: str) -> None:
        self._target, self._model = target, model
        self._stop = threading.Event()
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        with Client(target, model=model) as client:
            self._right = [result.vector.tobytes() for result in client.features(_GOOD)]
        work = (self._vectors, self._hostile, self._calls, self._short_lived, self._asynchronous)
        self._threads = [threading.Thread(target=self._loop, args=(each,)) for each in work]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _loop(self, work: Callable[[Client], None]) -> None:
        with Client(self._target, model=self._model) as client:
            while not self._stop.is_set():
                try:
                    work(client)
                except (HubserveError, AssertionError) as error:
                    self.wrong.append(f"{work.__name__}: {error!r}")
                    return
                self.done[work.__name__.strip("_").replace("_", "-")] += 1

    def _check(self, results: Sequence[object], places: Sequence[int]) -> None:
        for place, right in zip(places, self._right, strict=True):
            result = results[place]
            assert result.ok, result.error
            assert result.vector.tobytes() == right, f"{result.source} was answered differently"

    def _vectors(self, client: Client) -> None:
        self._check(list(client.features(_GOOD * 4)), range(len(_GOOD)))

    def _hostile(self, client: Client) -> None:
        number = self.done["hostile"]
        hostile = [hostile_image(5, 7 * number + more)[1] or b"?" for more in range(7)]
        self._check(list(client.features([*hostile, *_GOOD])), range(7, 7 + len(_GOOD)))

    def _calls(self, client: Client) -> None:
        client.status()
        client.metadata()
        outputs = client.predict({"images": _zeros()}, signature="images")
        assert not outputs["feature_vector"].any()
        # Results that are not read to the end.
        next(iter(client.features(_GOOD * 8)))

    def _short_lived(self, _: Client) -> None:
        with Client(self._target, model=self._model, channel_options={"grpc.use_local_subchannel_pool": 1}) as client:
            self._check(list(client.features(_GOOD)), range(len(_GOOD)))

    def _asynchronous(self, _: Client) -> None:
        async def ask() -> list[object]:
            async with AsyncClient(self._target, model=self._model) as client:
                return [result async for result in client.features(_GOOD * 2)]

        self._check(asyncio.run(ask()), range(len(_GOOD)))


def _zeros() -> object:
    import numpy as np

    return np.zeros((2, HEIGHT, WIDTH, 3), np.float32)


def soak(model_dir: Path, seconds: float) -> tuple[str, bool]:
    """Runs it against a server in a process of its own: gives the figures, and whether all was flat and right."""
    command = [sys.executable, "-m", "hubserve", "serve", str(model_dir), "--engine", "embedded", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            target = re.search(r" on (\S+) ", server.stdout.readline())[1]
            load = Load(target, model_dir.name)
            samples: dict[str, list[Sample]] = {"client": [], "server": []}
            load.start()
            ends = time.monotonic() + seconds
            while time.monotonic() < ends and not load.wrong:
                time.sleep(seconds / _SAMPLES)
                samples["client"].append(Sample.of(os.getpid()))
                samples["server"].append(Sample.of(server.pid))
            load.stop()
        finally:
            server.terminate()
    lines = ["".join(f"{count:,} x {name}; " for name, count in sorted(load.done.items())).rstrip("; ")]
    for side, its in samples.items():
        first, last = its[len(its) // 4], its[-1]
        lines.append(
            f"{side}: memory {first.rss / 2**20:.0f} to {last.rss / 2**20:.0f} MiB, descriptors {first.descriptors} to "
            f"{last.descriptors}, threads {first.threads} to {last.threads}; grew: {', '.join(grown(its)) or 'nothing'}"
        )
    lines.append(f"wrong or failed: {len(load.wrong)}" + "".join(f"\n  {what}" for what in load.wrong))
    return "\n".join(lines), not load.wrong and not any(grown(its) for its in samples.values())


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        figures, flat = soak(export_pixels(Path(folder)).parent, arguments.minutes * 60)
    print(f"{arguments.minutes:g} minutes of mixed load\n{figures}")
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
