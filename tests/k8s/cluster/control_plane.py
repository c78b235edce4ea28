"""A control plane on this machine: etcd, API server, controllers and scheduler, with nodes and pods that kwok plays.

Nothing runs in its pods. What is real is all that decides: admission, scheduling, roll-outs, evictions, Jobs.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_SOURCES = Path(__file__).parent
_PATIENCE_SECONDS = 120
# The tests play the kubelet for pods with this label, to let them fail as they want.
HANDS_OFF = "hubserve-test-by-hand"
# What kwok does with nodes and pods is in files of its own module: all goes well, at once.
_NODE_STAGES = ("node/fast/node-initialize.yaml", "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml")
_POD_STAGES = ("pod/fast/pod-ready.yaml", "pod/fast/pod-complete.yaml", "pod/fast/pod-delete.yaml")


def program() -> Path:
    """The control plane's program, built from its Go modules when it has not been yet; that takes many minutes."""
    sources = b"".join((_SOURCES / name).read_bytes() for name in ("go.mod", "go.sum", "main.go"))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hubserve"
    file = cache / f"control-plane-{hashlib.sha256(sources).hexdigest()[:16]}"
    if not file.exists():
        print(f"building {file} from Kubernetes' own modules: this takes many minutes, once", file=sys.stderr)
        cache.mkdir(parents=True, exist_ok=True)
        new = file.with_suffix(f".{os.getpid()}")
        # Kubernetes' own build writes its version so; clients ask for it.
        version = re.search(rb"k8s.io/kubernetes v(\d+)\.(\d+)\.\d+", sources)
        assert version
        written = {"gitMajor": version[1], "gitMinor": version[2], "gitVersion": version[0].split()[1]}
        stamps = [f"-X k8s.io/component-base/version.{name}={value.decode()}" for name, value in written.items()]
        flags = ["-buildvcs=false", f"-ldflags=-s -w {' '.join(stamps)}"]
        build = ["go", "build", *flags, "-o", str(new), "."]
        subprocess.run(build, cwd=_SOURCES, check=True)
        new.rename(file)
    return file


def can_be_built() -> bool:
    return shutil.which("go") is not None


@contextlib.contextmanager
def control_plane(folder: Path) -> Iterator[Path]:
    """Runs one; gives the path of its kubeconfig."""
    binary = program()
    with contextlib.ExitStack() as stack:
        plane = _Plane(binary, folder, stack)
        plane.start()
        yield plane.kubeconfig


class _Plane:
    def __init__(self, binary: Path, folder: Path, stack: contextlib.ExitStack) -> None:
        self._binary, self._folder, self._stack = binary, folder, stack
        self._etcd, self._peer, self._api = (f"127.0.0.1:{port}" for port in _free_ports(3))
        self._token = secrets.token_hex()
        self.kubeconfig = folder / "kubeconfig"

    def start(self) -> None:
        folder, etcd = self._folder, f"http://{self._etcd}"
        key = folder / "service-accounts.key"
        key.write_bytes(
            rsa.generate_private_key(65537, 2048).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
        )
        tokens = folder / "tokens.csv"
        tokens.write_text(f"{self._token},admin,admin,system:masters\n")
        self._run(
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            f"--listen-peer-urls=http://{self._peer}",
            "--unsafe-no-fsync",
        )
        self._run(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._api.rpartition(':')[2]}",
            f"--cert-dir={folder / 'certificates'}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/24",
            # Otherwise only the address of a machine that serves others can be its own.
            "--endpoint-reconciler-type=none",
        )
        self._write_kubeconfig()
        self._wait()
        common = [f"--kubeconfig={self.kubeconfig}", "--leader-elect=false", "--secure-port=0"]
        self._run("kube-controller-manager", *common, f"--service-account-private-key-file={key}")
        self._run("kube-scheduler", *common)
        self._run(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes=true",
            f"--config={_stages(folder)}",
        )

    def _run(self, component: str, *flags: str) -> None:
        log = self._stack.enter_context((self._folder / f"{component}.log").open("wb"))
        # kwok would read the configuration of the user's own.
        environment = {**os.environ, "HOME": str(self._folder)}
        process = subprocess.Popen(
            [self._binary, component, *flags], cwd=self._folder, env=environment, stdout=log, stderr=log
        )
        self._stack.callback(process.wait)
        self._stack.callback(process.kill)

    def _write_kubeconfig(self) -> None:
        cluster = {"server": f"https://{self._api}", "insecure-skip-tls-verify": True}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self._token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
            "current-context": "test",
        }
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def _wait(self) -> None:
        # Its certificate is its own, made just now.
        context = ssl._create_unverified_context()  # noqa: S323
        request = urllib.request.Request(
            f"https://{self._api}/readyz", headers={"Authorization": f"Bearer {self._token}"}
        )
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                opener.open(request, timeout=5).close()
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    log = (self._folder / "kube-apiserver.log").read_text(errors="replace")
                    raise TimeoutError(f"the API server did not come up ({error}):\n{log[-2000:]}") from error
                time.sleep(0.2)


def _stages(folder: Path) -> Path:
    """Writes what kwok does, except that pods with the label HANDS_OFF neither get ready nor complete by themselves."""
    command = ["go", "mod", "download", "-json", "sigs.k8s.io/kwok"]
    module = json.loads(subprocess.run(command, cwd=_SOURCES, stdout=subprocess.PIPE, check=True).stdout)["Dir"]
    stages = [
        yaml.safe_load(Path(module, "kustomize", "stage", name).read_text()) for name in (*_NODE_STAGES, *_POD_STAGES)
    ]
    for stage in stages:
        if stage["metadata"]["name"] in ("pod-ready", "pod-complete"):
            label = {"key": f'.metadata.labels["{HANDS_OFF}"]', "operator": "DoesNotExist"}
            stage["spec"]["selector"]["matchExpressions"].append(label)
    file = folder / "stages.yaml"
    file.write_text(yaml.safe_dump_all(stages))
    return file


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [held.getsockname()[1] for held in taken]
