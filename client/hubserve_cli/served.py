"""Find the names of the models that a server may have. TensorFlow Serving has no call that lists them."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hubserve import Client, ModelNotFound, VersionStatus

from .common.options import Server

_METRICS_PATH = "/monitoring/prometheus/metrics"
_METRICS_PORT = 8501
_METRICS_BYTES = 16 * 2**20
_SECONDS = 5.0
# What TensorFlow counts when it loads a version, and TensorFlow Serving when a model is called.
_LOADED = re.compile(r'^:tensorflow:cc:saved_model:load_attempt_count\{[^}]*model_path="(?P<path>[^"]+)"', re.MULTILINE)
_CALLED = re.compile(r'^:tensorflow:serving:[^{\s]*\{[^}]*model_name="(?P<name>[^"]+)"', re.MULTILINE)
_CONFIGURED = re.compile(r"""^\s*(?:config\s*:?\s*\{\s*)?name\s*:\s*(["'])(?P<name>[^"']+)\1""", re.MULTILINE)
# The embedded engine says this of a name that it does not know; TensorFlow Serving does not.
_ONLY = re.compile(r"; this server has (?P<name>.+)$")
_NO_MODEL = "hubserve-models"


class Served(NamedTuple):
    """A model that a server has.

    Attributes:
        name: Its name on the server.
        source: Where the name is from, in words.
        versions: Its versions, as the server tells them.
    """

    name: str
    source: str
    versions: tuple[VersionStatus, ...]


def served(server: Server, named: Sequence[tuple[str, str]]) -> tuple[list[Served], list[str]]:
    """Ask a server for each name that it may have.

    Args:
        server: The server.
        named: Names, each with where it is from.

    Returns:
        The models that the server has, and the names that it does not know.

    Raises:
        HubserveError: The server does not answer.
    """
    found: list[Served] = []
    unknown: list[str] = []
    for name, source in dict(reversed(named)).items():
        asked: Server = {**server, "model": name}
        try:
            with Client(**asked, timeout=_SECONDS) as client:
                found.append(Served(name, source, client.status()))
        except ModelNotFound:
            unknown.append(name)
    return sorted(found), unknown


def told_by_the_server(server: Server) -> Iterator[tuple[str, str]]:
    """Return the name that the embedded engine tells when it is asked for another one.

    Raises:
        HubserveError: The server does not answer.
    """
    asked: Server = {**server, "model": _NO_MODEL}
    try:
        with Client(**asked, timeout=_SECONDS) as client:
            client.status()
    except ModelNotFound as error:
        if found := _ONLY.search(error.details):
            yield found["name"], "the server"


def metrics_address(server: Server) -> str:
    """Return where the metrics of a server usually are: TensorFlow Serving's REST port."""
    target = server["target"] if isinstance(server["target"], str) else server["target"][0]
    place = target.rpartition("/")[2]
    host = place.rpartition(":")[0] if re.search(r":\d+$", place) else place
    return f"http://{host}:{_METRICS_PORT}{_METRICS_PATH}"


def in_metrics(address: str) -> list[tuple[str, str]]:
    """Return the models that the metrics of a server name.

    Raises:
        OSError: There are no metrics there.
    """
    # The address is the user's own.
    with urllib.request.urlopen(address, timeout=_SECONDS) as answer:  # noqa: S310
        text = answer.read(_METRICS_BYTES).decode("utf-8", "replace")
    paths = [Path(found["path"]) for found in _LOADED.finditer(text)]
    names = [path.parent.name for path in paths if path.name.isdecimal()]
    names += [found["name"] for found in _CALLED.finditer(text)]
    return [(name, "its metrics") for name in dict.fromkeys(names)]


def in_config(file: Path) -> list[tuple[str, str]]:
    """Return the models that a model config file of TensorFlow Serving names (`--model_config_file`).

    Raises:
        OSError: It cannot be read.
    """
    text = file.read_text(encoding="utf-8", errors="replace")
    return [(found["name"], str(file)) for found in _CONFIGURED.finditer(text)]


def in_folder(folder: Path) -> list[tuple[str, str]]:
    """Return the names of the models in a folder: each has a folder with a version, such as `pnasnet/1`.

    Raises:
        OSError: It cannot be read.
    """
    return [
        (child.name, str(folder))
        for child in sorted(folder.iterdir())
        if child.is_dir() and any(each.name.isdecimal() and each.is_dir() for each in child.iterdir())
    ]


def no_metrics(address: str, error: Exception) -> str:
    """Return why there are no metrics, for a person."""
    reason = getattr(error, "reason", None) or error
    return f"no metrics at {address} ({reason})"
