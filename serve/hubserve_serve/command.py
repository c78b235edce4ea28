"""The command ``serve``."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ._quiet import quieten_tensorflow

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command()
@click.argument("model_dir", type=click.Path(path_type=Path))
@click.option("--name", help="The model's name for callers.  [default: the name of MODEL_DIR]")
@click.option("--version", type=click.IntRange(min=0), help="The version to serve.  [default: the highest]")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8500, show_default=True, help="The port; 0 takes a free one."
)
@click.option(
    "--session-config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A tensorflow.ConfigProto in protobuf text form.",
)
def serve(
    model_dir: Path, name: str | None, version: int | None, host: str, port: int, session_config: Path | None
) -> None:
    """Serve a model directory on this machine, as TensorFlow Serving would.

    MODEL_DIR is the model's base folder, the one that holds its versions. The engine runs TensorFlow in this process
    and is meant for development and tests. It stops on Ctrl-C or SIGTERM, after the calls in flight are answered.

    \b
    Example:
      hubserve serve models/pnasnet --port 8500
    """
    try:
        quieten_tensorflow()
        from hubserve_serve import EmbeddedServer, ServeError
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("hubserve"):
            raise
        raise click.ClickException(f"serve needs {missing}: pip install 'hubserve[serve]'") from error
    try:
        with (
            EmbeddedServer(
                model_dir,
                name=name,
                version=version,
                host=host,
                port=port,
                session_config=session_config,
                report=_progress,
            ) as server,
            _stop_signal() as stop,
        ):
            click.echo(
                f"Serving {server.name} version {server.version} on {server.target} "
                "(embedded engine, for development and tests; Ctrl-C to stop)"
            )
            stop.wait()
            _progress("stopping: calls in flight are finished, new ones refused")
    except ServeError as error:
        raise click.ClickException(str(error)) from error


def _progress(line: str) -> None:
    click.echo(line, err=True)


@contextlib.contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Give an event that the first SIGTERM or Ctrl-C sets; a second one ends the process as it would any other."""
    stop = threading.Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def request_stop(_number: int, _frame: object) -> None:
        stop.set()
        restore()

    for number in before:
        signal.signal(number, request_stop)
    try:
        yield stop
    finally:
        restore()
