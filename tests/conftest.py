"""Models made once for all tests that look at them. Only a test that asks for one imports TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.once import made_once

if TYPE_CHECKING:
    from support.session import LoadedVersion


def _saved(factory: pytest.TempPathFactory, name: str) -> Path:
    """Return the folder of a source model, made by the function `{name}_saved` of `models.exported`."""
    from models import exported

    return made_once(factory, f"{name}-saved", getattr(exported, f"{name}_saved"))


def _exported(factory: pytest.TempPathFactory, name: str, saved: Path) -> Path:
    """Return the base folder of a source model's export."""
    from models import exported

    return made_once(factory, name, lambda base: exported.of(saved, base))


@pytest.fixture(scope="session")
def lite0_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the base folder of efficientnet-lite0, exported as version 1."""
    from models import exported

    return made_once(tmp_path_factory, "lite0", exported.lite0)


@pytest.fixture(scope="session")
def miniature_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a small PNASNet in the hub's reusable SavedModel form."""
    return _saved(tmp_path_factory, "miniature")


@pytest.fixture(scope="session")
def miniature_dir(miniature_saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the base folder of the small PNASNet, exported as version 1."""
    return _exported(tmp_path_factory, "miniature", miniature_saved)


@pytest.fixture(scope="session")
def light_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a network of one convolution for the 1001 classes, for tests whose subject is not the network."""
    return _saved(tmp_path_factory, "light")


@pytest.fixture(scope="session")
def light_dir(light_saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the base folder of the network of one convolution, exported as version 1."""
    return _exported(tmp_path_factory, "light", light_saved)


@pytest.fixture(scope="session")
def features_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Save a small PNASNet without its classes, in the hub's reusable SavedModel form."""
    return _saved(tmp_path_factory, "features")


@pytest.fixture(scope="session")
def features_dir(features_saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the base folder of the small PNASNet of feature vectors, exported as version 1."""
    return _exported(tmp_path_factory, "features", features_saved)


@pytest.fixture(scope="session")
def lite0(lite0_dir: Path) -> LoadedVersion:
    """Return efficientnet-lite0's version 1, loaded in a session."""
    from support.session import LoadedVersion

    return LoadedVersion(lite0_dir / "1")
