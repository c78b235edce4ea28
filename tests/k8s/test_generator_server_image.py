"""`hubserve manifests` chooses a server image that can load the model."""

from pathlib import Path

import pytest

from k8s.generated import build, run
from k8s.models import PNASNET, write_model


def images(output: Path, overlay: str) -> set[str]:
    pods = [item["spec"]["template"]["spec"] for item in build(output, overlay).objects if item["kind"] == "Deployment"]
    return {
        container["image"]
        for pod in pods
        for container in (*pod["containers"], *pod.get("initContainers", ()))
        if "serving" in container["image"]
    }


@pytest.mark.parametrize(
    ("tensorflow", "release"), [("", "2.20.0"), ("2.19.1", "2.20.0"), ("2.20.0", "2.20.0"), ("2.21.0", "2.21.0")]
)
@pytest.mark.parametrize(("gpu", "overlay", "ending"), [("1", "gpu", "-gpu"), ("none", "cpu", "")])
def test_the_servers_image_follows_the_tensorflow_that_exported_the_model(
    tmp_path, tensorflow, release, gpu, overlay, ending
):
    model = write_model(tmp_path / "m", PNASNET | {"tensorflow": tensorflow})
    result = run(model, tmp_path / "out", "--gpu", gpu)
    assert result.exit_code == 0, result.output
    assert images(tmp_path / "out", overlay) == {f"tensorflow/serving:{release}{ending}"}
    warned = "Warning: the model was exported with TensorFlow 2.21.0, so the server is tensorflow/serving:2.21.0, which"
    assert (warned in result.stderr) == (tensorflow == "2.21.0")


@pytest.mark.parametrize(
    "image", ["tensorflow/serving:2.20.0-gpu", "registry.example.com/serving:2.19.1", "mine/serving:v2.20"]
)
def test_a_server_that_is_older_than_the_model_is_refused(tmp_path, image):
    model = write_model(tmp_path / "m", PNASNET | {"tensorflow": "2.21.0"})
    result = run(model, tmp_path / "out", "--server-image", image)
    assert result.exit_code == 1
    assert f"was exported with TensorFlow 2.21.0, and --server-image {image} is TensorFlow Serving 2." in result.output
    assert "which may not load it: name a newer image, or export the model with TensorFlow 2." in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "image",
    [
        "tensorflow/serving:2.21.0-gpu",
        "registry.example.com:5000/serving:2.22.0",
        f"mine/serving@sha256:{'0' * 64}",
        "mine/serving:stable",
    ],
)
@pytest.mark.parametrize(("gpu", "overlay"), [("1", "gpu"), ("none", "cpu")])
def test_a_server_of_ones_own_is_taken_where_it_is_new_enough(tmp_path, image, gpu, overlay):
    model = write_model(tmp_path / "m", PNASNET | {"tensorflow": "2.21.0"})
    result = run(model, tmp_path / "out", "--server-image", image, "--gpu", gpu)
    assert result.exit_code == 0, result.output
    assert images(tmp_path / "out", overlay) == {image}
    unknown = "@" in image or "stable" in image
    assert (
        f"the release of {image} is not known: it must not be older than TensorFlow 2.21.0" in result.stderr
    ) == unknown


def test_a_model_of_an_unknown_tensorflow_is_refused_without_a_server(tmp_path):
    model = write_model(tmp_path / "m", PNASNET | {"tensorflow": "2.22.0"})
    result = run(model, tmp_path / "out")
    assert result.exit_code == 1
    assert (
        "hubserve knows TensorFlow Serving up to 2.21.0: name an image of that release with --server-image"
        in result.output
    )
    assert not (tmp_path / "out").exists()


def test_the_newest_of_two_served_versions_counts(tmp_path):
    model = write_model(tmp_path / "m", PNASNET | {"tensorflow": "2.20.0"}, 1)
    write_model(model, PNASNET | {"tensorflow": "2.21.0"}, 2)
    result = run(model, tmp_path / "out", "--with", "canary")
    assert result.exit_code == 0, result.output
    assert images(tmp_path / "out", "gpu") == {"tensorflow/serving:2.21.0-gpu"}


def test_a_server_image_that_floats_is_refused(tmp_path):
    result = run(write_model(tmp_path / "m", PNASNET), tmp_path / "out", "--server-image", "tensorflow/serving")
    assert (result.exit_code, "--server-image tensorflow/serving floats" in result.output) == (2, True)
