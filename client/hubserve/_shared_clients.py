"""One client for all tasks of a process that have the same settings."""

from __future__ import annotations

import atexit
import inspect
import threading
from collections import OrderedDict
from collections.abc import Hashable

from ._client import Client
from ._errors import UsageError
from ._settings import Settings, key_of, made_of
from ._transport.forks import watch

# A worker that lives for weeks gets the settings of many jobs. Older clients stay open for those who hold them.
_KEPT = 16


class SharedClients:
    """Keep the clients of this process: `SharedClients().client(settings)`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clients: OrderedDict[Hashable, Client] = OrderedDict()
        watch(self._forked)

    def client(self, settings: Settings) -> Client:
        """Return the client of these settings; a new one if there is none, or if it was closed."""
        key = key_of(settings)
        with self._lock:
            client = self._clients.get(key)
            if client is None or client.closed:
                client = self._clients[key] = made_of(Client, settings)
            self._clients.move_to_end(key)
            while len(self._clients) > _KEPT:
                self._clients.popitem(last=False)
            return client

    def close(self) -> None:
        """Close all clients."""
        with self._lock:
            clients = list(self._clients.values())
            self._clients.clear()
        for client in clients:
            client.close()

    def _forked(self) -> None:
        # Another thread of the parent may have held it. The clients begin anew by themselves.
        self._lock = threading.Lock()


_SHARED = SharedClients()
atexit.register(_SHARED.close)


def shared_client(settings: Settings) -> Client:
    """Return the one client of this process for these settings, which all threads and tasks share.

        settings = Settings("dns:///pnasnet-headless:8500", model="pnasnet")
        results = list(shared_client(settings).classify(images))

    Its connections are opened at the first call, and closed when the process ends. Who closes it closes it for all; the
    next call of `shared_client` makes a new one. In a child of a fork it begins anew, as every client does.

    Args:
        settings: Of the client. Equal settings give the same client. A token function counts by its name if it is one
            of a module; any other counts as itself, and so do copies of it that were unpickled.

    Raises:
        UsageError: `settings` is not a `Settings`, its token function is a coroutine function, or a TLS file cannot be
            read.
    """
    if not isinstance(settings, Settings):
        raise UsageError(f"shared_client needs Settings, not {type(settings).__name__}: Settings(target, model=NAME)")
    if inspect.iscoroutinefunction(settings.token):
        raise UsageError("shared_client gives a Client for threads: give it a token function that is not async")
    return _SHARED.client(settings)
