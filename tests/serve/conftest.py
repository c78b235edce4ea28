from collections.abc import Iterator
from pathlib import Path

import pytest

from hubserve_serve import EmbeddedServer
from serve.calls import Caller, calling
from serve.toys import model_dir, save_toy


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_toy(tmp_path_factory.mktemp("saved") / "toy")


@pytest.fixture(scope="session")
def server(toy: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A folder with two versions, without batching; the folder's name is the model's."""
    with EmbeddedServer(model_dir(toy, tmp_path_factory.mktemp("models") / "toy", 1, 3)) as running:
        yield running


@pytest.fixture(scope="session")
def caller(server: EmbeddedServer) -> Iterator[Caller]:
    with calling(server.target) as stubs:
        yield stubs


@pytest.fixture
def toy_dir(tmp_path: Path) -> Path:
    """A base folder that looks like a model's with versions 1 and 3, for servers that do not load it."""
    base = tmp_path / "models" / "toy"
    for version in ("1", "3"):
        (base / version).mkdir(parents=True)
        (base / version / "saved_model.pb").touch()
    return base
