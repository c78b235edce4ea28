"""The images, built by buildah where it is installed: no daemon, and no network except for a base image."""

import contextlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from k8s.generated import written
from k8s.manifests import K8S, ROOT, kustomize, load
from k8s.models import CATS_DOGS, PNASNET, write_model

_BASE = "docker.io/library/busybox:1.37.0"
_PATIENCE_SECONDS = 600


class Buildah:
    """buildah with a storage of its own, so that nothing of the machine's is touched."""

    def __init__(self, folder: Path) -> None:
        self._words = ["buildah", "--storage-driver", "vfs", "--root", f"{folder}/root", "--runroot", f"{folder}/run"]

    def try_(self, *words: object) -> subprocess.CompletedProcess[str]:
        command = [*self._words, *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_SECONDS)

    def run(self, *words: object) -> str:
        done = self.try_(*words)
        assert done.returncode == 0, f"buildah {' '.join(map(str, words))}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def build(self, dockerfile: Path, context: Path, tag: str, *options: str) -> None:
        platform = ("--platform", "linux/amd64")
        self.run("build", "--isolation", "chroot", *platform, *options, "--file", dockerfile, "--tag", tag, context)

    def config(self, tag: str) -> dict:
        return json.loads(self.run("inspect", "--type", "image", tag))["OCIv1"]

    def files(self, tag: str, folder: Path) -> dict[str, tarfile.TarInfo]:
        """Return the files of an image, by their paths."""
        self.run("push", tag, f"dir:{folder}")
        layers = json.loads((folder / "manifest.json").read_text())["layers"]
        found: dict[str, tarfile.TarInfo] = {}
        for layer in layers:
            with tarfile.open(folder / layer["digest"].partition(":")[2]) as archive:
                found |= {f"/{member.name.strip('/')}": member for member in archive if member.isfile()}
        return found


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory):
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed (Debian's package buildah)")
    folder = tmp_path_factory.mktemp("buildah")
    found = Buildah(folder)
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    tried = found.try_("build", "--isolation", "chroot", "--file", folder / "Dockerfile", folder)
    if tried.returncode:
        pytest.skip(f"buildah cannot build here: {tried.stderr.strip().splitlines()[-1]}")
    yield found
    with contextlib.suppress(subprocess.SubprocessError):
        found.try_("rmi", "--all", "--force")


@pytest.fixture(scope="module")
def base(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The base image of a model's image. Where no registry can be reached, an empty one stands for it."""
    if buildah.try_("pull", "--quiet", "--retry", "0", _BASE).returncode:
        folder = tmp_path_factory.mktemp("base")
        (folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /from-scratch\n")
        buildah.build(folder / "Dockerfile", folder, _BASE)


def model_with_files(folder: Path, facts: dict, *versions: int) -> Path:
    """A model directory whose files are there, however small."""
    base = write_model(folder, facts, *versions)
    for version in versions:
        (base / str(version) / "variables").mkdir()
        for name in ("saved_model.pb", "variables/variables.data-00000-of-00001", "assets.extra/.hidden"):
            (base / str(version) / name).write_bytes(b"x")
    return base


@pytest.mark.usefixtures("base")
@pytest.mark.parametrize(("name", "facts"), [("pnasnet", PNASNET), ("cats-dogs", CATS_DOGS)])
def test_a_models_image_holds_what_is_served(buildah, tmp_path, name, facts):
    # The folder may be anywhere, such as demo/models, and holds versions that are not served.
    model = model_with_files(tmp_path / "demo" / "models" / name, facts, 1, 2, 3)
    output = written(model, tmp_path / "out", "--with", "canary", "--version", "2")
    buildah.build(output / "model.Dockerfile", model, f"{name}-model:2", "--pull=never")
    config = buildah.config(f"{name}-model:2")
    assert (config["architecture"], config["os"]) == ("amd64", "linux")
    assert config["config"]["User"] == "10001:10001"
    found = buildah.files(f"{name}-model:2", tmp_path / "image")
    ours = {path: info for path, info in found.items() if path.startswith(f"/{name}/")}
    there = {f"/{name}/{file.relative_to(model)}" for file in model.rglob("*") if file.is_file()}
    assert set(ours) == {path for path in there if path.split("/")[2] in ("2", "3")}
    assert {(info.uid, info.gid) for info in ours.values()} == {(10001, 10001)}
    ((pod, _),) = load(kustomize(output / "overlays" / "gpu")).servers()
    (init,) = (item for item in pod.spec["initContainers"] if item["name"] == "model")
    assert init["command"] == ["cp", "-R", f"/{name}", "/models/"]


@pytest.mark.usefixtures("base")
def test_the_repositorys_file_builds_too(buildah, tmp_path):
    model = model_with_files(tmp_path / "pnasnet", PNASNET, 1)
    buildah.build(K8S / "model.Dockerfile", model, "pnasnet-model:1", "--pull=never")
    assert "/pnasnet/1/saved_model.pb" in buildah.files("pnasnet-model:1", tmp_path / "image")


@pytest.mark.slow
@pytest.mark.parametrize(("target", "command"), [("client", "classify"), ("export", "export")])
def test_the_images_of_the_command_are_built_and_run(buildah, target, command):
    if done := buildah.try_("pull", "--quiet", "--retry", "0", "docker.io/library/python:3.12-slim").returncode:
        pytest.skip(f"the base image python:3.12-slim cannot be pulled here (buildah ended with {done})")
    buildah.build(ROOT / "Dockerfile", ROOT, f"hubserve-{target}:1", "--target", target, "--network", "host")
    container = buildah.run("from", f"hubserve-{target}:1").strip()
    said = buildah.run("run", "--isolation", "chroot", container, "--", "hubserve", command, "--help")
    assert "Usage: hubserve" in said
