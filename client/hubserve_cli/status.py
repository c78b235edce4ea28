"""The subcommand `hubserve status`."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click

from hubserve import TLS, Client, VersionStatus
from hubserve._transport.security import Token

from .common.numbers import Seconds
from .common.options import json_option, server_options
from .common.security_options import tls_options, token_options


@click.command()
@server_options
@tls_options
@token_options
@click.option(
    "--wait", type=Seconds(zero=True), metavar="SECONDS", help="Most seconds to wait until the model is ready."
)
@json_option
def status(
    server: str | tuple[str, ...],
    model: str,
    tls: TLS | None,
    token: Token | None,
    allow_plaintext_token: bool,
    wait: float | None,
    as_json: bool,
) -> None:
    """Show which versions of a model a server has, and whether they answer.

    The command ends with 0 when a version is available, else with 1. With --wait, it waits while no server answers,
    while the server does not know the model, and while the model loads. It stops waiting when a running server could
    not load the model. A server whose first load fails opens no port, and then the command waits to the end.

    \b
    Example:
      hubserve status --server localhost:8500 --model lite0 --wait 60
    """
    with Client(server, model=model, tls=tls, token=token, allow_plaintext_token=allow_plaintext_token) as client:
        if wait is not None:
            client.wait_until_ready(wait)
        versions = client.status()
    click.echo(
        _document(server, model, versions) if as_json else "\n".join(_line(model, version) for version in versions)
    )
    if not any(version.available for version in versions):
        raise click.exceptions.Exit(1)


def _line(model: str, version: VersionStatus) -> str:
    return f"{model} version {version.version}: {version.state}" + (f" ({version.error})" if version.error else "")


def _document(server: str | tuple[str, ...], model: str, versions: Iterable[VersionStatus]) -> str:
    known = [
        {"version": each.version, "state": each.state, "available": each.available, "error": each.error}
        for each in versions
    ]
    return json.dumps(
        {"server": server, "model": model, "versions": known}, indent=2, ensure_ascii=False, allow_nan=False
    )
