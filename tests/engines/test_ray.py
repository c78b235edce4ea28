"""Ray Data on this machine: every row once, whatever is in it, and the guide's program."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.conftest import ROWS, image, label, run_guide, run_with_a_secret
from hubserve import Retry, Settings, UsageError
from hubserve.testing import FakeServer

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
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


def test_what_the_schema_tells_is_refused_without_running(cluster, images_file: str) -> None:
    from hubserve.ray import classify, features

    images = ray.data.read_parquet(images_file)
    settings = Settings("localhost:1", model="m")
    with pytest.raises(UsageError, match="there is no column 'image': give column=, one of 'id', 'bytes', 'nested'"):
        classify(images, settings, column="image")
    with pytest.raises(UsageError, match="the column 'id' is of type int64"):
        features(images, settings, column="id")
    with pytest.raises(UsageError, match="there is a column 'nested' already"):
        classify(images, settings, output="nested")


def test_a_data_set_without_rows_stays_one(cluster, images_file: str) -> None:
    from hubserve.ray import classify

    empty = ray.data.read_parquet(images_file).filter(lambda row: row["id"] < 0)
    assert classify(empty, Settings("localhost:1", model="m"), workers=1).take_all() == []


def test_an_outage_fails_the_job_with_the_clients_words(cluster, server: FakeServer, images_file: str) -> None:
    from hubserve.ray import classify

    server.stop()
    settings = Settings(server.target, model="pnasnet", retry=Retry(max_seconds=1))
    with pytest.raises(Exception, match="no answer from"):
        classify(ray.data.read_parquet(images_file), settings, workers=1).materialize()


def test_no_log_has_the_secret(server: FakeServer) -> None:
    program = """if True:
        import sys
        import ray
        from hubserve import Settings
        from hubserve.ray import classify

        target, token, folder = sys.argv[1], sys.argv[2][::-1], sys.argv[3]
        ray.init(num_cpus=2, object_store_memory=100 * 2**20, include_dashboard=False, _temp_dir=folder)
        for model in ("pnasnet", "other"):
            settings = Settings(target, model=model, token=token, allow_plaintext_token=True)
            labelled = classify(ray.data.from_items([{"bytes": b"image 1"}]), settings, workers=1)
            print(labelled)
            try:
                print(labelled.take_all())
                print(labelled.stats())
            except Exception as error:
                print("failed", error)
    """
    # The names of Ray's sockets are long, and must not be longer than 107 characters.
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        secret, said = run_with_a_secret(program, server, folder)
        logs = [file.read_bytes() for file in Path(folder).rglob("*") if file.suffix in (".log", ".out", ".err")]

    assert logs
    assert secret not in said
    assert not [log for log in logs if secret.encode() in log]


def test_the_guide_labels_two_thousand_rows(server: FakeServer, images_file: str) -> None:
    run_guide("ray.md", server, Path(images_file).parent)
