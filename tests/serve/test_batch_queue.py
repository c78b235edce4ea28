"""The queues of batches, without a model: what runs together, when, and on how many threads."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import wait

import grpc
import numpy as np
import pytest

from hubserve_model.batching_parameters import BatchingParameters
from hubserve_serve import RequestError
from hubserve_serve._batch_queue import Batch, Scheduler, Task

PATIENCE = 60
FOR_EVER = 3_600_000_000
KEY = (frozenset({"x"}), ("y",))
OTHER = (frozenset({"x"}), ("z",))


def task(*values: int) -> Task:
    return Task({"x": np.array(values)}, len(values))


class Running:
    """A scheduler whose batches wait until they are let go, and answer with their own rows."""

    def __init__(self, **parameters: int | bool) -> None:
        self.started: list[list[int]] = []
        self.changed = threading.Condition()
        self.go = threading.Event()
        self.scheduler = Scheduler(BatchingParameters(**parameters), self.process)  # type: ignore[arg-type]

    def process(self, _outputs: object, batch: Batch) -> list[list[np.ndarray]]:
        with self.changed:
            self.started.append([int(value) for one in batch.tasks for value in one.feeds["x"]])
            self.changed.notify_all()
        assert self.go.wait(PATIENCE)
        return [[one.feeds["x"]] for one in batch.tasks]

    def wait_for(self, count: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.started) >= count, PATIENCE)

    def answers(self, *tasks: Task) -> list[list[int]]:
        self.go.set()
        return [one.answer.result(PATIENCE)[0].tolist() for one in tasks]


@pytest.fixture
def running() -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def make(**parameters: int | bool) -> Running:
        made.append(Running(**parameters))
        return made[-1]

    yield make
    for one in made:
        one.go.set()
        one.scheduler.close()


def test_a_batch_that_is_full_runs_without_waiting(running):
    its = running(max_batch_size=4, max_execution_batch_size=4, batch_timeout_micros=FOR_EVER)
    tasks = [task(1), task(2, 3), task(4)]
    for one in tasks:
        its.scheduler.add(KEY, one)
    assert its.answers(*tasks) == [[1], [2, 3], [4]]
    assert its.started == [[1, 2, 3, 4]]


def test_a_task_that_does_not_fit_closes_the_batch_before_it(running):
    its = running(max_batch_size=4, max_execution_batch_size=4, batch_timeout_micros=FOR_EVER)
    first = task(1, 2, 3)
    its.scheduler.add(KEY, first)
    its.scheduler.add(KEY, task(4, 5))
    assert its.answers(first) == [[1, 2, 3]]


def test_a_batch_that_is_not_full_runs_when_its_first_task_has_waited(running):
    its = running(max_batch_size=4, max_execution_batch_size=4, batch_timeout_micros=1000)
    one = task(1)
    its.scheduler.add(KEY, one)
    assert its.answers(one) == [[1]]


def test_as_many_batches_run_at_a_time_as_there_are_threads(running):
    its = running(max_batch_size=1, max_execution_batch_size=1, num_batch_threads=2)
    tasks = [task(number) for number in range(3)]
    for one in tasks:
        its.scheduler.add(KEY, one)
    its.wait_for(2)
    assert its.started == [[0], [1]]
    assert its.answers(*tasks) == [[0], [1], [2]]


def test_the_queues_take_turns(running):
    its = running(max_batch_size=1, max_execution_batch_size=1, num_batch_threads=1)
    tasks = [task(0)]
    its.scheduler.add(KEY, tasks[0])
    its.wait_for(1)
    for key, values in ((KEY, (1, 2)), (OTHER, (10, 20))):
        for value in values:
            tasks.append(task(value))
            its.scheduler.add(key, tasks[-1])
    its.answers(*tasks)
    assert its.started == [[0], [10], [1], [20], [2]] or its.started == [[0], [1], [10], [2], [20]]


def test_a_large_task_is_split_into_the_room_of_the_open_batch_and_new_batches(running):
    its = running(
        max_batch_size=8, max_execution_batch_size=3, batch_timeout_micros=FOR_EVER, split=True, num_batch_threads=1
    )
    first = task(1)
    its.scheduler.add(KEY, first)
    parts = its.scheduler.add(KEY, task(2, 3, 4, 5, 6, 7, 8, 9))
    assert its.answers(first, *parts) == [[1], [2, 3], [4, 5, 6], [7, 8, 9]]
    assert its.started == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_a_queue_without_room_for_a_split_task_refuses_it_whole(running):
    its = running(
        max_batch_size=8, max_execution_batch_size=2, batch_timeout_micros=FOR_EVER, split=True, max_enqueued_batches=2
    )
    its.scheduler.add(KEY, task(1))
    with pytest.raises(RequestError) as caught:
        its.scheduler.add(KEY, task(*range(4)))
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    assert caught.value.words.endswith("is full; task size is 4 but scheduling capacity is only 3")
    parts = its.scheduler.add(KEY, task(2, 3, 4))
    assert its.answers(*parts) == [[2], [3, 4]]


def test_an_unforeseen_error_reaches_every_caller(running):
    its = running(max_batch_size=2, max_execution_batch_size=2, batch_timeout_micros=FOR_EVER)
    tasks = [Task({"y": np.array([number])}, 1) for number in range(2)]
    for one in tasks:
        its.scheduler.add(KEY, one)
    assert [type(one.answer.exception(PATIENCE)) for one in tasks] == [KeyError, KeyError]
    again = task(1, 2)
    its.scheduler.add(KEY, again)
    assert its.answers(again) == [[1, 2]]


def test_what_waits_when_the_model_is_unloaded_is_refused(running):
    its = running(max_batch_size=2, max_execution_batch_size=2, batch_timeout_micros=FOR_EVER)
    waiting = task(1)
    its.scheduler.add(KEY, waiting)
    its.scheduler.close()
    assert wait([waiting.answer], PATIENCE).done
    refusals = [waiting.answer.exception()]
    with pytest.raises(RequestError) as caught:
        its.scheduler.add(KEY, task(2))
    for refusal in (*refusals, caught.value):
        assert isinstance(refusal, RequestError)
        assert (refusal.code, refusal.words) == (grpc.StatusCode.UNAVAILABLE, "the model is being unloaded")
