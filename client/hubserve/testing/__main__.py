"""`python -m hubserve.testing`: the fake server as a process, until it is ended or its standard input is closed."""

from __future__ import annotations

import argparse
import sys

from . import FakeServer


def main() -> None:
    """Serve; the first line on standard output is the server's `HOST:PORT`."""
    parser = argparse.ArgumentParser(prog="python -m hubserve.testing", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the port; 0, the default, for a free one")
    parser.add_argument("--model", help="the model's name; by default the server answers for any name")
    parser.add_argument("--version", type=int, default=1, help="the model's version, by which a test can tell servers")
    parser.add_argument("--seconds", type=float, default=0.0, help="how long each answer takes")
    parser.add_argument("--threads", type=int, default=16, help="how many requests are answered at once")
    arguments = parser.parse_args()
    server = FakeServer(
        model=arguments.model, version=arguments.version, port=arguments.port, threads=arguments.threads
    )
    if arguments.seconds:
        server.then(arguments.seconds, times=1_000_000)
    with server:
        print(server.target, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
