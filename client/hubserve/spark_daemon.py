"""Start Spark's Python workers with PyArrow, gRPC and hubserve imported: for `spark.python.daemon.module`.

    SparkSession.builder.config("spark.python.daemon.module", "hubserve.spark_daemon")

Spark forks each Python worker from a daemon that has imported almost nothing. Each worker then imports PyArrow, NumPy,
gRPC and hubserve, which takes seconds of processor time. This daemon imports them once, before it forks. The setting
belongs to the start of the application: a running one does not take it.

A fork copies no threads. The daemon calls no server, so that gRPC has none. Arrow's allocator (jemalloc) and NumPy's
OpenBLAS may have one each; both handle forks (`pthread_atfork`).
"""

from __future__ import annotations

import gc

__all__ = ["main"]


def main() -> None:
    """Run Spark's daemon, which forks a worker whenever Spark needs one, until Spark ends it."""
    import pyarrow.compute  # noqa: F401
    import pyspark.worker  # noqa: F401
    from pyspark.daemon import manager

    from . import spark  # noqa: F401

    # Workers collect garbage after each task, and would copy the memory of all modules to look at it.
    gc.collect()
    gc.freeze()
    manager()


if __name__ == "__main__":
    main()
