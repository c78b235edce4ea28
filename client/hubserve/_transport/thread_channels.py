"""The channels of a client for threads, opened at the first call, so that forking before it is safe."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

import grpc

from .._settings import ClientSettings
from .base_server import open_channels
from .channel import Turns
from .forks import watch_work

# Seconds to wait for the threads that watch connections, before a fork; a few times what they need.
_PATIENCE = 2.0


class Channels:
    """A channel for each server: `channels.open(); channels.call(PREDICT).future(request)`.

    Args:
        settings: The client's settings, with TLS files already read.
    """

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._closed = False
        self._channels: list[Any] = []
        self._calls: list[dict[str, Any]] = []
        self._turns = Turns(0)
        self._watchers: list[Any] = []
        self._in_flight = 0
        watch_work(self)

    def open(self) -> None:
        """Open the channels, unless they are open or were closed.

        Raises:
            UsageError: gRPC was in use when this process was forked.
        """
        if self._calls:
            return
        with self._lock:
            if self._calls or self._closed:
                return
            self._channels, calls = open_channels(grpc, self._settings)
            self._turns = Turns(len(self._channels))
            self._watchers = [partial(self._turns.note, place) for place in range(len(self._channels))]
            self.watch()
            self._calls = calls

    def call(self, path: str) -> Any:
        """Return the RPC of the next server in turn.

        Raises:
            ValueError: The channels are closed; the message is gRPC's.
        """
        if not self._calls:
            raise ValueError("Cannot invoke RPC on closed channel!")
        return self._calls[self._turns.next()][path]

    def note(self, future: Any) -> None:
        """Count a call in flight, until it ends."""
        with self._lock:
            self._in_flight += 1
        future.add_done_callback(self._ended)

    def close(self) -> None:
        """Close the channels, which cancels their calls."""
        with self._lock:
            self._closed = True
        for channel in self._channels:
            channel.close()

    def watch(self) -> None:
        """Watch the connections to several servers, on threads of gRPC."""
        if len(self._channels) > 1 and not self._closed:
            for channel, watcher in zip(self._channels, self._watchers, strict=True):
                channel.subscribe(watcher, try_to_connect=True)

    def stop_watching(self) -> None:
        """End those threads before a fork: without one of them a child crashes, even if it does not use gRPC."""
        if len(self._channels) > 1 and not self._closed:
            for channel, watcher in zip(self._channels, self._watchers, strict=True):
                channel.unsubscribe(watcher)
        # Each thread checks every 0.2 seconds whether it has subscribers.
        end = time.monotonic() + _PATIENCE
        while self._watched and time.monotonic() < end:
            time.sleep(0.01)

    @property
    def _watched(self) -> bool:
        # gRPC has no public name for this.
        states = (getattr(channel, "_connectivity_state", None) for channel in self._channels)
        return any(getattr(state, "polling", False) for state in states)

    @property
    def at_work(self) -> bool:
        """Tell whether threads of gRPC are working: for calls in flight, or to watch several servers."""
        return self._in_flight > 0 or self._watched

    def _ended(self, _: object) -> None:
        with self._lock:
            self._in_flight -= 1
