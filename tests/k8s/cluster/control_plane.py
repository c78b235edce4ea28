"""A control plane on this machine: etcd, API server, controllers and scheduler, with nodes and pods that kwok plays.

Nothing runs in its pods. What is real is all that decides: admission, scheduling, roll-outs, evictions, Jobs.
"""

import contextlib
import os
import secrets
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from k8s.cluster.build import Built

_PATIENCE_SECONDS = 120


@contextlib.contextmanager
def control_plane(built: Built, folder: Path) -> Iterator[Path]:
    """Runs one, with its files in a folder of its own; gives the path of its kubeconfig."""
    with contextlib.ExitStack() as stack:
        plane = _Plane(built, folder, stack)
        plane.start()
        yield plane.kubeconfig


class _Plane:
    def __init__(self, built: Built, folder: Path, stack: contextlib.ExitStack) -> None:
        self._built, self._folder, self._stack = built, folder, stack
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
            # Otherwise it looks for a default route, which a machine without a network does not have.
            "--advertise-address=127.0.0.1",
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
        self._run(
            "kube-controller-manager",
            *common,
            f"--service-account-private-key-file={key}",
            # By default a node that is silent for 50 s is lost, and its pods are not ready any more: on a machine with
            # much else to do kwok is silent for longer.
            "--node-monitor-grace-period=1h",
        )
        self._run("kube-scheduler", *common)
        stages = folder / "stages.yaml"
        stages.write_text(yaml.safe_dump_all(self._built.stages))
        self._run("kwok", f"--kubeconfig={self.kubeconfig}", "--manage-all-nodes=true", f"--config={stages}")

    def _run(self, component: str, *flags: str) -> None:
        log = self._stack.enter_context((self._folder / f"{component}.log").open("wb"))
        # kwok would read the configuration of the user's own.
        environment = {**os.environ, "HOME": str(self._folder)}
        process = subprocess.Popen(
            [self._built.program, component, *flags], cwd=self._folder, env=environment, stdout=log, stderr=log
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


def _free_ports(number: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [held.getsockname()[1] for held in taken]
