"""The two clients behind one interface, so that a test can run with both."""

import asyncio
from collections.abc import Iterable
from typing import Any

from hubserve import AsyncClient, Classification, Client

SHELLS = ["threads", "asyncio"]


def classify(
    shell: str, target: Any, images: Iterable[Any], *, ordered: bool = True, **options: Any
) -> list[Classification]:
    """Classifies with a client of its own: `classify("asyncio", server.target, [b"cat"], retry=None)`."""
    options = {"model": "m", "timeout": 20, **options}
    if shell == "threads":
        with Client(target, **options) as client:
            return list(client.classify(images, ordered=ordered))

    async def run() -> list[Classification]:
        async with AsyncClient(target, **options) as client:
            return [result async for result in client.classify(images, ordered=ordered)]

    return asyncio.run(run())


def call(
    shell: str, target: Any, verb: str, *arguments: Any, options: dict[str, Any] | None = None, **named: Any
) -> Any:
    """Calls another verb: `call("threads", server.target, "predict", {"x": [1]})`."""
    options = {"model": "m", "timeout": 20, **(options or {})}
    if shell == "threads":
        with Client(target, **options) as client:
            return getattr(client, verb)(*arguments, **named)

    async def run() -> Any:
        async with AsyncClient(target, **options) as client:
            return await getattr(client, verb)(*arguments, **named)

    return asyncio.run(run())
