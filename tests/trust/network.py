"""A bulk classification over a failing network, between two network namespaces: every answer comes.

    PYTHONPATH=tests python -m trust.network --images 20000 --faults 7 --seed 1
    PYTHONPATH=tests python -m trust.network --images 20000 --faults 0 --restart-every 10

The client runs in one namespace, the server in another; `trust.packets` carries the packets between them, and loses,
delays, reorders or cuts them off. Needs Linux, root (CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN) and `ip`. Both
namespaces are made and removed here, and nothing else of the machine's network is touched. Ends with 1 unless every
image has exactly one answer, and the right one.
"""

import argparse
import contextlib
import itertools
import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from trust import chaos
from trust.packets import Wire

MODEL = "chaos"
PORT = 8500
_NAME = "models.test"
_NETWORK = "10.213.77."
# Of a fault, in seconds. Linux ends a connection whose packets get no answer after gRPC's keepalive timeout, 10 s.
_LASTS = 5.0
_RESTARTS = 10.0
_STEADY = "server restarted, again and again"
FAULTS = (
    "packets lost",
    "packets delayed and reordered",
    "packets cut off",
    "connections forgotten",
    "server replaced unseen",
    "address changed",
    "server restarted every 10 s",
)


def missing() -> str:
    """Return the reason why no namespace can be made here, or ""."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if shutil.which("ip") is None:
        return "the command ip is not installed (Debian: iproute2)"
    name = f"hubserve-try-{os.getpid()}"
    tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if tried.returncode != 0:
        return f"a network namespace cannot be made: {tried.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=False)
    try:
        Wire.check()
    except OSError as error:
        return f"packet sockets are not allowed here: {error}"
    return ""


_NETWORKS = itertools.count()


class Network:
    """Two namespaces with a wire between them: `with Network() as network: network.run("client", ["ip", "addr"])`."""

    def __init__(self) -> None:
        # The kernel takes a link away some time after its namespace: no two networks of a process share a name.
        number = f"{os.getpid() % 100_000}{next(_NETWORKS)}"
        self._names = {side: f"hubserve-{side}-{number}" for side in ("client", "server")}
        self._ends = {"client": f"hbc{number}", "server": f"hbs{number}"}
        self._address = 2
        self.wire: Wire

    def __enter__(self) -> "Network":
        with contextlib.ExitStack() as stack:
            for place, (side, name) in enumerate(self._names.items(), start=1):
                _ip("netns", "add", name)
                stack.callback(_ip, "netns", "del", name)
                folder = Path("/etc/netns") / name
                folder.mkdir(parents=True)
                stack.callback(shutil.rmtree, folder)
                (folder / "hosts").write_text(f"127.0.0.1 localhost\n{_NETWORK}2 {_NAME}\n")
                _ip("link", "add", self._ends[side], "type", "veth", "peer", "name", "eth0", "netns", name)
                _ip("link", "set", self._ends[side], "up")
                for command in (
                    ["ip", "link", "set", "lo", "up"],
                    ["ip", "addr", "add", f"{_NETWORK}{place}/24", "dev", "eth0"],
                    ["ip", "link", "set", "eth0", "up"],
                    [sys.executable, "-m", "trust.packets", "eth0"],
                ):
                    subprocess.run(self.inside(side, command), check=True)
            self.wire = Wire(*self._ends.values())
            stack.callback(self.wire.close)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def target(self) -> str:
        return f"dns:///{_NAME}:{PORT}"

    def inside(self, side: str, command: list[str]) -> list[str]:
        """The command that runs another one in a namespace."""
        return ["ip", "netns", "exec", self._names[side], *command]

    def change_address(self) -> None:
        """Gives the server another address, and the name with it."""
        old, self._address = self._address, self._address % 200 + 2
        # In this order: with its first address an interface loses the others of its network.
        for what, number in (("del", old), ("add", self._address)):
            subprocess.run(
                self.inside("server", ["ip", "addr", what, f"{_NETWORK}{number}/24", "dev", "eth0"]), check=True
            )
        # In place: the file is mounted into the namespace.
        with (Path("/etc/netns") / self._names["client"] / "hosts").open("r+") as hosts:
            hosts.write(f"127.0.0.1 localhost\n{_NETWORK}{self._address} {_NAME}\n")
            hosts.truncate()


class Server:
    """The server's process."""

    def __init__(self, network: Network) -> None:
        self._command = network.inside("server", [sys.executable, "-m", "trust.network_server", str(PORT)])
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def restart(self) -> None:
        self.kill()
        self.start()


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def _bring(name: str, network: Network, server: Server) -> Callable[[], None]:
    """Brings a fault about; gives what lifts it."""
    wire = network.wire
    match name:
        case "packets lost":
            wire.loss = 0.05
        case "packets delayed and reordered":
            wire.delay, wire.jitter = 0.02, 0.03
        case "packets cut off":
            wire.cut = True
        case "connections forgotten":
            wire.forget()
        case "server replaced unseen":
            # What the old one says at its end is lost: the client's connection is half open.
            wire.cut = True
            server.restart()
        case "address changed":
            network.change_address()
        case "server restarted every 10 s":
            server.restart()
    return wire.mend


def schedule(faults: int, seed: int) -> list[str]:
    """The faults in the order in which they come: each kind as often as the others."""
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    rounds = -(-faults // len(FAULTS))
    return [name for _ in range(rounds) for name in chance.sample(FAULTS, len(FAULTS))][:faults]


def run(
    *, images: int, faults: Sequence[str], folder: Path, lasts: float = _LASTS, restart_every: float | None = None
) -> chaos.Outcome:
    """Runs it all in an empty folder.

    Args:
        images: How many are classified.
        faults: What befalls the run, one after the other.
        folder: An empty one.
        lasts: Seconds of each fault.
        restart_every: Seconds after which the server is restarted, again and again until the run ends; None: never.

    Raises:
        TimeoutError: The run hung.
    """
    started = time.monotonic()
    (folder / "images").mkdir()
    right = chaos.write_images(folder / "images", images)
    outcome = chaos.Outcome(images)
    output = folder / "answers.jsonl"
    to_come = [(images * number // (len(faults) + 1), name) for number, name in enumerate(faults, start=1)]
    with Network() as network, _killed(Server(network)) as server:
        client = chaos.Classify(
            folder / "images", output, [network.target], before=network.inside("client", []), patience=3.0
        )
        with _killed(client):
            lift, until, restart_at = network.wire.mend, 0.0, 0.0
            next_restart = math.inf if restart_every is None else time.monotonic() + restart_every
            while True:
                now = time.monotonic()
                if until and now >= until:
                    lift()
                    until = 0.0
                # One fault after the other, as the run gets on.
                if not until and to_come and chaos.lines(output) >= to_come[0][0]:
                    _, name = to_come.pop(0)
                    lift, until = _bring(name, network, server), time.monotonic() + lasts
                    restart_at = until - lasts + _RESTARTS if name.startswith("server restarted") else restart_at
                    outcome.faults[name] += 1
                if restart_at and now >= restart_at and not network.wire.cut:
                    server.restart()
                    outcome.faults["server restarted once more"] += 1
                    restart_at = 0.0 if outcome.faults["server restarted once more"] % 2 == 0 else now + _RESTARTS
                if restart_every is not None and now >= next_restart and not network.wire.cut:
                    server.restart()
                    outcome.faults[_STEADY] += 1
                    next_restart += restart_every
                if (code := client.ended()) is not None:
                    if code == 0:
                        break
                    # 1: some images got no answer, and are asked for again.
                    assert code == 1, f"hubserve classify ended with {code}"
                    client.start()
                if time.monotonic() - started > chaos.PATIENCE:
                    raise TimeoutError(f"{chaos.lines(output)} of {images} images after {chaos.PATIENCE:g} s")
                time.sleep(0.05)
        outcome.client_runs = client.starts
        outcome.packets = network.wire.counts()
    chaos.judge(outcome, right, output)
    outcome.seconds = time.monotonic() - started
    return outcome


@contextlib.contextmanager
def _killed(process) -> Iterator:
    try:
        yield process
    finally:
        process.kill()


def main() -> int:
    """Runs it, and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--faults", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--restart-every",
        type=float,
        metavar="SECONDS",
        help="restart the server so often, for as long as the run lasts",
    )
    arguments = parser.parse_args()
    if reason := missing():
        print(f"not run: {reason}")
        return 0
    with TemporaryDirectory() as folder:
        outcome = run(
            images=arguments.images,
            faults=schedule(arguments.faults, arguments.seed),
            folder=Path(folder).resolve(),
            restart_every=arguments.restart_every,
        )
    print(outcome)
    return 0 if outcome.whole else 1


if __name__ == "__main__":
    sys.exit(main())
