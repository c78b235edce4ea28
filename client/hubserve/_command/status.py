"""The subcommand `hubserve status`."""

from __future__ import annotations

import click

from .. import TLS, Client, HubserveError
from .._security import Token
from .options import server_options
from .security import tls_options, token_options


@click.command()
@server_options
@tls_options
@token_options
@click.option(
    "--wait", type=click.FloatRange(min=0), metavar="SECONDS", help="Wait until the model is ready, this long at most."
)
def status(
    server: str | tuple[str, ...],
    model: str,
    tls: TLS | None,
    token: Token | None,
    allow_plaintext_token: bool,
    wait: float | None,
) -> None:
    """Show which versions of a model a server has, and whether they answer.

    Ends with 0 when a version is available, else with 1. Waiting goes on while no server answers, while it does not
    know the model, and while it loads; it ends at once when a running server could not load it. A server whose first
    load fails opens no port, so that the wait goes on to its end.

    \b
    Example:
      hubserve status --server localhost:8500 --model lite0 --wait 60
    """
    try:
        with Client(server, model=model, tls=tls, token=token, allow_plaintext_token=allow_plaintext_token) as client:
            if wait is not None:
                client.wait_until_ready(wait)
            versions = client.status()
    except HubserveError as error:
        raise click.ClickException(str(error)) from error
    for version in versions:
        click.echo(
            f"{model} version {version.version}: {version.state}" + (f" ({version.error})" if version.error else "")
        )
    if not any(version.available for version in versions):
        raise click.exceptions.Exit(1)
