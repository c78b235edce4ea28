"""A wire between two network interfaces that loses, delays, reorders and cuts off packets, in Python.

`tc netem` would do the same, but is a kernel module that many machines do not have. `python -m trust.packets eth0` has
the kernel finish each packet of an interface before it is given out: its checksums, and its length.
"""

import ctypes
import fcntl
import heapq
import itertools
import random
import select
import socket
import struct
import sys
import threading
import time

_ALL = 0x0003
_OUTGOING = 4
_SIOCETHTOOL = 0x8946
# linux/ethtool.h: ETHTOOL_STXCSUM, ETHTOOL_SSG, ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO.
_OFFLOADS = (0x17, 0x19, 0x1F, 0x24, 0x2C)


class Wire:
    """Carries packets between two interfaces, from its making until it is closed.

    Attributes:
        loss: The share of packets that are lost.
        delay: Seconds that each packet is late.
        jitter: Seconds more, at most, drawn for each: packets overtake one another.
        cut: Whether no packet gets through.
    """

    def __init__(self, one: str, other: str) -> None:
        self.loss = self.delay = self.jitter = 0.0
        self.cut = False
        self._ends = [_opened(one), _opened(other)]
        self._known: set[bytes] = set()
        self._forgotten: set[bytes] = set()
        self._counts = {"carried": 0, "lost": 0, "delayed": 0}
        self._closed = False
        self._chance = random.Random(1)  # noqa: S311 - to be repeatable
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    @staticmethod
    def check() -> None:
        """Raises OSError where packet sockets are not allowed."""
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL)).close()

    def mend(self) -> None:
        """Carries all packets at once again; connections that were forgotten stay so."""
        self.loss = self.delay = self.jitter = 0.0
        self.cut = False

    def forget(self) -> None:
        """Loses all packets of the TCP connections that there are, as a NAT does that has forgotten them."""
        self._forgotten |= set(self._known)

    def counts(self) -> dict[str, int]:
        """Packets by what became of them."""
        return dict(self._counts)

    def close(self) -> None:
        self._closed = True
        self._thread.join()
        for end in self._ends:
            end.close()

    def _carry(self) -> None:
        late: list[tuple[float, int, socket.socket, bytes]] = []
        numbers = itertools.count()
        while not self._closed:
            now = time.monotonic()
            while late and late[0][0] <= now:
                _, _, end, frame = heapq.heappop(late)
                _send(end, frame)
            wait = min(late[0][0] - now, 0.05) if late else 0.05
            for source in select.select(self._ends, [], [], wait)[0]:
                frame, address = source.recvfrom(65_536)
                if address[2] == _OUTGOING:
                    continue
                target = self._ends[source is self._ends[0]]
                if self._is_lost(frame):
                    self._counts["lost"] += 1
                elif self.delay or self.jitter:
                    self._counts["delayed"] += 1
                    at = time.monotonic() + self.delay + self._chance.random() * self.jitter
                    heapq.heappush(late, (at, next(numbers), target, frame))
                else:
                    self._counts["carried"] += 1
                    _send(target, frame)

    def _is_lost(self, frame: bytes) -> bool:
        connection = _connection(frame)
        if connection is not None:
            self._known.add(connection)
            if connection in self._forgotten:
                return True
        return self.cut or (self.loss > 0 and self._chance.random() < self.loss)


def _opened(interface: str) -> socket.socket:
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
    end.bind((interface, 0))
    return end


def _send(end: socket.socket, frame: bytes) -> None:
    try:
        end.send(frame)
    except OSError:
        # Longer than the interface's packets, or the interface has gone: lost, as on any wire.
        return


def _connection(frame: bytes) -> bytes | None:
    """Addresses and ports of a TCP packet, the same in both directions."""
    if frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
        return None
    start = 14 + 4 * (frame[14] & 15)
    ends = frame[26:30] + frame[start : start + 2], frame[30:34] + frame[start + 2 : start + 4]
    return min(ends) + max(ends)


def finish_packets(interface: str) -> None:
    """Have the kernel compute checksums, and split what is long, before a packet leaves the interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for offload in _OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", offload, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
            except OSError as error:
                print(f"{interface}: offload {offload:#x} stays on: {error}", file=sys.stderr)


if __name__ == "__main__":
    finish_packets(sys.argv[1])
