"""The command ``serve``."""

from __future__ import annotations

import contextlib
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from hubserve_cli.common.interrupts import StopRequest, handled
from hubserve_model.versions import LARGEST_VERSION

if TYPE_CHECKING:
    from ._engines._description import ServerDescription
    from ._engines._engine import RunningServer


def _labels(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, int]:
    """Read labels with their versions: ``stable=1``."""
    labels = {}
    for value in given:
        label, _, version = value.rpartition("=")
        whole = version.isascii() and version.isdecimal() and len(version) < 20
        if not label or not whole or int(version) > LARGEST_VERSION:
            raise click.BadParameter(f"{value!r} is not a label with its version, such as stable=1")
        labels[label] = int(version)
    return labels


def _session_configs(_context: click.Context, _option: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete NAME|FILE in a shell: names that come with hubserve, or files."""
    from hubserve_model.session_configs import shipped

    names = [CompletionItem(name) for name in shipped() if name.startswith(typed)]
    return names or [CompletionItem(typed, type="file")]


@click.command(short_help="Serve a model directory on this machine.")
@click.argument("model_dir", type=click.Path(path_type=Path))
@click.option("--name", metavar="NAME", help="Name of the model for callers.  [default: the name of MODEL_DIR]")
@click.option(
    "--version",
    "versions",
    type=click.IntRange(min=0),
    metavar="N",
    multiple=True,
    help="Version to serve. May be repeated.  [default: the highest; without labels, also each higher one "
    "that appears]",
)
@click.option(
    "--version-label",
    "labels",
    metavar="LABEL=VERSION",
    multiple=True,
    callback=_labels,
    help="Label that callers may ask for, and its version. May be repeated.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "embedded", "binary", "docker"]),
    default="auto",
    show_default=True,
    help="Engine that runs the model.",
)
@click.option("--host", metavar="HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    default=8500,
    show_default=True,
    help="Port to listen on. 0 takes a free one.",
)
@click.option(
    "--session-config",
    metavar="NAME|FILE",
    shell_complete=_session_configs,
    help="Settings of TensorFlow's session: bfloat16-cpu, mixed-precision-xla-gpu, or a file with a "
    "tensorflow.ConfigProto in protobuf text form.",
)
@click.option(
    "--grpc-max-threads",
    "max_threads",
    type=click.IntRange(1, 2**31 - 1),
    default=1024,
    show_default=True,
    metavar="N",
    help="Most calls at a time, with those that wait for a batch. The server refuses more.",
)
@click.option(
    "--image",
    metavar="IMAGE",
    default="tensorflow/serving:2.20.0",
    show_default=True,
    help="Container image for --engine docker. An image whose tag ends in -gpu gets the GPUs.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON document on one line, instead of text, when the server is ready.",
)
def serve(
    model_dir: Path,
    name: str | None,
    versions: tuple[int, ...],
    labels: dict[str, int],
    engine: str,
    host: str,
    port: int,
    session_config: str | None,
    max_threads: int,
    image: str,
    as_json: bool,
) -> None:
    """Serve a model directory on this machine.

    MODEL_DIR is the model's base folder, which holds its versions. The server runs until Ctrl-C or SIGTERM. There are
    three engines:

    \b
      binary    TensorFlow Serving: tensorflow_model_server from the PATH
      docker    TensorFlow Serving: a container of --image
      embedded  TensorFlow in this process, for development and tests
      auto      the first of these that is here already

    \b
    Example:
      hubserve serve models/pnasnet --port 8500
    """
    from ._engines._auto import choose
    from ._engines._description import describe
    from ._errors import ServeError

    try:
        description = describe(
            model_dir,
            name=name,
            versions=versions,
            labels=labels,
            host=host,
            port=port,
            session_config=session_config,
            max_threads=max_threads,
        )
        chosen = choose(engine, image, _progress)
        with contextlib.ExitStack() as stack:
            if chosen.in_process:
                # While TensorFlow loads the model, Python cannot run a signal handler.
                stack.enter_context(handled({signal.SIGTERM: signal.SIG_DFL}))
            server = stack.enter_context(chosen.serving(description, _progress))
            stop = StopRequest()
            stack.enter_context(stop.taken())
            click.echo((_json if as_json else _line)(description, server))
            server.wait(stop)
            _progress(f"stopping: {server.stopping}")
    except ServeError as error:
        raise click.ClickException(str(error)) from error


def _line(description: ServerDescription, server: RunningServer) -> str:
    return (
        f"Serving {description.name} version {description.newest.version} on {server.target} "
        f"({server.engine}; Ctrl-C to stop)"
    )


def _json(description: ServerDescription, server: RunningServer) -> str:
    ready = {
        "server": server.target,
        "model": description.name,
        "version": description.newest.version,
        "engine": server.engine,
    }
    return json.dumps(ready, ensure_ascii=False, allow_nan=False)


def _progress(line: str) -> None:
    # The reader of standard error may have gone; the model is served anyway.
    with contextlib.suppress(OSError, ValueError):
        click.echo(line, err=True)
