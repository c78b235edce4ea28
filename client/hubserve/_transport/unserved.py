"""Ask for the status of a model that is not served as asked, once, for the words of the error."""

from __future__ import annotations

from .._errors import CallError, HubserveError, ModelNotFound, hide, then
from .._settings import Settings
from ..wire.codec import STATUS, Requests, parse
from ..wire.model_info import VersionStatus, read_status
from ..wire.status_pb2 import GetModelStatusResponse

# Seconds that the look may take: the caller waits for the error meanwhile.
LOOK_SECONDS = 2.0

_NO_SUCH_NAME = (
    "{target} does not serve {model}, and knows no model of that name: correct the name; a server tells its names to "
    "its operator alone (--model_name, or the names in its model config file)"
)
_OTHER_VERSIONS = "{target} does not serve {model}; it has {versions}: correct the version or label"
_NONE_AVAILABLE = (
    "{target} does not serve {model} now; it has {versions}: wait for it (client.wait_until_ready), or mend the version"
)


def look(error: CallError, path: str, settings: Settings) -> bytes | None:
    """Return the GetModelStatus request whose answer tells more about an error; None: none does.

    Args:
        error: What a call failed with.
        path: The call's RPC.
        settings: The client's.
    """
    if not isinstance(error, ModelNotFound) or (path == STATUS and settings.version is None):
        return None
    return Requests(settings.model).status()


def told(error: CallError, found: bytes | CallError, settings: Settings) -> CallError:
    """Return the error in words that say what the server has of the model; the same error where that is not known.

    Args:
        error: What a call failed with.
        found: What came of the look.
        settings: The client's.
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
    # One that is available now was not when the call failed.
    return error if any(each.available for each in versions) else _said(error, _NONE_AVAILABLE, settings, versions)


def _said(error: CallError, text: str, settings: Settings, versions: tuple[VersionStatus, ...] = ()) -> CallError:
    there = ", ".join(f"version {each.version} ({each.state})" for each in versions) or "no version of it"
    words = text.format(target=settings.target_in_words(), model=settings.model_in_words(), versions=there)
    said = ModelNotFound(f"{words} ({error.code.name}: {error.details})", error.code, error.details, then(error))
    hide(said, error.__context__)
    return said
