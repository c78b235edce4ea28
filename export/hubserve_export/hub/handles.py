"""Read every form in which a page, a README or a code sample names a model, as one value.

Two services name the same models. tfhub.dev has publisher/path/VERSION, such as
google/imagenet/pnasnet_large/classification/4. Kaggle Models, where tfhub.dev redirects a browser to, has
owner/model/framework/variation/VERSION, such as google/pnasnet/tensorFlow2/large-classification/1.
Nothing here asks the network, and nothing is guessed: what is missing is asked for by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from .._errors import SourceError

TFHUB = "https://tfhub.dev"
KAGGLE = "https://www.kaggle.com"

# Kaggle's frameworks, as its pages spell them. Older pages and links write TensorFlow2; capitals do not count.
_FRAMEWORKS = {
    name.lower(): name
    for name in ("tensorFlow1", "tensorFlow2", "tfLite", "tfJs", "pyTorch", "jax", "flax", "keras", "coral", "onnx")
} | {"transformers": "transformers", "scikitlearn": "scikitLearn", "other": "other"}
# What export can read: SavedModels, modules of TensorFlow 1, presets of KerasHub.
_READABLE = ("tensorFlow2", "tensorFlow1", "keras")
_NAME = r"[\w.-]+"
_PATH = re.compile(rf"{_NAME}(/{_NAME})+")
# A query that asks a service for a form of the model, or says how the user came: no part of the name.
_NO_PART_OF_THE_NAME = ("tf-hub-format", "tfhub-redirect", "tfjs-format", "lite-format", "select")
_ARCHIVES = (".tar.gz", ".tgz")


@dataclass(frozen=True)
class TfhubName:
    """A module on tfhub.dev.

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
    """A variation of a model on Kaggle Models.

    Attributes:
        owner: The publisher there, such as "google".
        model: The model's page, such as "pnasnet".
        framework: "tensorFlow2", "tensorFlow1" or "keras".
        variation: Such as "large-classification".
        version: The version, which Kaggle counts for each framework; None for the newest.
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
    """A model at an address of neither service, such as a mirror.

    Attributes:
        url: The address as given, because tensorflow_hub's cache goes by its exact spelling.
    """

    url: str


Name = TfhubName | KaggleName | Address


class PageError(SourceError):
    """Report a name that is that of a page with several models.

    Attributes:
        page: Owner, model and framework, as far as they were given, such as "google/pnasnet".
    """

    def __init__(self, message: str, page: str) -> None:
        super().__init__(message)
        self.page = page


def is_name(text: str) -> bool:
    """Tell whether `text` is written like a name of the hub, complete or not."""
    if text.startswith(("http://", "https://", "tfhub:", "kaggle:", "hf://")):
        return True
    path = _without_query(text)
    parts = path.split("/")
    return (
        _PATH.fullmatch(path) is not None
        and not path.startswith(".")
        and (
            parts[0] in ("tfhub.dev", "www.tfhub.dev", "kaggle.com", "www.kaggle.com")
            or parts[-1].isdecimal()
            or (len(parts) in (4, 5) and parts[2].lower() in _FRAMEWORKS)
        )
    )


def parse(text: str) -> Name:
    """Read a name in any of its forms.

    Args:
        text: An address of tfhub.dev or kaggle.com, with or without its query; the path alone; the handle of kagglehub;
            one of these behind "tfhub:" or "kaggle:"; or any other address.

    Raises:
        PageError: It is the page of a model that has variations, and names none.
        SourceError: It names no model, or one that export cannot read.
    """
    if text.startswith("hf://"):
        raise SourceError(
            f"{text} is on Hugging Face, where hubserve does not download from; download its folder with "
            "huggingface_hub, and give that folder"
        )
    for prefix, read in (("tfhub:", _tfhub), ("kaggle:", _kaggle)):
        if text.startswith(prefix):
            rest = text[len(prefix) :].lstrip("/")
            return parse(rest) if _host(rest) else read(text, rest.rstrip("/"))
    host = _host(text)
    if host is None:
        parts = text.strip("/").split("/")
        if len(parts) in (4, 5) and parts[2].lower() in _FRAMEWORKS:
            return _kaggle(text, "/".join(parts))
        return _tfhub(text, "/".join(parts))
    split = urlsplit(text if "://" in text else f"https://{text}")
    if host == "tfhub.dev" and not split.path.endswith(_ARCHIVES):
        return _tfhub(text, split.path.strip("/"))
    if host == "kaggle.com":
        return _kaggle_page(text, split.path.strip("/"))
    query = [(key, value) for key, value in parse_qsl(split.query, True) if key != "tf-hub-format"]
    return Address(split._replace(query=urlencode(query), fragment="").geturl())


def _host(text: str) -> str | None:
    """Return the host of an address, without "www."; None where the text is none."""
    if "://" in text:
        return (urlsplit(text).hostname or "").removeprefix("www.")
    first = text.partition("/")[0].removeprefix("www.")
    return first if first in ("tfhub.dev", "kaggle.com") else None


def _tfhub(text: str, path: str) -> TfhubName:
    path = _without_query(path)
    if "/collection" in path or not _PATH.fullmatch(path):
        raise SourceError(
            f"{text} names no single module of TensorFlow Hub; give publisher/path/version, such as "
            "google/imagenet/pnasnet_large/classification/4 (hubserve models lists them)"
        )
    name, _, version = path.rpartition("/")
    return TfhubName(name, int(version)) if version.isdecimal() and "/" in name else TfhubName(path, None)


def _kaggle_page(text: str, path: str) -> KaggleName:
    """Read the path of a page: its long form, its short form, or that of the API's download."""
    parts = path.split("/")
    if parts[:3] == ["api", "v1", "models"]:
        return _kaggle(text, "/".join(part for part in parts[3:] if part not in ("download", "get")))
    if parts[0] != "models":
        raise SourceError(
            f"{text} is not the page of a model; open the model's page on {KAGGLE}/models, and copy that address"
        )
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
        raise SourceError(f"{text} has {parts[2]} where Kaggle has a framework; give one of {', '.join(_READABLE)}")
    if len(parts) < 4:
        page = "/".join([*parts[:2], *([framework] if framework else [])])
        raise PageError(f"{text} is a page with several models, and names none of its variations", page)
    if framework not in _READABLE:
        raise PageError(
            f"{text} is of the framework {framework}, which export does not read",
            "/".join(parts[:2]),
        )
    if len(parts) == 5 and not parts[4].isdecimal():
        raise SourceError(
            f"{text} has {parts[4]} where Kaggle has a version; give a number, or leave it away for the newest"
        )
    return KaggleName(parts[0], parts[1], framework, parts[3], int(parts[4]) if len(parts) == 5 else None)


def _without_query(path: str) -> str:
    return re.split(r"[?#]", path, maxsplit=1)[0].rstrip("/")
