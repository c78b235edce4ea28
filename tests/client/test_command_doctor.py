"""`hubserve doctor`: it shows what is installed and what is missing, and no secret."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hubserve import __version__
from hubserve.testing import FakeServer
from hubserve_cli.diagnosis import packages
from hubserve_cli.main import main


def doctor(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments], env=environment)


def found(result: Result) -> dict[str, dict[str, str]]:
    return {finding["name"]: finding for finding in json.loads(result.stdout)}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH that contains only what a test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder: Path, name: str, *lines: str) -> None:
    (folder / name).write_text("\n".join([f"#!{sys.executable}", "import sys", *lines]))
    (folder / name).chmod(0o755)


def test_a_machine_without_engines_is_no_problem(path: Path) -> None:
    result = doctor("--json")
    findings = found(result)
    assert result.exit_code == 0
    assert findings["hubserve"]["detail"].startswith(__version__)
    for name in ("TensorFlow Serving", "Docker", "GPU", "server"):
        assert (findings[name]["state"], bool(findings[name]["remedy"])) == ("absent", True)


def test_engines_and_a_gpu_are_named_with_their_versions(path: Path) -> None:
    program(path, "tensorflow_model_server", "print('TensorFlow ModelServer: 2.20.0')")
    program(path, "docker", "print('28.1.1' if sys.argv[1] == 'version' else 'tensorflow/serving:2.20.0')")
    program(path, "nvidia-smi", "print('NVIDIA L4, 550.54, 23034 MiB')")
    findings = found(doctor("--json"))
    assert findings["TensorFlow Serving"]["detail"] == "TensorFlow ModelServer: 2.20.0"
    assert findings["Docker"]["detail"] == "28.1.1"
    assert findings["image of TensorFlow Serving"]["detail"] == "tensorflow/serving:2.20.0"
    assert findings["GPU"]["detail"] == "NVIDIA L4, 550.54, 23034 MiB"


def test_an_engine_that_does_not_work_is_a_problem(path: Path) -> None:
    program(path, "tensorflow_model_server", "sys.exit('libcuda.so.1 is not there')")
    result = doctor("--json")
    finding = found(result)["TensorFlow Serving"]
    assert (result.exit_code, finding["state"], finding["detail"]) == (1, "problem", "libcuda.so.1 is not there")


def test_a_missing_extra_comes_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "_version", lambda name: None if name == "pyarrow" else "1.0")
    finding = next(each for each in packages.findings() if each.name == "extra parquet")
    assert (finding.state, finding.detail) == ("absent", "without pyarrow")
    assert finding.remedy.startswith("pip install ")
    assert "[parquet]" in finding.remedy


def test_every_extra_for_users_is_looked_at() -> None:
    names = {finding.name for finding in packages.findings()}
    assert {f"extra {extra}" for extra in ("export", "serve", "demo", "html", "photos", "parquet", "remote")} <= names
    assert not {"extra dev", "extra docs"} & names


def test_a_server_is_asked(path: Path) -> None:
    with FakeServer(model="m", version=3) as server:
        there = found(doctor("--json", "--server", server.target, "--model", "m"))["server"]
        without_name = found(doctor("--json", "--server", server.target))["server"]
        wrong = found(doctor("--json", "--server", server.target, "--model", "another"))["server"]
    assert (there["state"], there["detail"]) == ("ok", f"{server.target}, model m: version 3 AVAILABLE")
    assert (without_name["state"], "is a model server" in without_name["detail"]) == ("ok", True)
    assert (wrong["state"], wrong["remedy"]) == ("problem", "correct --model")
    nobody = doctor("--json", "--server", "127.0.0.1:9", "--model", "m")
    assert (nobody.exit_code, found(nobody)["server"]["state"]) == (1, "problem")


def test_a_model_directory_is_checked(tmp_path: Path) -> None:
    finding = found(doctor("--json", "--model-dir", str(tmp_path / "nowhere")))["model directory"]
    assert (finding["state"], "is not a folder" in finding["detail"]) == ("problem", True)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_no_secret_is_shown(options: list[str], path: Path) -> None:
    result = doctor(
        *options,
        HUBSERVE_TOKEN="s3cret",  # noqa: S106 - the secret that must not be shown
        HUBSERVE_SERVER="me:s3cret@host:8500",
        https_proxy="http://me:s3cret@proxy.example:3128",
        no_proxy="localhost",
    )
    assert "s3cret" not in result.output
    text = " ".join(result.output.split())
    for told in ("HUBSERVE_TOKEN=(hidden)", "https_proxy, proxy.example:3128", "no_proxy=localhost"):
        assert told in text


def test_the_text_fits_a_terminal(path: Path) -> None:
    assert max(map(len, doctor().stdout.splitlines())) <= 80


def test_it_starts_without_tensorflow_and_numpy() -> None:
    code = (
        "import sys\n"
        "for name in ('tensorflow', 'tensorflow_serving', 'numpy'): sys.modules[name] = None\n"
        "from hubserve_cli.main import main\n"
        "main(['doctor', '--json'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
