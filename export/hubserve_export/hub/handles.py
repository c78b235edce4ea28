"""Read a model's name in any form that a page, a README or a code sample has.

Two services name the same models. tfhub.dev has publisher/path/VERSION, such as
google/imagenet/pnasnet_large/classification/4. tfhub.dev redirects browsers to Kaggle Models, which has
owner/model/framework/variation/VERSION, such as google/pnasnet/tensorFlow2/large-classification/1.
This module does not use the network, and does not guess: where a part is missing, the error names it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from .._errors import SourceError

TFHUB = "https://tfhub.dev"
KAGGLE = "https://www.kaggle.com"

# Kaggle's frameworks, as its pages spell them. Older pages and links write TensorFlow2: case is ignored.
_FRAMEWORKS = {
    name.lower(): name
    for name in ("tensorFlow1", "tensorFlow2", "tfLite", "tfJs", "pyTorch", "jax", "flax", "keras", "coral", "onnx")
} | {"transformers": "transformers", "scikitlearn": "scikitLearn", "other": "other"}
# The frameworks that export can read: SavedModels, modules of TensorFlow 1, presets of KerasHub.
_READABLE = ("tensorFlow2", "tensorFlow1", "keras")
# The tabs of a model's page on Kaggle.
_TABS = ("code", "data", "discussion", "discussions", "model-card", "versions")
# tfhub.dev's own names of modules that are not SavedModels.
_OTHER_FORMATS = {"lite-model": "TensorFlow Lite", "tfjs-model": "TensorFlow.js", "coral-model": "Edge TPUs"}
# "." and ".." are not names: names become folders of a cache.
_NAME = r"(?!\.+(?:/|$))[\w.-]+"
_PATH = re.compile(rf"{_NAME}(/{_NAME})+")
_VERSION = re.compile(r"[0-9]{1,9}")
_ARCHIVES = (".tar.gz", ".tgz")
_HUBS = ("tfhub.dev", "kaggle.com")
_PREFIX = re.compile(r"(tfhub|kaggle|hf):", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
# What surrounds an address that was copied out of a text: white space, also that of no width, and quotation marks.
_AROUND = re.compile(r"^[\s\u200b\ufeff\"'<(]+|[\s\u200b\ufeff\"'>),;]+$")


@dataclass(frozen=True)
class TfhubName:
    """Name a module on tfhub.dev.

    Attributes:
        path: Publisher and path, such as "google/imagenet/pnasnet_large/classification".
        version: The version; None where none was given.
    """

    path: str
    version: int | None

    def __str__(self) -> str:
        return self.path if self.version is None else f"{self.path}/{self.version}"

    @property
    def url(self) -> str:
        """The module's address on tfhub.dev."""
        return f"{TFHUB}/{self}"


@dataclass(frozen=True)
class KaggleName:
    """Name a variation of a model on Kaggle Models.

    Attributes:
        owner: The publisher there, such as "google".
        model: The model's page, such as "pnasnet".
        framework: "tensorFlow2", "tensorFlow1" or "keras".
        variation: Such as "large-classification".
        version: The version; None for the newest. Kaggle counts the versions of each framework from 1.
    """

    owner: str
    model: str
    framework: str
    variation: str
    version: int | None

    def __str__(self) -> str:
        name = f"{self.owner}/{self.model}/{self.framework}/{self.variation}"
        return name if self.version is None else f"{name}/{self.version}"

    @property
    def url(self) -> str:
        """The variation's page."""
        return f"{KAGGLE}/models/{self}"


@dataclass(frozen=True)
class Address:
    """Name a model by an address that is on neither service, such as a mirror.

    Attributes:
        url: The address as given: the cache of tensorflow_hub depends on its exact spelling.
    """

    url: str


Name = TfhubName | KaggleName | Address


class PageError(SourceError):
    """Report a name that does not say which model of a page is meant.

    Attributes:
        page: The given part of owner, model and framework, such as "google/pnasnet"; or a module's path on tfhub.dev.
    """

    def __init__(self, message: str, page: str) -> None:
        super().__init__(message)
        self.page = page


def tidied(text: str) -> str:
    """Return a name without the quotation marks and the white space around it, and without percent-encoding.

    The address of another server keeps its encoding.
    """
    text = _AROUND.sub("", text)
    if re.match(r"https?%3a", text, re.IGNORECASE):
        text = unquote(text)
    if _ADDRESS.match(text) and _host(text) not in _HUBS:
        return text
    before, query, after = text.partition("?")
    return unquote(before) + query + after


def is_name(text: str) -> bool:
    """Tell whether `text` has the form of a name of the hub, complete or not."""
    text = tidied(text)
    if _ADDRESS.match(text) or _PREFIX.match(text):
        return True
    path = _without_query(text)
    parts = path.split("/")
    return (
        _PATH.fullmatch(path) is not None
        and not path.startswith(".")
        and (
            _host(text) is not None
            or _VERSION.fullmatch(parts[-1]) is not None
            or (len(parts) in (4, 5) and parts[2].lower() in _FRAMEWORKS)
        )
    )


def parse(text: str) -> Name:
    """Read a name in any of its forms.

    Args:
        text: One of: an address of tfhub.dev or kaggle.com, with or without its query; the path alone; the handle of
            kagglehub; one of these behind "tfhub:" or "kaggle:"; any other address.

    Raises:
        PageError: It is the page of a model that has variations, and names none.
        SourceError: It does not name a model, or names one that export cannot read.
    """
    text = tidied(text)
    host = _host(text)
    prefix, _, rest = text.partition(":")
    if prefix.lower() == "hf" or host in ("huggingface.co", "hf.co"):
        raise SourceError(
            f"{text} is on Hugging Face, which hubserve does not download from; presets of KerasHub are on Kaggle too "
            "(kaggle:keras/MODEL/keras/PRESET), or download its folder with huggingface_hub, and give that folder"
        )
    if _PREFIX.match(text):
        rest = rest.lstrip("/")
        if _ADDRESS.match(rest) or _host(rest):
            return parse(rest)
        return _tfhub(text, rest) if prefix.lower() == "tfhub" else _kaggle(text, rest)
    if host is None:
        parts = _without_query(text).strip("/").split("/")
        return _kaggle(text, text) if len(parts) in (4, 5) and parts[2].lower() in _FRAMEWORKS else _tfhub(text, text)
    split = _split(text)
    if host == "tfhub.dev" and not split.path.endswith(_ARCHIVES):
        return _tfhub(text, split.path)
    if host == "kaggle.com":
        return _kaggle_page(text, _without_query(split.path).strip("/"))
    query = [(key, value) for key, value in parse_qsl(split.query, True) if key != "tf-hub-format"]
    return Address(split._replace(query=urlencode(query), fragment="").geturl())


def _host(text: str) -> str | None:
    """Return the host of an address, in lower case and without "www."; None where the text is not an address."""
    if _ADDRESS.match(text):
        return (_split(text).hostname or "").removeprefix("www.")
    first = text.partition("/")[0].lower().removeprefix("www.")
    return first if first in (*_HUBS, "huggingface.co", "hf.co") else None


def _split(text: str) -> SplitResult:
    """Split an address, which may lack its scheme.

    Raises:
        SourceError: It does not have the form of an address.
    """
    try:
        split = urlsplit(text if _ADDRESS.match(text) else f"https://{text}")
        named = bool(split.hostname) and split.port != 0
    except ValueError:
        named = False
    if not named:
        raise SourceError(f"{text} is not an address; copy the address of the model's page again")
    return split


def _tfhub(text: str, path: str) -> TfhubName | KaggleName:
    path = _without_query(path).strip("/")
    parts = path.split("/")
    if len(parts) in (4, 5) and parts[2].lower() in _FRAMEWORKS:
        return _kaggle(text, path)
    if other := next((part for part in parts if part in _OTHER_FORMATS), None):
        version = next((at for at, part in enumerate(parts) if _VERSION.fullmatch(part)), None)
        raise PageError(
            f"{text} is a model for {_OTHER_FORMATS[other]}, which export does not read",
            "/".join(part for part in parts[:version] if part != other),
        )
    if "/collection" in path or not _PATH.fullmatch(path):
        raise SourceError(
            f"{text} names no single module of TensorFlow Hub; give publisher/path/version, such as "
            "google/imagenet/pnasnet_large/classification/4 (hubserve models lists them)"
        )
    name, _, version_part = path.rpartition("/")
    if _VERSION.fullmatch(version_part) and "/" in name:
        return TfhubName(name, int(version_part))
    return TfhubName(path, None)


def _kaggle_page(text: str, path: str) -> KaggleName:
    """Read the path of a page: its long form, its short form, or the form of the API's download."""
    parts = path.split("/")
    if parts[:3] == ["api", "v1", "models"]:
        return _kaggle(text, "/".join(part for part in parts[3:] if part not in ("download", "get")))
    if parts[0] != "models":
        raise SourceError(
            f"{text} is not the page of a model; open the model's page on {KAGGLE}/models, and copy that address"
        )
    if len(parts) > 3 and parts[3] in _TABS:
        parts = parts[:3]
    # frameworks/F/variations/V/versions/N is the long form of F/V/N.
    return _kaggle(text, "/".join(part for part in parts[1:] if part not in ("frameworks", "variations", "versions")))


def _kaggle(text: str, path: str) -> KaggleName:
    parts = [part for part in _without_query(path).split("/") if part]
    if not all(re.fullmatch(_NAME, part) for part in parts) or len(parts) in (0, 1) or len(parts) > 5:
        raise SourceError(
            f"{text} is not the name of a model on Kaggle; give owner/model/framework/variation, such as "
            "google/pnasnet/tensorFlow2/large-classification"
        )
    framework = _FRAMEWORKS.get(parts[2].lower()) if len(parts) > 2 else None
    if framework is None and len(parts) > 2:
        without = ", or a name of TensorFlow Hub without kaggle:" if text.lower().startswith("kaggle:") else ""
        raise SourceError(
            f"{text} has {parts[2]} where Kaggle has a framework; give one of {', '.join(_READABLE)}{without}"
        )
    if len(parts) < 4:
        page = "/".join([*parts[:2], *([framework] if framework else [])])
        raise PageError(f"{text} is a page with several models, and names none of its variations", page)
    if framework not in _READABLE:
        raise PageError(
            f"{text} is of the framework {framework}, which export does not read",
            "/".join(parts[:2]),
        )
    if len(parts) == 5 and (not _VERSION.fullmatch(parts[4]) or int(parts[4]) < 1):
        raise SourceError(
            f"{text} has {parts[4]} where Kaggle has a version; give a number from 1 on, or leave it out for the newest"
        )
    return KaggleName(parts[0], parts[1], framework, parts[3], int(parts[4]) if len(parts) == 5 else None)


def _without_query(path: str) -> str:
    """Return a path without its query and fragment, and with single slashes."""
    return re.sub(r"/{2,}", "/", re.split(r"[?#]", path, maxsplit=1)[0]).rstrip("/")
