"""Someone new deploys the demo's model by what k8s/README.md says, and nothing else."""

import dataclasses
import os
import re
import sys
from pathlib import Path

import pytest

from k8s.cluster.kubectl import Cluster
from k8s.manifests import K8S
from support.guide import Reader, blocks

_PAGE = K8S / "README.md"
# Plays Docker and the registry, which the tests do not have, and notes each call.
_DOCKER = """#!{python}
import pathlib, sys
words = sys.argv[1:]
pathlib.Path("{notes}").open("a").write(" ".join(words) + "\\n")
if words[0] == "build":
    dockerfile = pathlib.Path(words[words.index("--file") + 1])
    context = pathlib.Path(words[-1])
    for line in dockerfile.read_text().splitlines():
        if line.startswith("COPY "):
            assert (context / line.split()[-2]).is_dir(), line
"""


@pytest.fixture
def newcomer(own_cluster: Cluster, tmp_path: Path, lite0_dir: Path) -> tuple[Reader, Path]:
    """A reader in an empty folder with the demo's model, and what is noted of their calls of docker."""
    (tmp_path / "demo" / "models").mkdir(parents=True)
    (tmp_path / "demo" / "models" / "efficientnet-lite0").symlink_to(lite0_dir, target_is_directory=True)
    tools, notes = tmp_path / "tools", tmp_path / "notes"
    tools.mkdir()
    (tools / "docker").write_text(_DOCKER.format(python=sys.executable, notes=notes))
    (tools / "docker").chmod(0o755)
    path = os.pathsep.join([str(tools), str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {"KUBECONFIG": str(own_cluster.kubeconfig), "PATH": path}
    # hubserve is installed already: it is what is tested.
    return Reader(tmp_path, {"pip install hubserve\n": ""}, environment), notes


def test_the_page_is_enough_to_deploy_the_demos_model(own_cluster, newcomer, tmp_path):
    reader, notes = newcomer
    (commands,) = (block for block in blocks(_PAGE) if "hubserve manifests" in block.text)
    try:
        with reader:
            reader.follow([dataclasses.replace(commands, mark=None)])
            at = own_cluster.at("pets", "efficientnet-lite0")
            (pod,) = at.ready_pods()
            spec = pod["spec"]
            (model,) = (item for item in spec["initContainers"] if item["name"] == "model")
            # The image that was built and pushed is the one that runs.
            built, pushed = notes.read_text().splitlines()
            assert re.search(rf"--tag {re.escape(model['image'])} ", built)
            assert pushed == f"push {model['image']}"
            assert model["command"] == ["cp", "-R", "/efficientnet-lite0", "/models/"]
            (server,) = spec["containers"]
            assert server["readinessProbe"]["httpGet"]["path"] == "/v1/models/efficientnet-lite0/metadata"
            for folder in ("load-test", "bulk-job"):
                at.run("apply", "--dry-run=server", "-k", tmp_path / "deploy" / "jobs" / folder)
            at.run("delete", "-k", tmp_path / "deploy" / "overlays" / "gpu")
            at.until("no pod", lambda: not at.pods())
            assert at.get("namespace", "pets")["status"]["phase"] == "Active"
    finally:
        own_cluster.run("delete", "namespace", "pets", "--ignore-not-found")
