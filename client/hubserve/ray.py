"""Ask a model about the images of a Ray data set: `classify` and `features`, and the classes that they map with.

    import ray

    from hubserve import Settings
    from hubserve.ray import classify

    images = ray.data.read_parquet("s3://bucket/images")
    labelled = classify(images, Settings("dns:///pnasnet-headless:8500", model="pnasnet"), column="bytes", workers=8)
    labelled.write_parquet("s3://bucket/labels")

It needs `hubserve[ray]` on the driver and on the workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

from ._checks import check_whole
from ._errors import UsageError
from ._schedule.window import MOST
from ._settings import Settings
from ._tables import arrow
from ._tables.tasks import Asking

if TYPE_CHECKING:
    import pyarrow as pa
    import ray.data

__all__ = ["ClassifyBatches", "FeaturesBatches", "classify", "features"]

# Eight requests of the client's 32 images. Batches are views of Ray's blocks, and take no memory of their own.
_BATCH_SIZE = 256
# While the last batches of a block are answered, the next block has begun.
_BLOCKS = 2


class _Batches:
    """Adds a column of answers to Arrow tables: `ClassifyBatches(settings).answered(table)`."""

    def __init__(self, asking: Asking, column: str, output: str) -> None:
        self._asking, calls = asking.divided()
        self._column = column
        self._output = output
        self._threads = ThreadPoolExecutor(calls, thread_name_prefix="hubserve-batch")

    async def __call__(self, table: pa.Table) -> AsyncIterator[pa.Table]:
        """Add the column to one batch, while Ray gives the next batches to other calls.

        Args:
            table: As `map_batches(..., batch_format="pyarrow")` gives it.

        Raises:
            UsageError: As for `answered`.
            HubserveError: The servers do not answer.
        """
        yield await asyncio.get_running_loop().run_in_executor(self._threads, self.answered, table)

    def answered(self, table: pa.Table) -> pa.Table:
        """Return the batch with the column.

        Args:
            table: As `map_batches(..., batch_format="pyarrow")` gives it.

        Raises:
            UsageError: The batch has another format, does not have the column or has one of the new name already, or
                the column's type cannot hold images.
            HubserveError: The servers do not answer.
        """
        import pyarrow as pa

        if not isinstance(table, pa.Table):
            raise UsageError(f'a batch is a {type(table).__name__}: give map_batches batch_format="pyarrow"')
        arrow.check_output(table.column_names, self._output)
        kind = arrow.answer_type(pa, features=self._asking.features)
        results = list(self._asking.results(arrow.images(table, self._column)))
        return arrow.joined(table, results, self._output, kind)


class ClassifyBatches(_Batches):
    """Adds a column with the classes of images, for `map_batches`.

        images.map_batches(
            ClassifyBatches,
            fn_constructor_kwargs={"settings": settings, "column": "bytes"},
            batch_format="pyarrow",
            batch_size=256,
            concurrency=8,
        )

    The new column is a struct: `status` int32 (0: ok), `label` string, `score` double, `classes` list of structs
    (`class_id` int32, `label` string, `score` double; best first), `error` string, `model_version` int64. All other
    columns stay as they are. A row whose image cannot be read or decoded gets an `error`, and fails nothing else.

    A worker asks about up to four batches at once. Together they have at most `settings.max_concurrency` requests in
    flight.

    Args:
        settings: Of the client, which all tasks of a worker share.
        column: The column with the images: binary; string, for a path or a URL that the workers open; or a struct of
            `bytes` and `path`.
        output: The name of the new column.
        top_k: The most classes for each image; None: all that the model gives.

    Raises:
        UsageError: An argument makes no sense.
    """

    def __init__(
        self, settings: Settings, *, column: str = "bytes", output: str = "classification", top_k: int | None = None
    ) -> None:
        super().__init__(Asking(settings, top_k=top_k), column, output)


class FeaturesBatches(_Batches):
    """Adds a column with the feature vectors of images, for `map_batches`.

    The new column is a struct: `status` int32 (0: ok), `vector` list of float, `error` string, `model_version` int64.
    In all else it is like `ClassifyBatches`.

    Args:
        settings: As for `ClassifyBatches`.
        column: As for `ClassifyBatches`.
        output: The name of the new column.

    Raises:
        UsageError: An argument makes no sense.
    """

    def __init__(self, settings: Settings, *, column: str = "bytes", output: str = "features") -> None:
        super().__init__(Asking(settings, features=True), column, output)


def classify(
    dataset: ray.data.Dataset,
    settings: Settings,
    *,
    column: str = "bytes",
    output: str = "classification",
    top_k: int | None = None,
    workers: int = 4,
    in_flight: int = MOST,
    **options: Any,
) -> ray.data.Dataset:
    """Return the data set with a column of classes; see `ClassifyBatches`.

        labelled = classify(images, settings, column="bytes", top_k=3, workers=8)

    Args:
        dataset: With a column of images.
        settings: Of the client, which all tasks of a worker share.
        column: As for `ClassifyBatches`.
        output: As for `ClassifyBatches`.
        top_k: As for `ClassifyBatches`.
        workers: How many processes ask at once.
        in_flight: The most requests in flight of all workers together, if the settings' `concurrency` is "auto". Each
            worker gets an equal share, at least one.
        options: More arguments for `map_batches`, such as `batch_size` (256 by default) or `num_cpus`.

    Raises:
        UsageError: An argument makes no sense, the token function cannot be sent to the workers, or the data set is
            known to have no such column or a column of another type.
    """
    arguments = {"column": column, "output": output, "top_k": top_k}
    return _mapped(dataset, ClassifyBatches, settings, arguments, workers, in_flight, options)


def features(
    dataset: ray.data.Dataset,
    settings: Settings,
    *,
    column: str = "bytes",
    output: str = "features",
    workers: int = 4,
    in_flight: int = MOST,
    **options: Any,
) -> ray.data.Dataset:
    """Return the data set with a column of feature vectors; see `FeaturesBatches`.

    Args:
        dataset: As for `classify`.
        settings: As for `classify`.
        column: As for `FeaturesBatches`.
        output: As for `FeaturesBatches`.
        workers: As for `classify`.
        in_flight: As for `classify`.
        options: As for `classify`.

    Raises:
        UsageError: As for `classify`.
    """
    return _mapped(
        dataset, FeaturesBatches, settings, {"column": column, "output": output}, workers, in_flight, options
    )


def _mapped(
    dataset: ray.data.Dataset,
    kind: type[ClassifyBatches] | type[FeaturesBatches],
    settings: Settings,
    arguments: Mapping[str, Any],
    workers: int,
    in_flight: int,
    options: Mapping[str, Any],
) -> ray.data.Dataset:
    import pyarrow as pa
    import ray

    check_whole("workers", workers)
    check_whole("in_flight", in_flight)
    # It says here what is wrong, and not in a worker.
    kind(settings, **arguments)._asking.check_travels(ray.cloudpickle.dumps, "Ray")
    # Reading from files gives a schema without running anything.
    if (schema := dataset.schema(fetch_if_missing=False)) is not None:
        place = arrow.place_of(schema.names, arguments["column"])
        arrow.check_output(schema.names, arguments["output"])
        if isinstance(found := schema.types[place], pa.DataType):
            arrow.check_type(found, arguments["column"])
    share = max(1, in_flight // workers)
    settings = replace(settings, max_concurrency=min(share, settings.max_concurrency))
    mapped = dataset.map_batches(
        kind,
        fn_constructor_kwargs={"settings": settings, **arguments},
        batch_format="pyarrow",
        **{"batch_size": _BATCH_SIZE, **_pool(ray.data.ActorPoolStrategy, workers), **options},
    )
    return cast("ray.data.Dataset", mapped)


def _pool(strategy: Any, workers: int) -> dict[str, Any]:
    """Return the arguments of `map_batches` for so many workers: newer versions of Ray have other ones."""
    if "max_concurrent_calls_per_actor" in signature(strategy).parameters:
        return {"compute": strategy(size=workers, max_concurrent_calls_per_actor=_BLOCKS)}
    return {"concurrency": workers, "max_concurrency": _BLOCKS}
