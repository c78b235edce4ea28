import json
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hubserve_serve.command import serve
from serve.calls import PATIENCE, calling, request, status_request
from serve.stand_ins.machine import Machine
from serve.toys import model_dir
from support.processes import serving


def refusal(*arguments: object) -> str:
    result = CliRunner().invoke(serve, ["--engine", "embedded", *map(str, arguments)])
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    return result.stderr.splitlines()[-1]


def python(code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_folder_that_is_not_there(tmp_path):
    assert refusal(tmp_path / "nope") == (
        f"Error: there is no folder {tmp_path / 'nope'}: give the model's base folder, which holds its versions"
    )


def test_a_folder_without_versions(tmp_path):
    (tmp_path / ".tmp-1").mkdir()
    (tmp_path / "7").touch()
    assert refusal(tmp_path) == (
        f"Error: {tmp_path} does not hold versions (folders named by integers): give the model's base folder, "
        f"or export a model into it with: hubserve export --output {tmp_path}"
    )


def test_a_folder_of_models_is_answered_with_the_models_in_it(toy, tmp_path):
    base = model_dir(toy, tmp_path / "toy", 12)
    assert (
        refusal(tmp_path) == f"Error: {tmp_path} holds models (toy), and no version: give one of them, such as {base}"
    )


def test_a_version_folder_in_place_of_the_base_folder(toy, tmp_path):
    base = model_dir(toy, tmp_path / "toy", 12)
    assert refusal(base / "12") == (
        f"Error: {base / '12'} is one version of a model: give the model's base folder above it, {base}"
    )


def test_a_saved_model_without_a_version(toy):
    assert refusal(toy) == (
        f"Error: {toy} is a SavedModel without a version: move what it holds into a folder named by an integer "
        f"({toy / '1'}), then give {toy}"
    )


def test_a_version_without_a_graph(tmp_path):
    (tmp_path / "4").mkdir()
    assert refusal(tmp_path) == (
        f"Error: {tmp_path / '4'} does not hold saved_model.pb, so it is not a model: "
        "export it again, or choose another version"
    )


def test_a_version_that_is_not_there(toy, tmp_path):
    base = model_dir(toy, tmp_path / "toy", 1, 3)
    assert refusal(base, "--version", 2) == (f"Error: {base} does not have version 2: choose one of 1, 3")


def test_a_port_that_is_taken(toy, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = refusal(model_dir(toy, tmp_path / "toy"), "--port", port)
    assert line == f"Error: cannot listen on 127.0.0.1:{port} (Address already in use): choose another port or host"


def test_a_host_that_is_not_this_machine(toy, tmp_path):
    line = refusal(model_dir(toy, tmp_path / "toy"), "--host", "192.0.2.1", "--port", 0)
    assert line.startswith("Error: cannot listen on 192.0.2.1:0 (")


def test_a_model_that_does_not_load(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"\xffgarbage")
    line = refusal(tmp_path, "--port", 0)
    assert line.startswith(f"Error: TensorFlow cannot load {tmp_path / '1'} (")
    assert line.endswith("): export it again")


def test_a_broken_warm_up_record(toy, tmp_path):
    base = model_dir(toy, tmp_path / "toy")
    file = base / "1" / "assets.extra" / "tf_serving_warmup_requests"
    file.parent.mkdir()
    file.write_bytes(b"no TFRecord at all")
    assert refusal(base, "--port", 0) == (
        f"Error: {file} is not a complete TFRecord file: "
        "export the model again, or remove the file to serve without warm-up"
    )


def test_an_unreadable_session_config(toy, tmp_path):
    file = tmp_path / "session.pbtxt"
    file.write_text("nonsense: 1")
    line = refusal(model_dir(toy, tmp_path / "toy"), "--session-config", file)
    assert line.startswith(f"Error: cannot read the session config {file} (")
    assert line.endswith("): give a file with a tensorflow.ConfigProto in protobuf text form")


@pytest.mark.parametrize("missing", ["tensorflow", "tensorflow_serving", "grpc_health"])
def test_without_the_extra_the_command_says_what_to_install(toy_dir, missing):
    result = python(
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"from hubserve_serve.command import serve; serve(['--engine', 'embedded', {str(toy_dir)!r}])"
    )
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == f"Error: serve needs {missing}: pip install 'hubserve[serve]'"


def test_the_engines_of_tensorflow_serving_do_without_the_extra(server, toy_dir, tmp_path):
    machine = Machine(tmp_path / "machine").install("tensorflow_model_server", backend=server.target)
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['tensorflow', 'tensorflow_serving', 'grpc_health', 'numpy']))\n"
        f"from hubserve_serve.command import serve; serve(['--engine', 'binary', '--port', '0', {str(toy_dir)!r}])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], env=machine.environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().startswith("Serving toy version 3 on ")
        process.terminate()
    assert process.returncode == 0


def test_json_says_on_one_line_what_is_served_and_where(server, toy_dir, tmp_path):
    machine = Machine(tmp_path / "machine").install("tensorflow_model_server", backend=server.target)
    with machine.starting(toy_dir, "--engine", "binary", "--port", 0, "--json") as process:
        ready = json.loads(process.stdout.readline())
        process.terminate()
        assert process.wait(60) == 0
    address, _, port = ready.pop("server").partition(":")
    engine = ready.pop("engine")
    assert (address, int(port) > 0) == ("127.0.0.1", True)
    assert engine.startswith("binary engine, TensorFlow Serving ")
    assert ready == {"model": "toy", "version": 3}


def test_a_label_without_a_version_is_a_usage_error(toy_dir):
    result = CliRunner().invoke(serve, [str(toy_dir), "--version-label", "stable"])
    assert result.exit_code == 2
    assert "'stable' is not a label with its version, such as stable=1" in result.stderr


def test_versions_and_labels_reach_callers(toy, tmp_path):
    options = ["--version", "3", "--version", "1", "--version-label", "stable=1"]
    base = model_dir(toy, tmp_path / "toy", 1, 2, 3)
    with serving(base, "--engine", "embedded", *options) as target, calling(target) as caller:
        message = request(image_bytes=[b"odd"])
        message.model_spec.version_label = "stable"
        assert caller.prediction.Predict(message, timeout=PATIENCE).model_spec.version.value == 1
        versions = caller.models.GetModelStatus(status_request(), timeout=PATIENCE).model_version_status
        assert sorted(version.version for version in versions) == [1, 3]


def test_help_has_an_example_and_does_not_wait_for_tensorflow():
    result = python(
        "import sys\n"
        "from hubserve_serve.command import serve\n"
        "try: serve(['--help'])\n"
        "finally: assert not {'tensorflow', 'numpy', 'grpc'} & set(sys.modules)"
    )
    assert result.returncode == 0, result.stderr
    assert "hubserve serve models/pnasnet" in result.stdout
