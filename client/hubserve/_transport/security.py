"""TLS and tokens: prove who the server is and who calls. A repr, a log or an error never shows a secret."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc

from .._errors import AccessDenied, UsageError

PEM: TypeAlias = "str | os.PathLike[str] | bytes"
Token: TypeAlias = "str | Callable[[], str]"  # noqa: S105 - a type
AsyncToken: TypeAlias = "str | Callable[[], str] | Callable[[], Awaitable[str]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class TLS:
    """An encrypted connection: `Client(target, model="m", tls=TLS(ca="ca.pem"))`.

    With `certificate` and `key` the client proves its identity, too (mutual TLS). Each is a file's path, or the PEM
    text as bytes.

    Attributes:
        ca: The authorities that may have signed the server's certificate; None: those that gRPC contains.
        certificate: The client's certificate, with the chain that leads to its authority.
        key: The private key of `certificate`.
        server_name: The name in the server's certificate, if it differs from the target's.

    Raises:
        UsageError: Only one of `certificate` and `key` is given.
    """

    ca: PEM | None = None
    certificate: PEM | None = None
    key: PEM | None = field(default=None, repr=False)
    server_name: str | None = None

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise UsageError("TLS needs certificate and key together: give both, or neither")

    def credentials(self) -> grpc.ChannelCredentials:
        """Read the files, and return gRPC's credentials.

        Raises:
            UsageError: A file cannot be read.
        """
        return grpc.ssl_channel_credentials(
            root_certificates=_pem("ca", self.ca),
            private_key=_pem("key", self.key),
            certificate_chain=_pem("certificate", self.certificate),
        )


def loaded(tls: TLS | None) -> TLS | None:
    """Return the same TLS settings with the contents of the files instead of their paths.

    Raises:
        UsageError: A file cannot be read.
    """
    if tls is None:
        return None
    return TLS(
        ca=_pem("ca", tls.ca),
        certificate=_pem("certificate", tls.certificate),
        key=_pem("key", tls.key),
        server_name=tls.server_name,
    )


def check_token(token: object, *, encrypted: bool, allow_plaintext: bool) -> None:
    """Refuse a token that others on the network could read.

    Raises:
        UsageError: The connection is not encrypted, and that is not allowed; or the token is not valid.
    """
    if token is None:
        return
    if not encrypted and not allow_plaintext:
        raise UsageError(
            "the token would be sent unencrypted: give tls=TLS(), or allow_plaintext_token=True on a trusted network"
        )
    if not callable(token):
        bearer(token)


def bearer(token: object) -> tuple[tuple[str, str], ...]:
    """Return the call metadata that carry the token.

    Raises:
        UsageError: The token cannot be sent. The message does not show the token.
    """
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise UsageError(
            f"token must be printable ASCII text without line ends, and this {type(token).__name__} is not"
        )
    return (("authorization", f"Bearer {token}"),)


def no_token(target: str, error: Exception) -> AccessDenied:
    """Return the error for a token function that raised `error`; gRPC's code for it is UNAUTHENTICATED."""
    failure = AccessDenied(
        f"no token for {target}: the token function raised {type(error).__name__}, which is this error's cause",
        grpc.StatusCode.UNAUTHENTICATED,
    )
    failure.__cause__ = error
    return failure


def _pem(name: str, value: PEM | None) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    try:
        with open(value, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"TLS {name} {os.fspath(value)} cannot be read ({error.strerror}): give a PEM file") from error
