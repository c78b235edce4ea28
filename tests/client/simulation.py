"""A server and a clock that exist only in arithmetic, to run a `Run` and its `Gate` through hours in no time."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import grpc

from hubserve import CallError, Classification, ClassScore, ImageError, Retry
from hubserve._errors import Then, call_error, then
from hubserve._images.encode import EncodedImage
from hubserve._schedule.batching import Capacity, Limits
from hubserve._schedule.gate import Turn
from hubserve._schedule.retry import Contact
from hubserve._schedule.run import Run
from hubserve._schedule.window import Fixed, Window


def failure(code: str, details: str = "") -> CallError:
    return call_error(grpc.StatusCode[code], details, target="host:1", model="model m")


def images(count: int, unreadable: frozenset[int] = frozenset()) -> list[EncodedImage]:
    return [
        EncodedImage(index, f"image {index}", error=ImageError("it is none"))
        if index in unreadable
        else EncodedImage(index, f"image {index}", b"%d" % index)
        for index in range(count)
    ]


def read(response: bytes, batch: Sequence[EncodedImage], seconds: float) -> Iterable[Classification]:
    """An answer is the bytes of its images, each followed by a space."""
    for image, label in zip(batch, response.decode().split(), strict=True):
        yield Classification(
            source=image.source,
            index=image.index,
            status=0,
            classes=(ClassScore(0, label, 1.0),),
            model_version=1,
            seconds=seconds,
        )


# What becomes of a request that is sent at a time: the seconds that it takes, and None for an answer, or its failure.
Server = Callable[[Sequence[EncodedImage], float], tuple[float, CallError | None]]


@dataclass
class Simulation:
    """`Simulation(server, count=100).run()` gives the results in the order in which they came."""

    server: Server
    count: int = 100
    retry: Retry = field(default_factory=Retry)
    limits: Limits = field(default_factory=lambda: Limits(8, 2**20))
    window: Window = field(default_factory=lambda: Fixed(4))
    ordered: bool = True
    unreadable: frozenset[int] = frozenset()
    draw: Callable[[], float] = lambda: 1.0
    now: float = 1000.0
    sizes: list[int] = field(default_factory=list)
    most_in_flight: int = 0

    def run(self, *, contact: Contact | None = None) -> list[Classification]:
        contact = contact or Contact(self.retry, self.draw)
        run: Run[Classification] = Run(
            read=read,
            kind=Classification,
            capacity=Capacity(self.limits),
            contact=contact,
            window=self.window,
            ordered=self.ordered,
        )
        remaining = iter(images(self.count, self.unreadable))
        gate = contact.gate
        turns: dict[int, Turn] = {}
        landing: list[tuple[float, int, Turn, CallError | None]] = []
        results: list[Classification] = []
        while not run.finished:
            while (request := run.next_request(self.now)) or gate.waiting:
                if request:
                    turns[request.number] = gate.join(owner=request)
                    self.most_in_flight = max(self.most_in_flight, run.in_flight)
                if (turn := gate.next(self.now)) is not None:
                    self.sizes.append(len(turn.owner.images))
                    seconds, error = self.server(turn.owner.images, self.now)
                    heapq.heappush(landing, (self.now + seconds, turn.owner.number, turn, error))
                elif not request:
                    break
            for number in run.take_abandoned():
                gate.leave(turns.pop(number), self.now)
            results += run.take_results()
            if run.wants_images:
                image = next(remaining, None)
                run.end() if image is None else run.push(image, self.now)
                continue
            if run.finished:
                break
            wake = min((at for at in (run.wake_at(), gate.wake_at()) if at is not None), default=None)
            if landing and (wake is None or landing[0][0] <= wake):
                at, number, turn, error = heapq.heappop(landing)
                self.now = max(self.now, at)
                if number not in turns:
                    continue
                if error is None:
                    gate.answered(turn, self.now)
                    run.answered(number, b"".join(image.data + b" " for image in turn.owner.images), self.now)
                elif then(error) is Then.WAIT and gate.refused(turn, self.now, error):
                    continue
                else:
                    gate.leave(turn, self.now)
                    for given_up in gate.hopeless(self.now):
                        run.failed(given_up.owner.number, error, self.now)
                    run.failed(number, error, self.now)
                del turns[number]
            else:
                assert wake is not None, "nothing will ever happen again"
                self.now = max(self.now, wake)
        return results
