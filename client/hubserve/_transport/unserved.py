"""Explain the error of a model that is not served as requested: ask once for its status."""

from __future__ import annotations

from .._errors import CallError, HubserveError, ModelNotFound, hide, then
from .._settings import ClientSettings
from ..wire.codec import STATUS, Requests, parse
from ..wire.model_info import VersionStatus, read_status
from ..wire.status_pb2 import GetModelStatusResponse

# Seconds for the status call: the caller waits for its error meanwhile.
LOOK_SECONDS = 2.0

_NO_SUCH_NAME = (
    "{target} does not serve {model}, and does not know a model of that name: correct the name; only the server's "
    "operator can list the names (--model_name, or the model config file)"
)
_OTHER_VERSIONS = "{target} does not serve {model}; it has {versions}: correct the version or label"
_NONE_AVAILABLE = (
    "{target} does not serve {model} now; it has {versions}: wait for it (client.wait_until_ready), or fix the version"
)


def look(error: CallError, path: str, settings: ClientSettings) -> bytes | None:
    """Return the GetModelStatus request that can explain an error; None if no request can.

    Args:
        error: The call's error.
        path: The call's RPC.
        settings: The client's settings.
    """
    if not isinstance(error, ModelNotFound) or (path == STATUS and settings.version is None):
        return None
    return Requests(settings.model).status()


def of_status(error: CallError, path: str, settings: ClientSettings) -> CallError:
    """Return the error of a status call that says that the server does not know the name; other errors unchanged.

    Args:
        error: The call's error.
        path: The call's RPC.
        settings: The client's settings.
    """
    unknown = isinstance(error, ModelNotFound) and path == STATUS and settings.version is None
    return _said(error, _NO_SUCH_NAME, settings) if unknown else error


def told(error: CallError, found: bytes | CallError, settings: ClientSettings) -> CallError:
    """Return the error with what the server says about the model; the same error if the server does not say.

    Args:
        error: The call's error.
        found: The answer to the status request, or its error.
        settings: The client's settings.
    """
    if isinstance(found, ModelNotFound):
        return _said(error, _NO_SUCH_NAME, settings)
    if isinstance(found, CallError):
        return error
    try:
        versions = read_status(parse(GetModelStatusResponse, found))
    except HubserveError:
        return error
    if settings.version is not None or settings.version_label is not None:
        return _said(error, _OTHER_VERSIONS, settings, versions)
    # If a version is available now, it was not when the call failed: the status does not explain the error.
    return error if any(each.available for each in versions) else _said(error, _NONE_AVAILABLE, settings, versions)


def _said(error: CallError, text: str, settings: ClientSettings, versions: tuple[VersionStatus, ...] = ()) -> CallError:
    there = ", ".join(f"version {each.version} ({each.state})" for each in versions) or "no version of it"
    words = text.format(target=settings.target_in_words(), model=settings.model_in_words(), versions=there)
    said = ModelNotFound(f"{words} ({error.code.name}: {error.details})", error.code, error.details, then(error))
    hide(said, error.__context__)
    return said
