"""Which of several servers is asked next, when each has a channel of its own.

gRPC's round_robin knows only the addresses of one target, which for a list must be numbers; and it would hold the
certificates of all of them against one name.
"""

from __future__ import annotations

import itertools

import grpc

_State = grpc.ChannelConnectivity


class Turns:
    """Each in turn among those that are connected, as round_robin has it: `turns.note(0, state); turns.next()`.

    Where none is connected, each in turn among those that are not known to fail. Threads may share it.

    Args:
        count: How many there are.
    """

    def __init__(self, count: int) -> None:
        self._states = [_State.IDLE] * count
        self._turn = itertools.count()

    def note(self, place: int, state: grpc.ChannelConnectivity) -> None:
        """Take note of a channel's state."""
        self._states[place] = state

    def next(self) -> int:
        """Return the place of the one to ask."""
        states = list(self._states)
        ready = [place for place, state in enumerate(states) if state is _State.READY]
        trying = [place for place, state in enumerate(states) if state in (_State.IDLE, _State.CONNECTING)]
        among = ready or trying or range(len(states))
        return among[next(self._turn) % len(among)]
