"""Check the connection to a server: variables of the environment, the server itself, a model directory."""

from __future__ import annotations

import os
import sys
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from hubserve import Client, HubserveError, ModelNotFound, NotAModelServer, Retry

from ..common.options import Server
from ..common.words import in_words
from .finding import Finding, output_of, presentable

_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")
_EXCEPTIONS = ("no_grpc_proxy", "no_proxy")
_OTHERS = ("GRPC_VERBOSITY", "GRPC_TRACE", "GRPC_DNS_RESOLVER", "TF_CPP_MIN_LOG_LEVEL", "CUDA_VISIBLE_DEVICES")
_SECRET = "TOKEN"  # noqa: S105 - a part of a name
# A name that no server has: only a model server answers NOT_FOUND.
_NO_MODEL = "hubserve-doctor"


def findings(server: Server, model_dir: Path | None) -> Iterator[Finding]:
    """Return the findings about the connection to a server.

    Args:
        server: The server to check; without a target, none.
        model_dir: A model's base folder, or None.
    """
    yield _environment()
    yield _proxy()
    if server["target"]:
        yield _server(server)
    else:
        yield Finding("server", "absent", "none is named", "to look at one: --server HOST:PORT --model NAME")
    if model_dir is not None:
        yield _directory(model_dir)


def _environment() -> Finding:
    names = sorted(name for name in os.environ if name.startswith("HUBSERVE_") or name in _OTHERS)
    shown = [f"{name}={_shown(name)}" for name in names]
    return Finding("environment", "ok", ", ".join(shown) or "no variable that hubserve reads")


def _shown(name: str) -> str:
    """Return the value of a variable, or "(hidden)" if it may be a secret."""
    if _SECRET in name and not name.endswith("_FILE") and name != "HUBSERVE_ALLOW_PLAINTEXT_TOKEN":
        return "(hidden)"
    return presentable(os.environ[name])


def _proxy() -> Finding:
    # gRPC reads these variables in this order.
    variable = next((name for name in _PROXIES if os.environ.get(name)), None)
    if variable is None:
        return Finding("proxy", "ok", "none for gRPC")
    past = next((f"{name}={os.environ[name]}" for name in _EXCEPTIONS if os.environ.get(name)), "no host is excepted")
    address = urllib.parse.urlsplit(os.environ[variable]).netloc.rpartition("@")[2] or "(no address)"
    return Finding(
        "proxy",
        "ok",
        f"gRPC sends calls through that of {variable}, {address}; {past}",
        "if a server does not answer: set no_grpc_proxy to its host",
    )


def _server(server: Server) -> Finding:
    place = server["target"] if isinstance(server["target"], str) else ", ".join(server["target"])
    asked: Server = {**server, "model": server["model"] or _NO_MODEL}
    try:
        with Client(**asked, timeout=5, retry=Retry(max_seconds=5)) as client:
            versions = client.status()
    except ModelNotFound as error:
        if not server["model"]:
            return Finding("server", "ok", f"{place} is a model server; --model NAME also looks at a model")
        return Finding("server", "problem", f"{place}: {presentable(in_words(str(error)))}", "correct --model")
    except NotAModelServer as error:
        return Finding("server", "problem", presentable(in_words(str(error))), "correct --server")
    except (HubserveError, OSError, ValueError) as error:
        return Finding(
            "server", "problem", presentable(in_words(str(error))), "do what the message says, or start the server"
        )
    states = ", ".join(f"version {each.version} {each.state}" for each in versions)
    available = any(each.available for each in versions)
    return Finding(
        "server",
        "ok" if available else "problem",
        f"{place}, model {server['model']}: {states}",
        "" if available else "wait for it: hubserve status --wait 60",
    )


def _directory(model_dir: Path) -> Finding:
    # The subcommand of another part checks model directories.
    well, said = output_of([sys.executable, "-m", "hubserve", "inspect", str(model_dir), "--verify"])
    said = presentable(said.removeprefix("Error: "))
    return Finding("model directory", "ok" if well else "problem", said, "" if well else "copy it or export it again")
