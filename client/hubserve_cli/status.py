"""The subcommand `hubserve status`."""

from __future__ import annotations

import json
from collections.abc import Iterable

import click

from hubserve import Client, VersionStatus

from .common.options import Seconds, Server, json_option, server_options


@click.command(short_help="Show the versions of a model on a server, or wait for it.")
@server_options
@click.option(
    "--wait", type=Seconds(zero=True), metavar="SECONDS", help="Most seconds to wait until the model is ready."
)
@json_option
def status(
    server: Server,
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
    with Client(**server) as client:
        if wait is not None:
            client.wait_until_ready(wait)
        versions = client.status()
    click.echo(
        _document(server, versions) if as_json else "\n".join(_line(server["model"], version) for version in versions)
    )
    if not any(version.available for version in versions):
        raise click.exceptions.Exit(1)


def _line(model: str, version: VersionStatus) -> str:
    return f"{model} version {version.version}: {version.state}" + (f" ({version.error})" if version.error else "")


def _document(server: Server, versions: Iterable[VersionStatus]) -> str:
    known = [
        {"version": each.version, "state": each.state, "available": each.available, "error": each.error}
        for each in versions
    ]
    return json.dumps(
        {"server": server["target"], "model": server["model"], "versions": known},
        indent=2,
        ensure_ascii=False,
        allow_nan=False,
    )
