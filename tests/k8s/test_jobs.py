"""The Jobs run commands that there are: each is parsed by the command, and the bulk Job's is run as it stands."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hubserve.testing import FakeServer
from hubserve_cli.main import main
from k8s.manifests import OVERLAYS, Manifest, overlay, with_components

_JOBS = {"bulk-job": "pnasnet-bulk", "load-test": "pnasnet-load-test", "export": "pnasnet-export-1"}
_SHARDS = 8
_PATIENCE_SECONDS = 120


def container(component: str) -> Manifest:
    (found,) = with_components(component).one("Job", _JOBS[component])["spec"]["template"]["spec"]["containers"]
    return found


def arguments(component: str) -> list[str]:
    """Return the arguments after `hubserve`, in a shell's text or behind the image's entry point."""
    found = container(component)
    if "command" not in found:
        return found["args"]
    (text,) = found["args"]
    (line,) = re.findall(r"^hubserve (.*?) &$", text.replace("\\\n", " "), re.MULTILINE)
    return shlex.split(line.replace("$JOB_COMPLETION_INDEX", "0"))


def parse(words: list[str]) -> click.Context:
    command = main.get_command(click.Context(main), words[0])
    assert command, words[0]
    return command.make_context(words[0], words[1:])


@pytest.mark.parametrize("component", _JOBS)
def test_a_jobs_arguments_are_what_the_command_takes(component):
    parse(arguments(component))


@pytest.mark.parametrize("component", _JOBS)
def test_an_argument_that_the_command_lacks_is_noticed(component):
    with pytest.raises(click.UsageError, match="No such option"):
        parse([*arguments(component), "--no-such-option"])


def start(folder: Path, server: FakeServer, index: int, *, format_: str = "jsonl") -> subprocess.Popen[str]:
    """The bulk Job's container, with folders of ours in place of its volumes, and our server's address."""
    found = container("bulk-job")
    script = found["args"][0]
    for old, new in (
        ("dns:///pnasnet-headless:8500", server.target),
        ("/images", f"{folder}/images"),
        ("/results/", f"{folder}/results/"),
        ("jsonl --output", f"{format_} --output"),
    ):
        assert old in script
        script = script.replace(old, new)
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs, "JOB_COMPLETION_INDEX": str(index)}
    return subprocess.Popen([*found["command"], script], env=environment, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=_PATIENCE_SECONDS)
    return process.returncode, said


def answers(folder: Path, index: int) -> list[dict]:
    file = folder / "results" / f"{index}.jsonl"
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With more images than fit in one request of a shard, one of which is none."""
    (tmp_path / "images").mkdir()
    (tmp_path / "results").mkdir()
    for number in range(_SHARDS * 80):
        (tmp_path / "images" / f"{number:04}.jpg").write_bytes(b"cat %d" % number)
    (tmp_path / "images" / "0007.jpg").write_bytes(b"none")
    return tmp_path


def classify(image: bytes) -> dict[str, float] | int:
    return 1 if image == b"none" else {"cat": 0.9}


def test_all_shards_together_answer_each_image_once_and_a_bad_image_repeats_nothing(folder):
    with FakeServer(classify, model="pnasnet") as server:
        ends = [end(process) for process in [start(folder, server, index) for index in range(_SHARDS)]]
        assert [code for code, _ in ends] == [0] * _SHARDS, ends
        found = [answer for index in range(_SHARDS) for answer in answers(folder, index)]
        assert sorted(answer["source"] for answer in found) == sorted(map(str, (folder / "images").iterdir()))
        assert [Path(answer["source"]).name for answer in found if answer["error"]] == ["0007.jpg"]
        # A pod that comes again, after its node was lost, finds its work done.
        asked = len(server.requests)
        assert [end(start(folder, server, index))[0] for index in (0, 7)] == [0, 0]
        assert len(server.requests) == asked


def test_a_pod_that_is_ended_leaves_what_the_next_one_goes_on_with(folder):
    with FakeServer(classify, model="pnasnet", threads=1) as server:
        assert end(start(folder, server, 3))[0] == 0
        whole = sorted(answer["source"] for answer in answers(folder, 3))
        for file in (folder / "results").iterdir():
            file.unlink()
        first = len(server.requests)
        running: list[subprocess.Popen[str]] = []

        def evict(_: object) -> None:
            if len(server.requests) == first + 2:
                running[0].send_signal(signal.SIGTERM)
                running[0].wait(_PATIENCE_SECONDS)

        server.before = evict
        running.append(start(folder, server, 3))
        code, said = end(running[0])
        assert code == 128 + signal.SIGTERM, said
        assert len(answers(folder, 3)) < len(whole)
        server.before = None
        assert end(start(folder, server, 3))[0] == 0
        assert sorted(answer["source"] for answer in answers(folder, 3)) == whole


def test_what_the_failure_policy_tells_apart_keeps_its_exit_code(folder):
    with FakeServer(classify, model="another") as server:
        # 1 is retried; 2 ends the Job.
        assert end(start(folder, server, 0))[0] == 1
        assert end(start(folder, server, 0, format_="xml"))[0] == 2


_CALLERS = ("bulk-job", "load-test")


def waits(component: str) -> list[str]:
    """The arguments of the init container that waits for the server."""
    (pod,) = [pod for pod in with_components(component).pods() if pod.owner["metadata"]["name"] == _JOBS[component]]
    (found,) = pod.spec["initContainers"]
    return found["args"]


@pytest.mark.parametrize("component", _CALLERS)
def test_a_job_waits_longer_than_a_server_takes_to_start(component):
    given = parse(waits(component)).params
    ((_, server),) = overlay("gpu").servers()
    probe = server["startupProbe"]
    assert given["wait"] > probe["periodSeconds"] * probe["failureThreshold"]
    called = parse(arguments(component)).params
    assert set(as_list(called["server"])) == set(as_list(given["server"]))
    assert called["model"] == given["model"]


def as_list(value: object) -> list:
    return list(value) if isinstance(value, list | tuple) else [value]


@pytest.mark.parametrize("component", _CALLERS)
def test_the_wait_ends_when_the_model_is_loaded_and_not_before(component):
    with FakeServer(classify, model="pnasnet") as server:
        server.ready = False
        words = [server.target if word.startswith("dns:") else word for word in waits(component)]
        program = Path(sys.executable).with_name("hubserve")
        short = [*words[:-1], "1"]
        assert subprocess.run([program, *short], capture_output=True, check=False).returncode == 1
        with subprocess.Popen([program, *words], stderr=subprocess.PIPE, text=True) as process:
            server.ready = True
            assert end(process)[0] == 0


@pytest.mark.parametrize("component", _JOBS)
def test_a_sync_of_the_server_starts_no_job_and_none_again(component):
    assert [name for name in OVERLAYS if overlay(name).of("Job")] == []
    # A Job that goes away by itself would be made anew.
    assert "ttlSecondsAfterFinished" not in with_components(component).one("Job", _JOBS[component])["spec"]
