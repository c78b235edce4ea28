"""The work of the cpu overlay's pod, done here: its init container, its configuration, its arguments, its probes.

The embedded engine takes what of them has a meaning for it; where tensorflow_model_server is installed, that takes all.
"""

import contextlib
import dataclasses
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from hubserve import Client
from hubserve_serve import EmbeddedServer
from k8s.embedded import PARSERS
from k8s.manifests import Manifest, Manifests, Pod, flags, with_components
from serve.toys import model_dir, save_toy
from support.photographs import CHELSEA

_PATIENCE_SECONDS = 120
_PROGRAM = "tensorflow_model_server"


@dataclasses.dataclass(frozen=True)
class Running:
    """A pod that runs; `http` is None where the engine has no REST."""

    container: Manifest
    grpc: str
    http: str | None


@dataclasses.dataclass(frozen=True)
class Node:
    """A folder that stands for a pod's file system."""

    root: Path
    build: Manifests
    pod: Pod
    container: Manifest

    def path(self, inside: str) -> Path:
        return self.root / inside.lstrip("/")

    def init(self, image: Path) -> None:
        """Runs the init container, with the image's model below `image`."""
        self.path("/models").mkdir()
        (copy,) = (item for item in self.pod.spec["initContainers"] if item["name"] == "model")
        program, option, source, target = copy["command"]
        subprocess.run([program, option, f"{image}{source}", f"{self.path(target)}/"], check=True)

    def configure(self) -> None:
        """Writes the files of the ConfigMaps that are mounted."""
        for volume in self.pod.spec["volumes"]:
            for mount in self.container["volumeMounts"]:
                if "configMap" in volume and mount["name"] == volume["name"]:
                    folder = self.path(mount["mountPath"])
                    folder.mkdir(parents=True)
                    for name, text in self.build.one("ConfigMap", volume["configMap"]["name"])["data"].items():
                        (folder / name).write_text(text.replace('"/models/', f'"{self.path("/models")}/'))

    def file(self, flag: str) -> str:
        return self.path(flags(self.container)[flag]).read_text()


@contextlib.contextmanager
def embedded(node: Node) -> Iterator[Running]:
    (model,) = PARSERS["model_config_file"](node.file("model_config_file")).model_config_list.config
    versions = list(model.model_version_policy.specific.versions)
    session_config = flags(node.container).get("tensorflow_session_config_file")
    with EmbeddedServer(
        model.base_path,
        name=model.name,
        version=versions,
        session_config=session_config and node.path(session_config),
    ) as server:
        yield Running(node.container, server.target, None)


@contextlib.contextmanager
def binary(node: Node) -> Iterator[Running]:
    if shutil.which(_PROGRAM) is None:
        pytest.skip(f"{_PROGRAM} is not installed")
    given = flags(node.container)
    ports = {name: free_port() for name in ("port", "rest_api_port")}
    arguments = [
        f"--{name}={ports.get(name) or (node.path(value) if name.endswith('_file') else value)}"
        for name, value in given.items()
    ]
    with subprocess.Popen([_PROGRAM, *arguments]) as process:
        try:
            running = Running(
                node.container, f"127.0.0.1:{ports['port']}", f"http://127.0.0.1:{ports['rest_api_port']}"
            )
            wait_until(lambda: answers(running, "startupProbe"))
            yield running
        finally:
            process.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


def wait_until(holds) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def answers(running: Running, probe: str) -> bool:
    """Asks what the kubelet would ask."""
    handler = running.container[probe]
    if "grpc" in handler:
        request = health_pb2.HealthCheckRequest(service=handler["grpc"].get("service", ""))
        with grpc.insecure_channel(running.grpc) as channel:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_PATIENCE_SECONDS)
        return answer.status == health_pb2.HealthCheckResponse.SERVING
    path = handler["httpGet"]["path"]
    if running.http is None:
        # The embedded engine has no REST: what the path stands for, by gRPC.
        _, _, _, model, what = path.split("/")
        assert what == "metadata"
        with Client(running.grpc, model=model) as client:
            return "serving_default" in client.metadata().signatures
    try:
        with urllib.request.urlopen(running.http + path, timeout=_PATIENCE_SECONDS) as response:  # noqa: S310
            return response.status == 200
    except OSError:
        return False


@pytest.fixture(
    scope="module",
    params=[(embedded, ()), (embedded, ("bfloat16-cpu",)), (binary, ())],
    ids=lambda param: "-".join((param[0].__name__, *param[1])),
)
def running(request, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    engine, components = request.param
    build = with_components(*components, base="cpu")
    ((pod, container),) = build.servers()
    image, root = tmp_path_factory.mktemp("image"), tmp_path_factory.mktemp("node")
    node = Node(root, build, pod, container)
    model_dir(save_toy(tmp_path_factory.mktemp("saved") / "toy"), image / "pnasnet")
    node.init(image)
    node.configure()
    with engine(node) as server:
        yield server


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_a_probe_is_answered(running, probe):
    assert answers(running, probe)


def test_the_model_answers_by_its_name(running):
    with Client(running.grpc, model="pnasnet") as client:
        (result,) = client.classify([CHELSEA])
    assert result.error is None
    assert result.model_version == 1
