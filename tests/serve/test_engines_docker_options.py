"""The real command docker reads our command line: it connects to a socket in place of its daemon."""

import http.server
import json
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hubserve_serve._engines._docker import docker_run, docker_version

pytestmark = pytest.mark.skipif(not shutil.which("docker"), reason="the command docker is not here")


class Daemon(socketserver.ThreadingUnixStreamServer):
    """Take the request to create a container, and refuse it."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _Handler)
        self.created: list[dict[str, object]] = []


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Daemon

    def do_HEAD(self) -> None:
        self._answer(200, {})

    def do_GET(self) -> None:
        self._answer(200, {})

    def do_POST(self) -> None:
        self.server.created.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer(409, {"message": "enough"})

    def _answer(self, code: int, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Api-Version", "1.43")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self) -> str:
        # The base class looks up an IP address for a log that is not used here.
        return "unix"

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("d") / "s") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(daemon: Daemon, command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = {"DOCKER_HOST": f"unix://{daemon.server_address}", "HOME": "/nowhere"}
    program = [str(shutil.which("docker")), *command[1:]]
    return subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_container_is_the_one_that_was_meant(daemon: Daemon) -> None:
    mounts = {"/model": '/a,b "c":d', "/etc/hubserve": "/here"}
    flags = ["--port=8500", "--model_config_file=/etc/hubserve/models.config"]
    done = run(daemon, docker_run("serving:2.20.0-gpu", "hubserve-1", "127.0.0.1:8600", mounts, flags))
    assert "enough" in done.stderr
    (container,) = daemon.created
    assert (container["Image"], container["Entrypoint"], container["Cmd"]) == (
        "serving:2.20.0-gpu",
        ["tensorflow_model_server"],
        flags,
    )
    host = container["HostConfig"]
    assert (host["AutoRemove"], host["Init"]) == (True, True)
    assert host["PortBindings"] == {"8500/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8600"}]}
    assert [(mount["Type"], mount["Source"], mount["Target"], mount["ReadOnly"]) for mount in host["Mounts"]] == [
        ("bind", '/a,b "c":d', "/model", True),
        ("bind", "/here", "/etc/hubserve", True),
    ]
    assert host["DeviceRequests"][0]["Count"] == -1


def test_asking_for_the_version_gives_the_gpus_too(daemon: Daemon) -> None:
    for image in ("serving:2.20.0-gpu", "serving:2.20.0"):
        run(daemon, docker_version(image))
    with_gpus, without = daemon.created
    assert with_gpus["Cmd"] == without["Cmd"] == ["--version"]
    assert with_gpus["HostConfig"]["DeviceRequests"][0]["Count"] == -1
    assert not without["HostConfig"]["DeviceRequests"]


def test_an_ipv6_address_and_no_gpus(daemon: Daemon) -> None:
    run(daemon, docker_run("serving:2.20.0", "hubserve-1", "[::1]:8600", {}, []))
    (container,) = daemon.created
    host = container["HostConfig"]
    assert host["PortBindings"] == {"8500/tcp": [{"HostIp": "::1", "HostPort": "8600"}]}
    assert not host["DeviceRequests"]
