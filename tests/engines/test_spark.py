"""Spark in local mode: every row once, whatever is in it, and the guide's program."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.conftest import ROWS, image, label, run_guide, run_with_a_secret
from hubserve import Retry, Settings, UsageError
from hubserve.testing import FakeServer, Fault, Request

pyspark = pytest.importorskip("pyspark")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def spark() -> Iterator["pyspark.sql.SparkSession"]:
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[2,4]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "1g")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", "64")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


def rows_of(frame) -> dict[int, object]:
    found = frame.collect()
    assert len(found) == len({row.id for row in found})
    return {row.id: row for row in found}


def test_every_row_is_answered_once_in_arrow_and_in_pandas(spark, server: FakeServer, images_file: str) -> None:
    from pyspark.sql import functions

    from hubserve.spark import classify_udf

    secret = Settings(server.target, model="pnasnet", token="the-secret", allow_plaintext_token=True)  # noqa: S106
    classify = classify_udf(secret, column="bytes", top_k=1)
    frame = spark.read.parquet(images_file).repartition(8).filter(functions.col("id") < ROWS)
    labelled = frame.transform(classify.transform)
    plan = labelled._jdf.queryExecution().toString()
    rows = rows_of(labelled)

    assert labelled.schema == classify.schema(frame)
    assert "hubserve_classify" in plan
    assert "the-secret" not in plan + repr(classify)
    assert len(rows) == ROWS
    for number, row in rows.items():
        assert (row.bytes and bytes(row.bytes), row.nested["ü"]) == (image(number), [number])
        assert row.classification.label == label(number)
        assert (row.classification.error is None) == (label(number) is not None)
    assert rows_of(frame.mapInPandas(classify, classify.schema(frame))) == rows
    assert frame.limit(0).transform(classify.transform).collect() == []

    spark.conf.set("spark.sql.execution.arrow.useLargeVarTypes", "true")
    try:
        assert rows_of(labelled.limit(50)) == {each: rows[each] for each in rows_of(labelled.limit(50))}
    finally:
        spark.conf.unset("spark.sql.execution.arrow.useLargeVarTypes")


def test_a_task_that_fails_is_repeated_and_its_rows_come_once(spark, server: FakeServer, images_file: str) -> None:
    from hubserve.spark import classify_udf

    failed: list[Request] = []

    def before(request: Request) -> None:
        if b"image 1500" in request.images and len(failed) < 2:
            failed.append(request)
            raise Fault("PERMISSION_DENIED", "not now")

    server.before = before
    classify = classify_udf(Settings(server.target, model="pnasnet"), column="bytes")
    rows = rows_of(spark.read.parquet(images_file).repartition(4).transform(classify.transform))

    assert len(failed) == 2
    assert {number: row.classification.label for number, row in rows.items()} == {
        number: label(number) for number in range(ROWS)
    }


def test_an_outage_fails_the_job_with_the_clients_words(spark, server: FakeServer, images_file: str) -> None:
    from hubserve.spark import classify_udf

    server.stop()
    settings = Settings(server.target, model="pnasnet", retry=Retry(max_seconds=1))
    classify = classify_udf(settings, column="bytes")

    with pytest.raises(Exception, match="no answer from"):
        spark.read.parquet(images_file).transform(classify.transform).count()


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ("id int, bytes int", "the column 'bytes' is of type int: images are binary, string"),
        ("id int", "there is no column 'bytes'"),
        ("bytes binary, Classification int", "there is a column 'Classification' already"),
        ("bytes binary, `a.b` int", "rename it first"),
        ("bytes struct<height:int,data:binary>", "is of type struct"),
    ],
)
def test_what_cannot_be_asked_about_is_refused_without_running(spark, schema: str, words: str) -> None:
    from hubserve.spark import classify_udf

    frame = spark.createDataFrame([], schema)
    with pytest.raises(UsageError, match=words):
        frame.transform(classify_udf(Settings("localhost:1", model="m"), column="bytes").transform)


def test_a_column_or_a_frame_in_place_of_batches_is_refused_with_a_remedy(spark) -> None:
    from pyspark.sql import functions

    from hubserve.spark import classify_udf

    classify = classify_udf(Settings("localhost:1", model="m"))
    for given in ("content", functions.col("content"), spark.createDataFrame([], "content binary")):
        with pytest.raises(UsageError, match=r"maps whole batches, and not a column: use frame\.transform"):
            classify(given)


def test_feature_vectors_are_arrays(spark) -> None:
    from hubserve.spark import features_udf

    with FakeServer(features=lambda data: [float(len(data)), 0.5]) as server:
        frame = spark.createDataFrame([(1, b"aaa")], "id int, content binary")
        (row,) = frame.transform(features_udf(Settings(server.target, model="m")).transform).collect()

    assert row.features.asDict() == {"status": 0, "vector": [3.0, 0.5], "error": None, "model_version": 1}


def test_no_plan_and_no_log_has_the_secret(server: FakeServer) -> None:
    program = """if True:
        import sys
        from pyspark.sql import SparkSession
        from hubserve import Settings
        from hubserve.spark import classify_udf

        target, token = sys.argv[1], sys.argv[2][::-1]
        spark = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
        spark.sparkContext.setLogLevel("INFO")
        frame = spark.createDataFrame([(1, b"image 1")], "id int, bytes binary")
        for model in ("pnasnet", "other"):
            settings = Settings(target, model=model, token=token, allow_plaintext_token=True)
            labelled = frame.transform(classify_udf(settings, column="bytes").transform)
            labelled.explain(True)
            try:
                print(labelled.collect())
            except Exception as error:
                print("failed", error)
    """
    secret, said = run_with_a_secret(program, server)

    assert "hubserve_classify" in said
    assert "TaskSetManager" in said
    assert secret not in said


def test_the_daemon_imports_before_it_forks_and_killed_workers_have_successors(
    server: FakeServer, images_file: str, tmp_path: Path
) -> None:
    program = """if True:
        import json
        import os
        import signal
        import sys
        from pathlib import Path
        from pyspark.sql import SparkSession
        from hubserve import Settings
        from hubserve.spark import classify_udf

        target, file, folder = sys.argv[1:]
        spark = (
            SparkSession.builder.master("local[2,8]")
            .config("spark.ui.enabled", "false")
            .config("spark.python.daemon.module", "hubserve.spark_daemon")
            .getOrCreate()
        )
        spark.sparkContext.setLogLevel("OFF")
        classify = classify_udf(Settings(target, model="pnasnet"), column="bytes", top_k=1)

        def killed_twice(batches):
            daemon = Path(f"/proc/{os.getppid()}")
            seen = {
                "command": (daemon / "cmdline").read_text(),
                "threads": [(task / "comm").read_text().strip() for task in (daemon / "task").iterdir()],
                "grpc": "cygrpc" in (daemon / "maps").read_text(),
                "pyarrow": "libarrow" in (daemon / "maps").read_text(),
            }
            Path(folder, f"worker-{os.getpid()}").write_text(json.dumps(seen))
            for batch in classify(batches):
                yield batch
                for number in (1, 2):
                    try:
                        Path(folder, f"killed-{number}").mkdir()
                    except FileExistsError:
                        continue
                    os.kill(os.getpid(), signal.SIGKILL)

        frame = spark.read.parquet(file).repartition(8)
        rows = frame.mapInArrow(killed_twice, classify.schema(frame)).collect()
        print(json.dumps([[row.id, row.classification.label] for row in rows]))
    """
    command = [sys.executable, "-c", program, server.target, images_file, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)

    assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads(done.stdout.splitlines()[-1])
    assert sorted(rows) == [[number, label(number)] for number in range(ROWS)]
    assert len(list(tmp_path.glob("killed-*"))) == 2
    workers = [json.loads(file.read_text()) for file in tmp_path.glob("worker-*")]
    assert len(workers) > 2
    for seen in workers:
        assert "hubserve.spark_daemon" in seen["command"]
        assert (seen["grpc"], seen["pyarrow"]) == (True, True)
        # Arrow's allocator has a thread, and knows forks.
        assert len([name for name in seen["threads"] if name != "jemalloc_bg_thd"]) == 1, seen["threads"]


def test_the_guide_labels_two_thousand_rows(server: FakeServer, images_file: str) -> None:
    run_guide("spark.md", server, Path(images_file).parent)
