"""Clients after a fork: in the child, objects begin anew, unless gRPC was at work when the process forked.

gRPC's threads do not exist in a child. Where some of them were inside of gRPC when the process forked, its locks stay
taken: calls hang, and new channels end the process (gRPC's `fork_posix.cc` says "Other threads are currently calling
into gRPC, skipping fork() handlers"). Nothing mends that, so a `UsageError` says it.
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
    "gRPC was at work when this process was forked, and does not survive that: fork before the first call of any "
    "client (with gunicorn --preload: call no server while the program is loaded), or start processes with spawn"
)


# What each object does to begin anew in a child, which has one thread, before any other code runs there. A WeakMethod
# that is gone before its object, as when a program ends, would print an error.
_begin_anew: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()
_channels: weakref.WeakSet[Any] = weakref.WeakSet()
_left_behind: list[object] = []


class _State:
    # Whether grpc.aio, whose thread polls until the process ends, has been used in this process.
    polls = False
    forking_at_work = False
    refuses = False


def watch(begin_anew: Callable[[], None]) -> None:
    """Have a method called in each child, as long as its object is there."""
    method = cast(MethodType, begin_anew)
    _begin_anew[method.__self__] = method.__func__


class Channels(Protocol):
    """Describe an object that uses threads of gRPC."""

    @property
    def at_work(self) -> bool:
        """Tell whether threads of gRPC are at work."""

    def watch(self) -> None:
        """Watch connections, on threads of gRPC's."""

    def stop_watching(self) -> None:
        """End the threads that watch connections."""


def watch_work(channels: Channels) -> None:
    """Have the threads that watch connections end before each fork, and ask whether others are at work."""
    _channels.add(channels)


def polls_from_now_on() -> None:
    """Take note that grpc.aio is used."""
    _State.polls = True


def refuse_after_fork_at_work() -> None:
    """Refuse to use gRPC in a child whose parent's gRPC was at work.

    Raises:
        UsageError: It was.
    """
    if _State.refuses:
        raise UsageError(_AT_WORK)


def leave_behind(thing: object) -> None:
    """Keep something for ever: what closes it would wait for threads that do not exist in a child."""
    _left_behind.append(thing)
    try:
        import ctypes

        # Even when the interpreter ends.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(thing))
    except (ImportError, AttributeError):
        return


def _before() -> None:
    for each in list(_channels):
        each.stop_watching()
    _State.forking_at_work = _State.polls or any(each.at_work for each in list(_channels))


def _at_exit() -> None:
    """End the threads that watch connections: Python freezes them where they are, with locks that closing needs."""
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
# Windows has no fork.
_register: Callable[..., None] | None = getattr(os, "register_at_fork", None)
if _register is not None:
    _register(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
