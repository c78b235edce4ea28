"""A server that answers each image by its bytes, and misbehaves on command: `python -m trust.chaos_server PORT`.

An order is a line on standard input: `SECONDS TIMES` to be slow, or `CODE TIMES` to refuse with a gRPC status code; the
next so many requests. Its end ends the server.
"""

import hashlib
import sys
import time

from hubserve.testing import FakeServer, Fault, Request

# So that a run lasts long enough for something to happen to it.
_SECONDS = 0.1


def answer(image: bytes) -> dict[str, float]:
    """The one right answer: a label and a score that only these bytes have."""
    digest = hashlib.sha256(image).digest()
    # In float32 exactly.
    return {digest.hex(): digest[0] / 256}


def _work(_: Request) -> None:
    time.sleep(_SECONDS)


def main() -> None:
    """Serves; the first line on standard output is its `HOST:PORT`."""
    with FakeServer(answer, port=int(sys.argv[1]), threads=2, before=_work) as server:
        print(server.target, flush=True)
        for order in sys.stdin:
            what, times = order.split()
            step = float(what) if what[0].isdigit() else Fault(what, "ordered")
            server.then(step, times=int(times))


if __name__ == "__main__":
    main()
