"""A fake server for pytest: `from hubserve.testing.fixture import fake_server` in a `conftest.py`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import FakeServer

__all__ = ["fake_server"]


@pytest.fixture
def fake_server() -> Iterator[FakeServer]:
    """Start a `FakeServer` that labels each image with its first 40 bytes; `server.then(...)` scripts its faults."""
    with FakeServer() as server:
        yield server
