"""Queue the rows of callers in batches, and run the batches on a few threads, as TF Serving's SharedBatchScheduler."""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np

from ._errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hubserve_model.batching_parameters import BatchingParameters

    Array = np.ndarray[Any, Any]
    #: The inputs' names, and the outputs' in order: requests with the same key share batches.
    Key = tuple[frozenset[str], tuple[str, ...]]

_UNLOADED = "the model is being unloaded"


@dataclass(frozen=True)
class Task:
    """Rows of one caller that run in one batch.

    Attributes:
        feeds: Arrays by tensor name, each with `rows` rows.
        rows: The number of rows.
        deadline: The time of `time.monotonic` until which the caller waits; None: for ever.
        answer: Gets the arrays of the outputs, or a RequestError.
    """

    feeds: Mapping[str, Array]
    rows: int
    deadline: float | None = None
    answer: Future[list[Array]] = field(default_factory=Future)

    def part(self, first: int, rows: int) -> Task:
        """Return some of the rows as a task of its own."""
        return Task({name: array[first : first + rows] for name, array in self.feeds.items()}, rows, self.deadline)


@dataclass
class Batch:
    """Tasks that run together.

    Attributes:
        tasks: The tasks, in the order in which they came.
        rows: Their rows.
        born: The time of `time.monotonic` at which the first task came.
    """

    tasks: list[Task] = field(default_factory=list)
    rows: int = 0
    born: float = 0.0

    def add(self, task: Task) -> None:
        """Add a task."""
        if not self.tasks:
            self.born = time.monotonic()
        self.tasks.append(task)
        self.rows += task.rows


class Scheduler:
    """The queues of one model, and the threads that run their batches.

    ``Scheduler(parameters, process).add(key, Task(feeds, rows))``

    A batch runs when it is full, when a task came that does not fit into it, or when its first task has waited for
    `batch_timeout_micros`. Threads are made when they are needed, at most `num_batch_threads`.

    Args:
        parameters: The sizes and limits.
        process: Runs a batch for the outputs of its key, and returns the arrays of each task, or raises a RequestError.
    """

    def __init__(
        self, parameters: BatchingParameters, process: Callable[[Sequence[str], Batch], list[list[Array]]]
    ) -> None:
        self._parameters = parameters
        self._process = process
        self._largest = parameters.max_execution_batch_size
        self._timeout = parameters.batch_timeout_micros / 1e6
        # The last batch of a queue is open for more tasks.
        self._queues: dict[Key, deque[Batch]] = {}
        self._changed = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def add(self, key: Key, task: Task) -> list[Task]:
        """Queue a task; return it, or its parts if it is split over several batches.

        Raises:
            RequestError: The queue is full, or closed.
        """
        with self._changed:
            if self._closed:
                raise RequestError(grpc.StatusCode.UNAVAILABLE, _UNLOADED)
            queue = self._queues.setdefault(key, deque())
            parts = self._parts(queue, task)
            for part in parts:
                if not queue or queue[-1].rows + part.rows > self._largest:
                    queue.append(Batch())
                queue[-1].add(part)
            self._wake()
            return parts

    def close(self) -> None:
        """Refuse what waits with UNAVAILABLE, and end the threads that wait; those that run a batch end after it."""
        with self._changed:
            self._closed = True
            waiting = [task for queue in self._queues.values() for batch in queue for task in batch.tasks]
            self._queues.clear()
            self._changed.notify_all()
        for task in waiting:
            task.answer.set_exception(RequestError(grpc.StatusCode.UNAVAILABLE, _UNLOADED))

    def _parts(self, queue: deque[Batch], task: Task) -> list[Task]:
        """Divide a task among batches, if that is allowed.

        Raises:
            RequestError: The queue does not have room; the messages are those of shared_batch_scheduler.h.
        """
        limit, room = (
            self._parameters.max_enqueued_batches,
            self._largest - (queue[-1].rows if queue else self._largest),
        )
        full = "The batch scheduling queue to which this task was submitted is full;"
        if not self._parameters.split:
            if task.rows > room and len(queue) >= limit:
                raise RequestError(
                    grpc.StatusCode.UNAVAILABLE,
                    f"{full} currently {len(queue)} batches enqueued and max_enqueued_batches is {limit}",
                )
            return [task]
        capacity = room + max(0, limit - len(queue)) * self._largest
        if task.rows > capacity:
            raise RequestError(
                grpc.StatusCode.UNAVAILABLE,
                f"{full} task size is {task.rows} but scheduling capacity is only {capacity}",
            )
        first = min(room or self._largest, task.rows)
        ends = [*range(first, task.rows, self._largest), task.rows]
        starts = [0, *ends[:-1]]
        if len(ends) == 1:
            return [task]
        return [task.part(start, end - start) for start, end in zip(starts, ends, strict=True)]

    def _wake(self) -> None:
        """Let one more thread look for a batch."""
        if self._idle:
            self._changed.notify()
        elif self._threads < self._parameters.num_batch_threads:
            self._threads += 1
            threading.Thread(target=self._work, name="batches", daemon=True).start()

    def _work(self) -> None:
        while (found := self._next()) is not None:
            outputs, batch = found
            try:
                answers = self._process(outputs, batch)
            except Exception as error:  # noqa: BLE001 - every caller gets an answer
                for task in batch.tasks:
                    # Each caller adds its own traceback.
                    again = RequestError(error.code, error.words) if isinstance(error, RequestError) else error
                    task.answer.set_exception(again)
            else:
                for task, answer in zip(batch.tasks, answers, strict=True):
                    task.answer.set_result(answer)

    def _next(self) -> tuple[Sequence[str], Batch] | None:
        """Wait for a batch that may run; return None when the scheduler is closed."""
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                waits = {key: self._wait_of(queue, now) for key, queue in self._queues.items() if queue}
                key = next((key for key, seconds in waits.items() if seconds <= 0), None)
                if key is not None:
                    queue = self._queues.pop(key)
                    batch = queue.popleft()
                    # The queues take turns.
                    self._queues[key] = queue
                    if len(waits) > 1 or queue:
                        self._wake()
                    return key[1], batch
                self._idle += 1
                self._changed.wait(min(waits.values(), default=None))
                self._idle -= 1
            return None

    def _wait_of(self, queue: deque[Batch], now: float) -> float:
        """Return the seconds until the first batch of a queue may run."""
        if len(queue) > 1 or queue[0].rows >= self._largest:
            return 0.0
        return queue[0].born + self._timeout - now
