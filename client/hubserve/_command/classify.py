"""The subcommand `hubserve classify`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

import click

from .. import TLS, CallError, Classification, Client, HubserveError, InvalidRequest
from .._errors import Then, then
from .._security import Token
from . import sources
from .memory import keep_memory
from .options import server_options
from .security import tls_options, token_options
from .sinks import Sink

_SOME_NOT_CLASSIFIED = 3


@click.command()
@click.argument("source", nargs=-1, required=True)
@server_options
@tls_options
@token_options
@click.option(
    "--top-k", type=click.IntRange(min=1), metavar="K", help="Classes per image.  [default: all that the model gives]"
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    metavar="N",
    help="Images in a request, at most.",
)
@click.option(
    "--format", "form", type=click.Choice(["table", "jsonl"]), help="[default: table on a terminal, else jsonl]"
)
def classify(
    source: tuple[str, ...],
    server: str | tuple[str, ...],
    model: str,
    tls: TLS | None,
    token: Token | None,
    allow_plaintext_token: bool,
    top_k: int | None,
    batch_size: int,
    form: str | None,
) -> None:
    """Classify the images that SOURCE names: files, folders, globs, or - for paths on standard input.

    Results go to standard output in the order of the images, as they come; everything else goes to standard error.
    Ends with 0 when all were classified, 1 when the run failed, 2 on wrong usage, 3 when it finished but some images
    could not be classified.

    \b
    Example:
      hubserve classify photographs/ --server localhost:8500 --model lite0
    """
    keep_memory()
    images = sources.find(source)
    write = _table_row if (form or ("table" if sys.stdout.isatty() else "jsonl")) == "table" else _json_line
    sinks: list[Sink] = [_StandardOutput(write)]
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            for sink in sinks:
                stack.callback(sink.close)
            client = stack.enter_context(
                Client(
                    server,
                    model=model,
                    tls=tls,
                    token=token,
                    allow_plaintext_token=allow_plaintext_token,
                    max_batch_size=batch_size,
                )
            )
            classified, failed = _run(client, images, top_k, sinks)
    except HubserveError as error:
        raise click.ClickException(str(error)) from error
    seconds = time.monotonic() - started
    click.echo(f"{classified} of {classified + failed} images classified in {seconds:.1f} s", err=True)
    if failed:
        raise click.exceptions.Exit(_SOME_NOT_CLASSIFIED)


def _run(client: Client, images: Iterable[str], top_k: int | None, sinks: Sequence[Sink]) -> tuple[int, int]:
    """Classifies, and gives each result to all sinks; counts the images that were classified and those that were not.

    Raises:
        CallError: Not even the first images reached a model: the run as a whole has failed.
    """
    classified = failed = 0
    for result in client.classify(images, top_k=top_k):
        if not classified and isinstance(result.exception, CallError) and not _is_the_images(result.exception):
            raise result.exception
        for sink in sinks:
            sink.add(result)
        classified, failed = classified + result.ok, failed + (not result.ok)
    return classified, failed


def _is_the_images(error: CallError) -> bool:
    """Whether the server refused the image, and would answer another."""
    return isinstance(error, InvalidRequest) and then(error) in (Then.SPLIT, Then.SUSPECT)


class _StandardOutput:
    """Writes a line for each result."""

    def __init__(self, write: Callable[[Classification], None]) -> None:
        self._write = write

    def add(self, result: Classification, image: bytes | None = None) -> None:  # noqa: ARG002
        """Writes it."""
        self._write(result)

    def close(self) -> None:
        """Each line was written as it came."""


def _table_row(result: Classification) -> None:
    """The path comes last because nobody knows how long it is."""
    label = result.label if result.ok else click.style("not classified", fg="red")
    score = f"{result.score:.3f}" if result.score is not None else "    -"
    click.echo(f"{score}  {label:28}  {result.source}" + ("" if result.ok else f": {result.error}"))


def _json_line(result: Classification) -> None:
    document = {
        "source": result.source,
        "status": result.status,
        "error": result.error,
        "model_version": result.model_version,
        "classes": [
            {"class_id": found.class_id, "label": found.label, "score": found.score} for found in result.classes
        ],
    }
    click.echo(json.dumps(document, ensure_ascii=False))
