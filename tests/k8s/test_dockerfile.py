"""The Dockerfile makes what the manifests run. No image is built here: that needs Docker, and a network."""

import re
from pathlib import PurePosixPath

import pytest

from k8s.manifests import K8S, OVERLAYS, PARTS, ROOT, overlay, with_components

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STAGES = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)
MODEL = (K8S / "model.Dockerfile").read_text(encoding="utf-8")


def stage(name: str) -> str:
    if name == "model":
        return MODEL
    return re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[STAGES.index(name) + 1]


def test_every_image_of_ours_is_one_of_its_targets():
    builds = [overlay(name) for name in OVERLAYS] + [with_components(name) for name in PARTS]
    images = {container["image"] for build in builds for pod in build.pods() for container in pod.containers}
    ours = {
        re.sub(r"^(pnasnet|hubserve)-|:.*$", "", image)
        for image in images
        if not re.match("tensorflow/|busybox", image)
    }
    assert ours == {"model", "client", "export"}
    assert ours - {"model"} <= set(STAGES)


@pytest.mark.parametrize("target", ["model", "client", "export"])
def test_an_image_runs_as_the_user_that_the_manifests_name(target):
    ((pod, _),) = overlay("gpu").servers()
    assert f"USER {pod.spec['securityContext']['runAsUser']}:" in stage(target)


def test_the_model_is_where_the_manifests_copy_it_from():
    ((pod, _),) = overlay("gpu").servers()
    (init,) = (item for item in pod.spec["initContainers"] if item["name"] == "model")
    source, target = map(PurePosixPath, init["command"][-2:])
    assert re.findall(r"^COPY \S+ (\d+) (\S+)$", MODEL, re.MULTILINE) == [("1", f"{source}/1")]
    assert str(target / source.name) == "/models/pnasnet"


def test_what_is_copied_is_there_and_not_ignored():
    sources = {
        source
        for line in re.findall(r"^COPY (?!--from|.*\$)(.+) \S+$", DOCKERFILE, re.MULTILINE)
        for source in line.split()
    }
    let_through = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert sources == let_through
    for source in sources:
        assert (ROOT / source).exists()
