"""Options that several subcommands share, so that they read the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def server_options(command: _Command) -> _Command:
    """Add --server and --model, both required. `server` is a string, or a tuple of them when several are given."""
    model = click.option("--model", required=True, metavar="NAME", help="Name of the model on the server.")
    server = click.option(
        "--server",
        required=True,
        multiple=True,
        callback=lambda _, __, given: given[0] if len(given) == 1 else given,
        metavar="HOST:PORT",
        help="Address of the server's gRPC port, such as localhost:8500. May be repeated: requests go to each "
        "server in turn.",
    )
    return server(model(command))


def json_option(command: _Command) -> _Command:
    """Add --json, which reaches the subcommand as `as_json`."""
    option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
    return option(command)
