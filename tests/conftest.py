"""Models exported once for all tests that look at them."""

import dataclasses
from pathlib import Path

import pytest

from hubserve_export._export import Options, export
from models import pnasnet
from support.session import LoadedVersion


@pytest.fixture(scope="session")
def lite0_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base folder of efficientnet-lite0, exported as version 1."""
    base = tmp_path_factory.mktemp("models") / "lite0"
    export(Options("efficientnet-lite0", base, batch_sizes=(1, 8)))
    return base


@pytest.fixture(scope="session")
def miniature_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small PNASNet in the hub's reusable SavedModel form."""
    folder = tmp_path_factory.mktemp("hub") / "miniature"
    pnasnet.Pnasnet(pnasnet.MINIATURE).save(folder)
    return folder


@pytest.fixture(scope="session")
def miniature_dir(miniature_saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base folder of the small PNASNet, exported as version 1."""
    base = tmp_path_factory.mktemp("models") / "miniature"
    export(Options(str(miniature_saved), base, batch_sizes=(1, 2)))
    return base


@pytest.fixture(scope="session")
def features_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small PNASNet without its classes, in the hub's reusable SavedModel form."""
    folder = tmp_path_factory.mktemp("hub") / "features"
    pnasnet.Pnasnet(dataclasses.replace(pnasnet.MINIATURE, classes=None)).save(folder)
    return folder


@pytest.fixture(scope="session")
def features_dir(features_saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base folder of the small PNASNet of feature vectors, exported as version 1."""
    base = tmp_path_factory.mktemp("models") / "features"
    export(Options(str(features_saved), base, batch_sizes=(1, 2)))
    return base


@pytest.fixture(scope="session")
def lite0(lite0_dir: Path) -> LoadedVersion:
    """efficientnet-lite0's version 1, loaded in a session."""
    return LoadedVersion(lite0_dir / "1")
