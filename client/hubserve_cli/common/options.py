"""Options that several subcommands share, with the same words."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click

from hubserve import TLS
from hubserve.internals import LONGEST_SECONDS, Token

_Command = TypeVar("_Command", bound=Callable[..., Any])

_TOKEN_VARIABLE = "HUBSERVE_TOKEN"  # noqa: S105 - its name
_FILE = click.Path(exists=True, dir_okay=False)


class FiniteFloat(click.FloatRange):
    """A finite number within bounds: `type=FiniteFloat(min=0, min_open=True)`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the number; NaN and infinity are usage errors."""
        number = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return super().convert(value, param, ctx)


class Seconds(FiniteFloat):
    """A number of seconds, up to about 31 years: `type=Seconds()`.

    Args:
        zero: Whether 0 is allowed.
    """

    def __init__(self, *, zero: bool = False) -> None:
        super().__init__(min=0, min_open=not zero, max=LONGEST_SECONDS)


class _NeededToCall(click.Option):
    """A required option that is not needed with --dry-run, which calls no server."""

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            if not ctx.params.get("dry_run"):
                raise
            return self.type_cast_value(ctx, None)


class Security(TypedDict):
    """The arguments of `Client` for TLS and the token."""

    tls: TLS | None
    token: Token | None
    allow_plaintext_token: bool


class Server(Security):
    """The arguments of `Client` for the model and the connection."""

    target: str | tuple[str, ...]
    model: str


def server_options(command: _Command) -> _Command:
    """Add the options of every subcommand that calls a server; it gets one keyword, `server`: a `Server`."""
    return _with_server(command, required=True)


def optional_server_options(command: _Command) -> _Command:
    """Add the same options for a subcommand that calls a server only if one is given; else `target` is empty."""
    return _with_server(command, required=False)


def _with_server(command: _Command, *, required: bool) -> _Command:
    """Add the options of a server.

    All of them can also come from the environment: a shell or a pod sets its server, certificates and token once.
    HUBSERVE_SERVER holds several addresses with blanks between them.
    """

    @functools.wraps(command)
    def connected(*args: Any, server: tuple[str, ...], model: str | None, security: Security, **options: Any) -> Any:
        target = server[0] if len(server) == 1 else server
        known = Server(target=target, model=model or "", **security)
        return command(*args, server=known, **options)

    with_options: Any = connected
    for option in reversed(_server(required)):
        with_options = option(with_options)
    return security_options(with_options)  # type: ignore[no-any-return]


def security_options(command: _Command) -> _Command:
    """Add the options of TLS and token, which come last in --help; the command gets one keyword, `security`.

    Any option of TLS turns TLS on. A token is never an argument, because every user of the machine could read it in the
    list of processes. A token file is read again for each call, because Kubernetes renews tokens in place.
    """

    @functools.wraps(command)
    def secured(
        *args: Any,
        tls: bool,
        tls_ca: str | None,
        tls_cert: str | None,
        tls_key: str | None,
        tls_server_name: str | None,
        token_file: str | None,
        allow_plaintext_token: bool,
        **options: Any,
    ) -> Any:
        if (tls_cert is None) != (tls_key is None):
            raise click.UsageError("--tls-cert and --tls-key belong together: give both, or neither.")
        wanted = tls or any((tls_ca, tls_cert, tls_server_name))
        read = functools.partial(_read_token, Path(token_file)) if token_file else None
        known = Security(
            tls=TLS(ca=tls_ca, certificate=tls_cert, key=tls_key, server_name=tls_server_name) if wanted else None,
            token=read or os.environ.get(_TOKEN_VARIABLE) or None,
            allow_plaintext_token=allow_plaintext_token,
        )
        return command(*args, security=known, **options)

    with_options: Any = secured
    # click reverses the list of a command's options.
    with_options.__click_params__ = [*reversed(_security()), *getattr(command, "__click_params__", [])]
    return with_options  # type: ignore[no-any-return]


def _server(required: bool) -> tuple[Callable[[Any], Any], ...]:
    return (
        _option(
            "--server",
            cls=_NeededToCall,
            required=required,
            multiple=True,
            metavar="HOST[:PORT]",
            help="Address of the server's gRPC port, such as localhost:8500. Without a port it is 8500. May be "
            "repeated: requests go to each server in turn.",
        ),
        _option(
            "--model", cls=_NeededToCall, required=required, metavar="NAME", help="Name of the model on the server."
        ),
    )


def _security() -> list[click.Parameter]:
    def holder() -> None:
        """Hold the options."""

    for option in _SECURITY:
        option(holder)
    made: list[click.Parameter] = holder.__click_params__  # type: ignore[attr-defined]
    for each in made:
        vars(each)["section"] = _SECURITY_SECTION
    return made


def timeout_option(help_text: str) -> Callable[[_Command], _Command]:
    """Add --timeout, with 30 seconds as its default."""
    return click.option("--timeout", type=Seconds(), default=30.0, show_default=True, metavar="SECONDS", help=help_text)


def json_option(command: _Command) -> _Command:
    """Add --json, which reaches the subcommand as `as_json`."""
    option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
    return option(command)


def _read_token(file: Path) -> str:
    return file.read_text(encoding="utf-8").strip()


def _option(name: str, **settings: Any) -> Callable[[Any], Any]:
    """Return an option whose value may be in a variable of the environment, such as HUBSERVE_TLS_CA for --tls-ca."""
    return click.option(name, envvar=f"HUBSERVE_{name[2:].replace('-', '_').upper()}", show_envvar=True, **settings)


_SECURITY_SECTION = "TLS and token"
_SECURITY = (
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
    _option(
        "--token-file",
        type=_FILE,
        metavar="FILE",
        help=f"File with the token to send, read again for each call. {_TOKEN_VARIABLE} may hold the token instead.",
    ),
    _option("--allow-plaintext-token", is_flag=True, help="Send the token on a connection without TLS too."),
)
