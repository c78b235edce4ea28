"""The stand-in for both services of the hub, and empty caches."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from hubserve_export.hub.module_cache import Caches
from support import fake_hub
from support.fake_hub import FakeHub


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakeHub, Path]]:
    with fake_hub.running(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
def hub(services: tuple[FakeHub, Path], caches: Caches, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    hub, bundle = services
    hub.faults, hub.once, hub.private = {}, False, False
    hub.requests.clear()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("HUBSERVE_TFHUB_URL", hub.services.tfhub)
    monkeypatch.setenv("HUBSERVE_KAGGLE_URL", hub.services.kaggle)
    return hub


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Caches:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in (
        "KAGGLE_API_TOKEN",
        "KAGGLE_USERNAME",
        "KAGGLE_KEY",
        "KAGGLE_CONFIG_DIR",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
    ):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "tfhub"))
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kagglehub"))
    return Caches(tmp_path / "tfhub", tmp_path / "kagglehub")
