"""Programs for `test_processes`, each in a process of its own: `python -m client.process_programs NAME TARGET...`.

What a program prints is what its test expects. A hang is ended by SIGALRM: faulthandler's own
watch does not survive a fork.
"""

import asyncio
import atexit
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable

from hubserve import AsyncClient, Client, ClientClosed, UsageError

PATIENCE = 20


def label(client: Client, image: bytes = b"cat") -> str | None:
    (result,) = client.classify([image])
    return result.label or result.error


async def async_label(client: AsyncClient) -> str | None:
    (found,) = [result async for result in client.classify([b"cat"])]
    return found.label or found.error


def in_child(work: Callable[[], object]) -> int:
    """Fork, print the result of the work in the child, or its UsageError, and end the child; return its status."""
    sys.stdout.flush()
    # From 3.12 on, Python warns where it sees other threads at a fork. That is what these programs are about.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(PATIENCE)
    try:
        print("child:", work(), flush=True)
    except UsageError as error:
        print("child: UsageError", error, flush=True)
    sys.exit(0)


def fork_before_the_first_call(*targets: str) -> None:
    """A client and a batcher that are made when the program is loaded, as with gunicorn --preload."""
    client = Client(list(targets), model="m")
    batcher = client.classify_batcher()

    def ask() -> object:
        return label(client), batcher.ask(b"dog").label, batcher.close()

    print(in_child(ask), in_child(ask), label(client), batcher.ask(b"dog").label)


def fork_after_a_call(target: str) -> None:
    client = Client(target, model="m")
    batcher = client.classify_batcher()
    label(client), batcher.ask(b"cat")

    def ask() -> object:
        return label(client), batcher.ask(b"dog").label, client.close()

    print(in_child(ask), label(client), batcher.ask(b"dog").label)


def fork_in_flight(target: str) -> None:
    """Another thread waits for an answer while this one forks."""
    client = Client(target, model="m")
    other = Client(target, model="m")
    waiting = threading.Thread(target=lambda: label(client, b"wait"))
    waiting.start()
    while not client._server._channels.at_work:
        pass
    codes = (
        in_child(lambda: label(client)),
        in_child(lambda: label(other)),
        in_child(lambda: Client(target, model="m").status()),
    )
    print(codes)
    os.write(int(os.environ["RELEASE"]), b"x")
    waiting.join()
    print(label(client))


def fork_of_several_after_a_call(*targets: str) -> None:
    client = Client(list(targets), model="m")
    label(client)
    print(in_child(lambda: label(client)), in_child(lambda: label(client)), label(client))


def fork_after_asyncio(target: str) -> None:
    asyncio.run(async_label(AsyncClient(target, model="m")))
    print(in_child(lambda: asyncio.run(async_label(AsyncClient(target, model="m")))))


def fork_before_asyncio(target: str) -> None:
    client = AsyncClient(target, model="m")
    print(in_child(lambda: asyncio.run(async_label(client))), asyncio.run(async_label(client)))


def fork_in_a_loop_over_results(target: str) -> None:
    client = Client(target, model="m", max_batch_size=1)
    results = client.classify([b"cat"] * 30)
    first = next(results)
    print(in_child(lambda: list(results)), first.label, len(list(results)))


def _in_process(client: Client, answers: "multiprocessing.Queue[str | None]") -> None:
    answers.put(label(client))


def _started_with(method: str, target: str) -> None:
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    client = Client(target, model="m", max_batch_size=3)
    process = context.Process(target=_in_process, args=(client, answers))
    process.start()
    print(answers.get(timeout=PATIENCE), process.join(), process.exitcode)


def spawn(target: str) -> None:
    _started_with("spawn", target)


def forkserver(target: str) -> None:
    _started_with("forkserver", target)


def pickled(target: str) -> None:
    client = Client(target, model="m", version=None, timeout=None, token="secret", allow_plaintext_token=True)  # noqa: S106
    label(client)
    again = pickle.loads(pickle.dumps(client))  # noqa: S301 - our own
    client.close()
    other = pickle.loads(pickle.dumps(AsyncClient(target, model="m")))  # noqa: S301
    print(label(again), again, other)
    try:
        pickle.dumps(again.classify_batcher())
    except UsageError as error:
        print(error)


def second_loop(target: str) -> None:
    client = AsyncClient(target, model="m")
    batcher = client.classify_batcher()

    async def ask() -> object:
        answer = (await batcher.ask(b"cat")).label
        return await async_label(client), answer, (await client.metadata()).name, (await client.status())[0].available

    print(asyncio.run(ask()), asyncio.run(ask()))

    async def close() -> None:
        await batcher.close()
        await client.close()
        try:
            await client.status()
        except ClientClosed:
            print("closed")

    asyncio.run(close())


def loop_beside(target: str) -> None:
    """Another loop, in another thread, while the first one is open."""
    client = AsyncClient(target, model="m")
    batcher = client.classify_batcher()

    def elsewhere() -> None:
        for ask in (lambda: async_label(client), lambda: batcher.ask(b"cat"), client.status, client.close):
            try:
                asyncio.run(ask())
            except UsageError as error:
                print(error)

    async def here() -> None:
        await async_label(client)
        await batcher.ask(b"cat")
        await asyncio.to_thread(elsewhere)
        print(await async_label(client))
        await batcher.close()
        await client.close()

    asyncio.run(here())


def closed_in_another_thread(target: str) -> None:
    """Four threads wait for answers that do not come; a fifth one closes the client."""
    client = Client(target, model="m", timeout=PATIENCE)
    batcher = client.classify_batcher()
    said: list[str] = []

    def ask(work: Callable[[], object]) -> None:
        try:
            said.append(f"{work()!r}")
        except ClientClosed:
            said.append("closed")

    works = [
        lambda: label(client, b"wait"),
        lambda: batcher.ask(b"wait"),
        lambda: client.predict({"image_bytes": [b"wait"]}),
        lambda: next(client.features([b"wait"])),
    ]
    threads = [threading.Thread(target=ask, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    # A line for each request that has arrived.
    for _ in works:
        sys.stdin.readline()
    client.close()
    for thread in threads:
        thread.join()
    ask(client.status)
    ask(lambda: batcher.ask(b"cat"))
    print(said)
    batcher.close()


def ends_while_asking(target: str) -> None:
    """The program ends with clients that were never closed, results that were not taken, and a thread that waits."""
    client = Client(target, model="m")
    batcher = client.classify_batcher()
    batcher.ask(b"cat")
    results = client.classify([b"cat"] * 100)
    next(results)
    threading.Thread(target=lambda: batcher.ask(b"wait"), daemon=True).start()
    sys.stdin.readline()
    print("ends")


def ends_while_it_watches(*targets: str) -> None:
    """The program ends with a client of several servers, whose connections gRPC watches, that was never closed."""
    client = Client(list(targets), model="m")
    print(label(client))


def asks_at_exit(target: str) -> None:
    client = Client(target, model="m")
    batcher = client.classify_batcher()

    def late() -> None:
        try:
            print("late:", [result.label for result in client.classify([__file__.encode(), b"cat"])], flush=True)
            print("late:", len(list(client.classify([__file__]))), batcher.ask(b"cat").label, flush=True)
        except (UsageError, ClientClosed) as error:
            print("late:", type(error).__name__, flush=True)
        client.close()
        print("closed", flush=True)

    atexit.register(late)


def main() -> None:
    """Runs one of them."""
    signal.alarm(3 * PATIENCE)
    globals()[sys.argv[1]](*sys.argv[2:])


if __name__ == "__main__":
    main()
