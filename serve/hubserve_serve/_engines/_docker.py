"""The engine `docker`: tensorflow_model_server in a container of TensorFlow Serving."""

from __future__ import annotations

import contextlib
import csv
import io
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from hubserve_model.scratch import private_folder

from .._address import address_of, hold, join
from .._errors import EngineError
from ._binary import PROGRAM
from ._command_line import config_files, model_server_flags
from ._engine import Missing, RunningServer
from ._process import CUT_OFF, ModelServerProcess
from ._release import ask_release, in_words, require_known, warn_of_newer_export

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ._description import ServerDescription

IMAGE = "tensorflow/serving:2.20.0"
MODEL_DIR = "/model"
CONFIG_DIR = "/etc/hubserve"
PORT = 8500
_DOCKER = "docker"
_DAEMON_SECONDS = 20
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound


def docker_run(image: str, name: str, published: str, mounts: Mapping[str, str], flags: Sequence[str]) -> list[str]:
    """Return the command line that runs a model server in a container, in the foreground.

    Args:
        image: The image. If its tag ends in -gpu, the container gets the machine's GPUs; without them, the server would
            use the CPU without saying so.
        name: The container's name.
        published: ``HOST:PORT`` of this machine.
        mounts: Folders of this machine, by their place in the container, where they are read-only.
        flags: The arguments of tensorflow_model_server.
    """
    command = [_DOCKER, "run", "--rm", "--pull=never", f"--name={name}"]
    # The server has no handler for SIGTERM, and the system then ignores the signal for the first process of a
    # container. With an init process as the first one, the server ends at once.
    command.append("--init")
    command.append(f"--publish={published}:{PORT}")
    command += [f"--mount={_mount(source, target)}" for target, source in mounts.items()]
    # The image's entry point is a shell script that adds flags.
    return [*command, *_gpus(image), f"--entrypoint={PROGRAM}", image, *flags]


def docker_version(image: str) -> list[str]:
    """Return the command line that asks a model server in a container for its release.

    A server for GPUs may need the driver's library to start, which is in the container only together with the GPUs.
    """
    return [_DOCKER, "run", "--rm", "--pull=never", *_gpus(image), f"--entrypoint={PROGRAM}", image, "--version"]


def _gpus(image: str) -> list[str]:
    return ["--gpus=all"] if image.partition("@")[0].endswith("-gpu") else []


def _mount(source: str, target: str) -> str:
    # One line of CSV. Unlike --volume, --mount takes paths with a colon, and refuses a missing folder.
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(["type=bind", f"source={source}", f"target={target}", "readonly"])
    return line.getvalue()


class DockerEngine:
    """Run TensorFlow Serving as a container: ``DockerEngine("tensorflow/serving:2.20.0")``."""

    in_process = False

    def __init__(self, image: str = IMAGE) -> None:
        self._image = image

    def missing(self) -> Missing | None:
        """Tell whether Docker and the image are available; `auto` should not download hundreds of megabytes."""
        return self._missing_docker() or (
            None
            if self._has_image()
            else Missing(
                f"docker does not have the image {self._image}",
                f"docker pull {self._image}, or choose another --engine",
            )
        )

    @contextlib.contextmanager
    def serving(self, description: ServerDescription, report: Callable[[str], None]) -> Iterator[RunningServer]:
        """Run a server; see `Engine.serving`. A missing image is pulled."""
        if missing := self._missing_docker():
            raise EngineError(": ".join(missing))
        if not self._has_image():
            self._pull(report)
        release = ask_release(docker_version(self._image), self._image)
        flags = model_server_flags(description, listen=[f"--port={PORT}"], model_dir=MODEL_DIR, config_dir=CONFIG_DIR)
        require_known(flags, release, self._image)
        warn_of_newer_export(description.newest.path, release, self._image, report)
        container = f"hubserve-{uuid.uuid4().hex[:12]}"
        with private_folder() as folder, contextlib.ExitStack() as stack:
            # The container's user may differ from this user.
            folder.chmod(0o755)
            for name, text in config_files(description, model_dir=MODEL_DIR).items():
                Path(folder, name).write_text(text, encoding="utf-8")
            # Docker opens the port itself, so the port is released at the last moment.
            with hold(description.host, description.port) as held:
                host, port = address_of(held)
            command = docker_run(
                self._image,
                container,
                join(host, port),
                {MODEL_DIR: str(description.model_dir), CONFIG_DIR: str(folder)},
                flags,
            )
            report(f"loading {description.newest.path}")
            stack.callback(_remove, container)
            process = stack.enter_context(ModelServerProcess(command, f"{PROGRAM} in {self._image}", report))
            process.wait_until_serving(join(_WILDCARDS.get(host, host), port))
            yield RunningServer(
                join(description.host, port),
                engine=f"docker engine, {self._image}, TensorFlow Serving {in_words(release)}",
                stopping=CUT_OFF,
                wait=process.wait,
            )

    def _missing_docker(self) -> Missing | None:
        if shutil.which(_DOCKER) is None:
            return Missing(
                "docker is not on the PATH",
                "install it as described at https://docs.docker.com/get-started/get-docker, or choose another --engine",
            )
        done = _run("version", "--format={{.Server.Version}}")
        if done.returncode == 0:
            return None
        return Missing(f"docker's daemon does not answer ({_last(done)})", "start it, or choose another --engine")

    def _has_image(self) -> bool:
        return _run("image", "inspect", "--format={{.Id}}", self._image).returncode == 0

    def _pull(self, report: Callable[[str], None]) -> None:
        report(f"pulling {self._image}")
        # Docker's own progress goes to standard error, like this command's.
        done = subprocess.run([_DOCKER, "pull", self._image], stdin=subprocess.DEVNULL, stdout=2, check=False)  # noqa: S603
        if done.returncode != 0:
            raise EngineError(
                f"docker cannot pull {self._image}; its message is above: choose another --image, or another --engine"
            )


def _remove(container: str) -> None:
    # A container removes itself, unless the docker program was killed.
    _run("rm", "--force", container)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [_DOCKER, *arguments]
    try:
        return subprocess.run(  # noqa: S603 - the program is the one that the user means
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_DAEMON_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no answer within {_DAEMON_SECONDS} s")


def _last(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or ["it printed nothing"])[-1].rstrip(".")
