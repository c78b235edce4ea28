"""The jobs that `engines.py` starts in the environment of each engine: rows of a Parquet file in, ids and labels out.

    .engines/spark/bin/python benchmarks/engine_programs.py spark images.parquet labels HOST:PORT,HOST:PORT

The last line on standard output is when the job began and ended, in seconds of the monotonic clock, which all
processes of the machine share. The start of the engine is not part of the job.
"""

from __future__ import annotations

import os
import sys
import time

import pyarrow.parquet as parquet

from hubserve import Retry, Settings

BATCH = 256


def settings(targets: str) -> Settings:
    return Settings(targets.split(","), model="m", retry=Retry(max_seconds=300))


def row_group_bytes(file: str) -> int:
    found = parquet.ParquetFile(file)
    return os.path.getsize(file) // found.num_row_groups + 1


def spark(file: str, output: str, targets: str) -> tuple[float, float]:
    from pyspark.sql import SparkSession

    from hubserve.spark import classify_udf

    session = (
        # Tasks mostly wait for servers. A worker that is killed fails its task.
        SparkSession.builder.master("local[4,20]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.memory", "2g")
        .config("spark.sql.execution.arrow.maxRecordsPerBatch", str(BATCH))
        # The successor of a killed worker imports nothing.
        .config("spark.python.daemon.module", "hubserve.spark_daemon")
        # A task for each of the file's row groups: a worker that is killed loses seconds of work.
        .config("spark.sql.files.maxPartitionBytes", str(row_group_bytes(file)))
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("OFF")
    classify = classify_udf(settings(targets), column="bytes", top_k=1)
    began = time.monotonic()
    images = session.read.parquet(file)
    labelled = images.transform(classify.transform)
    labelled.select("id", "classification.label", "classification.error").write.parquet(output)
    ended = time.monotonic()
    session.stop()
    return began, ended


def ray(file: str, output: str, targets: str) -> tuple[float, float]:
    # Ray 2.60 starts 32 processes to read the footer of one file.
    os.environ["RAY_DATA_PARQUET_FOOTER_NUM_ACTORS"] = "1"
    # Its workers have niceness 15. Here they share the processor with the servers, which would take it all.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - it is so called
    import ray

    from hubserve.ray import classify

    ray.init(num_cpus=4, object_store_memory=500 * 2**20, include_dashboard=False, logging_level="error")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # Ray repeats the blocks that a worker works on. A worker that lives for seconds never finishes one of the default
    # size, 60,000 of these rows. One of 250 rows is a second of work.
    context.target_max_block_size = row_group_bytes(file) // 4
    began = time.monotonic()
    images = ray.data.read_parquet(file, override_num_blocks=parquet.ParquetFile(file).num_row_groups)
    # Workers mostly wait for servers: two of them to a CPU.
    labelled = classify(images, settings(targets), column="bytes", top_k=1, workers=4, num_cpus=0.5)

    def chosen(table):
        answers = table.column("classification").combine_chunks()
        return (
            table.select(["id"])
            .append_column("label", answers.field("label"))
            .append_column("error", answers.field("error"))
        )

    labelled.map_batches(chosen, batch_format="pyarrow").write_parquet(output)
    ended = time.monotonic()
    ray.shutdown()
    return began, ended


def beam(file: str, output: str, targets: str) -> tuple[float, float]:
    import apache_beam
    import pyarrow as pa

    from hubserve.beam import Classify

    schema = pa.schema([("id", pa.int64()), ("label", pa.string()), ("error", pa.string())])
    os.makedirs(output)
    began = time.monotonic()
    with apache_beam.Pipeline() as pipeline:
        rows = pipeline | apache_beam.io.ReadFromParquet(file, columns=["id", "bytes"])
        pairs = rows | apache_beam.Map(lambda row: (row["id"], row["bytes"]))
        answers = pairs | Classify(settings(targets), top_k=1)
        together = (answers.classified, answers.failed) | apache_beam.Flatten()
        records = together | apache_beam.MapTuple(
            lambda key, row: {"id": key, "label": row["label"], "error": row["error"]}
        )
        records | apache_beam.io.WriteToParquet(f"{output}/labels", schema, file_name_suffix=".parquet")
    return began, time.monotonic()


if __name__ == "__main__":
    os.environ["PYSPARK_PYTHON"] = sys.executable
    engine, *arguments = sys.argv[1:]
    print(*{"spark": spark, "ray": ray, "beam": beam}[engine](*arguments))
