"""Options of the subcommands that call a server: how it is known to them, and they to it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hubserve import TLS

_Command = TypeVar("_Command", bound=Callable[..., Any])

_TOKEN_VARIABLE = "HUBSERVE_TOKEN"  # noqa: S105 - its name
_FILE = click.Path(exists=True, dir_okay=False)


def tls_options(command: _Command) -> _Command:
    """Add --tls and what goes with it; the command gets one keyword, `tls`: a TLS, or None for no encryption.

    Each option is also taken from the environment, so that Kubernetes brings certificates to a pod without a change
    of its command. Any of them means TLS.
    """

    @functools.wraps(command)
    def with_tls(
        *args: Any,
        tls: bool,
        tls_ca: str | None,
        tls_cert: str | None,
        tls_key: str | None,
        tls_server_name: str | None,
        **options: Any,
    ) -> Any:
        if (tls_cert is None) != (tls_key is None):
            raise click.UsageError("--tls-cert and --tls-key belong together: give both, or neither.")
        wanted = tls or any((tls_ca, tls_cert, tls_server_name))
        chosen = TLS(ca=tls_ca, certificate=tls_cert, key=tls_key, server_name=tls_server_name) if wanted else None
        return command(*args, tls=chosen, **options)

    with_options: Any = with_tls
    for option in reversed(_OPTIONS):
        with_options = option(with_options)
    return with_options  # type: ignore[no-any-return]


def token_options(command: _Command) -> _Command:
    """Add --token-file and --allow-plaintext-token; the command gets `token` and `allow_plaintext_token`, for Client.

    A token is never an argument: every user of the machine could read it in the list of processes. A file is read again
    for each call, as Kubernetes renews its tokens in place.
    """

    @functools.wraps(command)
    def with_token(*args: Any, token_file: str | None, **options: Any) -> Any:
        token = (
            functools.partial(_read_token, Path(token_file)) if token_file else os.environ.get(_TOKEN_VARIABLE) or None
        )
        return command(*args, token=token, **options)

    with_options: Any = with_token
    for option in reversed(_TOKEN_OPTIONS):
        with_options = option(with_options)
    return with_options  # type: ignore[no-any-return]


def _read_token(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


def _option(name: str, **settings: Any) -> Callable[[Any], Any]:
    return click.option(name, envvar=f"HUBSERVE_{name[2:].replace('-', '_').upper()}", show_envvar=True, **settings)


_OPTIONS = (
    _option("--tls", is_flag=True, help="Call over TLS. Each other --tls option implies it."),
    _option(
        "--tls-ca",
        type=_FILE,
        metavar="FILE",
        help="PEM file of the authorities that sign the server's certificate.  [default: those of gRPC]",
    ),
    _option(
        "--tls-cert",
        type=_FILE,
        metavar="FILE",
        help="PEM file of the client's certificate, for a server that asks for one.",
    ),
    _option("--tls-key", type=_FILE, metavar="FILE", help="PEM file of the private key of --tls-cert."),
    _option(
        "--tls-server-name", metavar="NAME", help="Name in the server's certificate, if it is not the name in --server."
    ),
)

_TOKEN_OPTIONS = (
    _option(
        "--token-file",
        type=_FILE,
        metavar="FILE",
        help=f"File with the token to send, read again for each call. {_TOKEN_VARIABLE} may hold the token instead.",
    ),
    _option("--allow-plaintext-token", is_flag=True, help="Send the token on a connection without TLS too."),
)
