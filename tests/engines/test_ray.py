"""Ray Data on this machine: every row once, whatever is in it, and the guide's program."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.conftest import ROWS, image, label, run_guide
from hubserve import Settings, UsageError
from hubserve.testing import FakeServer

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[None]:
    ray.init(num_cpus=2, object_store_memory=100 * 2**20, include_dashboard=False, logging_level="error")
    yield
    ray.shutdown()


def test_every_row_is_answered_once(cluster, server: FakeServer, images_file: str) -> None:
    from hubserve.ray import classify

    secret = Settings(server.target, model="pnasnet", token="the-secret", allow_plaintext_token=True)  # noqa: S106
    images = ray.data.read_parquet(images_file)
    labelled = classify(images, secret, top_k=1, workers=1, num_cpus=0.5)
    rows = {row["id"]: row for row in labelled.take_all()}

    assert labelled.count() == len(rows) == ROWS
    assert "the-secret" not in repr(labelled)
    for number, row in rows.items():
        assert (row["bytes"], row["nested"]["ü"]) == (image(number), [number])
        assert row["classification"]["label"] == label(number)
        assert (row["classification"]["error"] is None) == (label(number) is not None)


def test_the_workers_share_a_budget(cluster, server: FakeServer) -> None:
    from hubserve.ray import classify

    images = ray.data.from_items([{"bytes": b"a"}])
    mapped = classify(images, Settings(server.target, model="pnasnet"), workers=64, in_flight=96)
    operator = mapped._logical_plan.dag

    assert operator.fn_constructor_kwargs["settings"].max_concurrency == 1
    with pytest.raises(UsageError, match="workers must be"):
        classify(images, Settings(server.target, model="pnasnet"), workers=0)


def test_the_guide_labels_two_thousand_rows(server: FakeServer, images_file: str) -> None:
    run_guide("ray.md", server, Path(images_file).parent)
