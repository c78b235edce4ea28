"""Models made once for all tests that look at them."""

import dataclasses
from pathlib import Path

import pytest

from hubserve_export import Options, export
from models import pnasnet
from support.once import made_once
from support.session import LoadedVersion


@pytest.fixture(scope="session")
def lite0_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base folder of efficientnet-lite0, exported as version 1."""
    return made_once(
        tmp_path_factory, "lite0", lambda base: export(Options("efficientnet-lite0", base, batch_sizes=(1, 8)))
    )


@pytest.fixture(scope="session")
def miniature_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small PNASNet in the hub's reusable SavedModel form."""
    return made_once(tmp_path_factory, "miniature-saved", pnasnet.Pnasnet(pnasnet.MINIATURE).save)


@pytest.fixture(scope="session")
def miniature_dir(miniature_saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base folder of the small PNASNet, exported as version 1."""
    return made_once(
        tmp_path_factory,
        "miniature",
        lambda base: export(Options(str(miniature_saved), base, batch_sizes=(1, 2))),
    )


@pytest.fixture(scope="session")
def features_saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small PNASNet without its classes, in the hub's reusable SavedModel form."""
    without_classes = dataclasses.replace(pnasnet.MINIATURE, classes=None)
    return made_once(tmp_path_factory, "features-saved", lambda folder: pnasnet.Pnasnet(without_classes).save(folder))


@pytest.fixture(scope="session")
def features_dir(features_saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base folder of the small PNASNet of feature vectors, exported as version 1."""
    return made_once(
        tmp_path_factory,
        "features",
        lambda base: export(Options(str(features_saved), base, batch_sizes=(1, 2))),
    )


@pytest.fixture(scope="session")
def lite0(lite0_dir: Path) -> LoadedVersion:
    """efficientnet-lite0's version 1, loaded in a session."""
    return LoadedVersion(lite0_dir / "1")
