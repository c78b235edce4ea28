"""The arguments for TensorFlow Serving and Docker: every flag is real, and every value arrives unchanged."""

import csv
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from hubserve_model.server_flags import FIRST_RELEASE, flag_name, unknown_flags
from hubserve_serve import ModelDirectoryError
from hubserve_serve._engines._command_line import config_files, model_server_flags
from hubserve_serve._engines._description import ServerDescription, describe
from hubserve_serve._engines._docker import docker_run

BATCHING = "max_batch_size { value: 32 }"


def flags(description: ServerDescription) -> list[str]:
    return model_server_flags(description, listen=["--port=8500"], model_dir="/model", config_dir="/config")


def models_config(description: ServerDescription) -> model_server_config_pb2.ModelConfig:
    text = config_files(description, model_dir=str(description.model_dir))["models.config"]
    (model,) = text_format.Parse(text, model_server_config_pb2.ModelServerConfig()).model_config_list.config
    return model


def everything(toy_dir: Path) -> ServerDescription:
    """A description that needs every flag."""
    for version in ("1", "3"):
        (toy_dir / version / "batching_params.pbtxt").write_text(BATCHING)
    file = toy_dir / "session.pbtxt"
    file.write_text(
        "intra_op_parallelism_threads: 3 inter_op_parallelism_threads: 2 gpu_options { "
        "per_process_gpu_memory_fraction: 0.5 } graph_options { optimizer_options { global_jit_level: ON_2 } }"
    )
    return describe(toy_dir, versions=[1, 3], labels={"stable": 1}, session_config=str(file), max_threads=96)


def test_a_plain_model(toy_dir: Path) -> None:
    assert flags(describe(toy_dir)) == [
        "--port=8500",
        "--model_config_file=/config/models.config",
        "--enable_batching=true",
        "--enable_per_model_batching_parameters=true",
        "--enable_grpc_healthcheck_service=true",
        "--enable_profiler=false",
        "--max_num_load_retries=0",
        "--grpc_max_threads=1024",
    ]


def test_everything_that_a_description_can_ask_for(toy_dir: Path) -> None:
    plain = flags(describe(toy_dir))
    assert [flag for flag in flags(everything(toy_dir)) if flag not in plain] == [
        "--grpc_max_threads=96",
        "--allow_version_labels_for_unavailable_models=true",
        "--batching_parameters_file=/model/3/batching_params.pbtxt",
        "--tensorflow_session_config_file=/config/session.pbtxt",
        "--tensorflow_intra_op_parallelism=3",
        "--tensorflow_inter_op_parallelism=2",
        "--per_process_gpu_memory_fraction=0.5",
        "--xla_gpu_compilation_enabled=true",
    ]


def test_every_flag_is_one_that_the_newest_release_knows(toy_dir: Path) -> None:
    assert unknown_flags([*flags(everything(toy_dir)), "--grpc_socket_path=x"], (2, 20, 0)) == {}


def test_the_list_of_flags_is_that_of_the_newest_release() -> None:
    assert len(FIRST_RELEASE) == 48
    assert max(FIRST_RELEASE.values()) <= (2, 20, 0)


def test_a_flag_is_unknown_before_its_first_release_and_a_misspelt_one_always() -> None:
    arguments = ["--enable_grpc_healthcheck_service=true", "--port=1", "--enable_bacthing"]
    assert unknown_flags(arguments, (2, 15, 0)) == {
        "enable_grpc_healthcheck_service": (2, 15, 1),
        "enable_bacthing": None,
    }
    assert unknown_flags(arguments, (2, 15, 1)) == {"enable_bacthing": None}


@pytest.mark.parametrize("name", ["shipped", "quotes \" ' and \\ and {", "line\nbreak", "größe 模型", "a=b,c:d"])
def test_names_and_paths_arrive_as_they_are(toy_dir: Path, name: str) -> None:
    moved = toy_dir.rename(toy_dir.with_name(name))
    model = models_config(describe(moved))
    assert (model.name, model.base_path, model.model_platform) == (name, str(moved), "tensorflow")


def test_a_folder_given_by_a_relative_path_arrives_whole(toy_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(toy_dir / "1")
    model = models_config(describe(Path("..")))
    assert (model.name, model.base_path) == ("toy", str(toy_dir))


def test_the_newest_version_is_followed_unless_versions_are_named_or_labelled(toy_dir: Path) -> None:
    assert not models_config(describe(toy_dir)).HasField("model_version_policy")
    named = models_config(describe(toy_dir, versions=[3, 1], labels={"stable": 1, "can'ary": 3}))
    assert list(named.model_version_policy.specific.versions) == [1, 3]
    assert dict(named.version_labels) == {"stable": 1, "can'ary": 3}
    # A label would come to name a version that is not served any more.
    labelled = models_config(describe(toy_dir, labels={"stable": 3}))
    assert list(labelled.model_version_policy.specific.versions) == [3]


def test_a_label_for_a_version_that_is_not_served_is_refused(toy_dir: Path) -> None:
    with pytest.raises(ModelDirectoryError, match=r"the label stable names version 1, which is not served: .* \(3\)"):
        describe(toy_dir, labels={"stable": 1})


def test_batching_parameters_that_only_the_server_can_use_are_left_to_it(toy_dir: Path) -> None:
    (toy_dir / "3" / "batching_params.pbtxt").write_text("pad_variable_length_inputs: true")
    assert "--batching_parameters_file=/model/3/batching_params.pbtxt" in flags(describe(toy_dir))


def test_a_container_sees_the_model_and_the_config_and_can_change_neither() -> None:
    command = docker_run("image:1", "name", "127.0.0.1:85", {"/model": '/a,b "c":d', "/etc/hubserve": "/here"}, ["-f"])
    mounts = [next(csv.reader([item.removeprefix("--mount=")])) for item in command if item.startswith("--mount=")]
    assert mounts == [
        ["type=bind", 'source=/a,b "c":d', "target=/model", "readonly"],
        ["type=bind", "source=/here", "target=/etc/hubserve", "readonly"],
    ]
    assert [item for item in command if not item.startswith("--mount=")] == [
        "docker",
        "run",
        "--rm",
        "--pull=never",
        "--name=name",
        "--init",
        "--publish=127.0.0.1:85:8500",
        "--entrypoint=tensorflow_model_server",
        "image:1",
        "-f",
    ]


@pytest.mark.parametrize(
    ("image", "has_gpus"),
    [
        ("tensorflow/serving:2.20.0-gpu", True),
        ("registry:5000/serving:2.20.0-gpu@sha256:00", True),
        ("tensorflow/serving:2.20.0", False),
        ("my-gpu/serving:2.20.0", False),
    ],
)
def test_an_image_for_gpus_gets_them(image: str, has_gpus: bool) -> None:
    assert ("--gpus=all" in docker_run(image, "name", "127.0.0.1:1", {}, [])) == has_gpus


def test_flag_names_are_distinguished_from_their_values() -> None:
    assert [flag_name(argument) for argument in ("--a=b=c", "--a")] == ["a", "a"]
