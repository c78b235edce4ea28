"""Clients after a fork: in the child, objects start new, unless gRPC was in use when the process forked.

gRPC's threads do not exist in a child. If some of them were inside gRPC when the process forked, its locks stay
locked: calls hang, and new channels end the process (gRPC's `fork_posix.cc` says "Other threads are currently calling
into gRPC, skipping fork() handlers"). There is no way to repair this, so the client raises a `UsageError`.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable
from types import MethodType
from typing import Any, Protocol, cast

from .._errors import UsageError

_AT_WORK = (
    "gRPC was in use when this process was forked, and does not work after that: fork before the first call of any "
    "client (with gunicorn --preload: call no server while the program is loaded), or start processes with spawn"
)


# What each object does in a child, which has one thread, before any other code runs there. A dictionary of functions,
# because a WeakMethod that is collected before its object at the end of a program would print an error.
_begin_anew: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()
_channels: weakref.WeakSet[Any] = weakref.WeakSet()
_left_behind: list[object] = []


class _State:
    # Whether grpc.aio, whose thread polls until the process ends, was used in this process.
    polls = False
    forking_at_work = False
    refuses = False


def watch(begin_anew: Callable[[], None]) -> None:
    """Call a method in each child of a fork, as long as its object exists."""
    method = cast(MethodType, begin_anew)
    _begin_anew[method.__self__] = method.__func__


class Channels(Protocol):
    """An object that uses threads of gRPC."""

    @property
    def at_work(self) -> bool:
        """Tell whether threads of gRPC are working."""

    def watch(self) -> None:
        """Watch connections, on threads of gRPC."""

    def stop_watching(self) -> None:
        """End the threads that watch connections."""


def watch_work(channels: Channels) -> None:
    """Before each fork, end the threads that watch connections, and check whether others are working."""
    _channels.add(channels)


def polls_from_now_on() -> None:
    """Record that grpc.aio is used."""
    _State.polls = True


def refuse_after_fork_at_work() -> None:
    """Refuse to use gRPC in a child of a process in which gRPC was in use.

    Raises:
        UsageError: gRPC was in use when the process was forked.
    """
    if _State.refuses:
        raise UsageError(_AT_WORK)


def leave_behind(thing: object) -> None:
    """Never free an object: closing it would wait for threads that do not exist in a child."""
    _left_behind.append(thing)
    try:
        import ctypes

        # Also when the interpreter ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    except (ImportError, AttributeError):
        return


def _before() -> None:
    for each in list(_channels):
        each.stop_watching()
    _State.forking_at_work = _State.polls or any(each.at_work for each in list(_channels))


def _at_exit() -> None:
    """End the threads that watch connections: at exit Python stops them while they hold locks that closing needs."""
    for each in list(_channels):
        each.stop_watching()


def _after_in_parent() -> None:
    for each in list(_channels):
        each.watch()


def _after_in_child() -> None:
    _State.refuses = _State.refuses or _State.forking_at_work
    for owner, begin_anew in list(_begin_anew.items()):
        begin_anew(owner)


atexit.register(_at_exit)
# Windows does not have fork.
_register: Callable[..., None] | None = getattr(os, "register_at_fork", None)
if _register is not None:
    _register(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
