"""The lines of usage in the docstrings of all public names, run against a server of `hubserve.testing`."""

import ast
import asyncio
import contextlib
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import trustme

import hubserve
from hubserve import testing
from hubserve.testing import FakeServer

PUBLIC = {name: getattr(module, name) for module in (testing, hubserve) for name in module.__all__}
CLASSES = {name: value for name, value in PUBLIC.items() if inspect.isclass(value) and not issubclass(value, Exception)}
# What is said for the class is not said again for what only ends it, or is plumbing.
UNSAID = {"close", "credentials", "ask", "start", "stop"}
METHODS = {
    f"{name}.{method}": value
    for name, kind in CLASSES.items()
    for method, value in vars(kind).items()
    # The methods of Settings are for the library itself.
    if name != "Settings" and inspect.isfunction(value) and not method.startswith("_") and method not in UNSAID
}


def usage(documented: Any) -> list[str]:
    """The indented blocks before the arguments, and code in the text that does something."""
    text = re.split(r"^(?:Args|Attributes|Raises|Returns):$", inspect.getdoc(documented) or "", flags=re.MULTILINE)[0]
    blocks = [textwrap.dedent(block).strip() for block in re.findall(r"(?:^    .*\n?)+", text, re.MULTILINE)]
    return blocks + [code for code in re.findall(r"`([^`]+)`", text) if does_something(code)]


def parsed(code: str) -> ast.Module | None:
    # A statement may be told without what it is about; in a coroutine, so that it may wait.
    for whole in (code, f"{code}: pass"):
        with contextlib.suppress(SyntaxError):
            return ast.parse("async def use():\n" + textwrap.indent(whole, "    "))
    return None


def does_something(code: str) -> bool:
    tree = parsed(code)
    return tree is not None and any(isinstance(node, ast.Call | ast.Compare | ast.ListComp) for node in ast.walk(tree))


USAGE = [
    pytest.param(name, code, id=f"{name}-{number}")
    for name, documented in {**CLASSES, **METHODS}.items()
    for number, code in enumerate(usage(documented))
]


@pytest.mark.parametrize("name", [*CLASSES, *METHODS])
def test_every_public_class_and_verb_shows_its_use(name: str):
    assert usage({**CLASSES, **METHODS}[name])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "cat.jpg").write_bytes(b"cat")
    (tmp_path / "dog.jpg").write_bytes(b"dog")
    trustme.CA().cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@contextlib.contextmanager
def serving(code: str) -> Iterator[FakeServer]:
    """A server with the kind of model that the code is about."""
    if "predict" in code:
        server = FakeServer(predict=lambda signature, inputs: inputs)
    elif "features" in code or "vector" in code:
        server = FakeServer(features=lambda image: [1.0, 2.0])
    else:
        server = FakeServer(lambda image: {"cat": 0.5, "dog": 0.3, "cow": 0.2})
    with server:
        yield server


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("name", "code"), USAGE)
def test_it_runs(name: str, code: str):
    async def run(server: FakeServer) -> None:
        made = hubserve.AsyncClient if name.startswith("Async") else hubserve.Client
        client = made(server.target, model="m")
        batcher = client.classify_batcher()
        about: dict[str, Any] = {
            **PUBLIC,
            "contextlib": contextlib,
            "np": np,
            "server": server,
            "target": server.target,
            "client": client,
            "batcher": batcher,
            "images": [b"cat", b"dog"],
            "image": b"cat",
            "photograph": b"cat",
            "inputs": {"x": np.zeros((1, 2))},
            "name": "serving_default",
            "index": SimpleNamespace(add=lambda source, vector: None),
            "version": hubserve.VersionStatus(1, hubserve.VersionState.AVAILABLE, None),
            "result": hubserve.Features(source="cat.jpg", index=0, vector=np.zeros(2, np.float32))
            if "vector" in code
            else hubserve.Classification(source="cat.jpg", index=0),
        }
        tree = parsed(code.replace("localhost:8500", server.target))
        exec(compile(tree, name, "exec"), about)  # noqa: S102 - our own
        await about["use"]()
        for used in (batcher, client):
            closed = used.close()
            if inspect.isawaitable(closed):
                await closed

    with serving(code) as server:
        asyncio.run(run(server))
