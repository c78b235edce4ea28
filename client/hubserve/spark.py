"""Ask a model about the images of a Spark data frame: `classify_udf` and `features_udf`.

    from hubserve import Settings
    from hubserve.spark import classify_udf

    classify = classify_udf(Settings("dns:///pnasnet-headless:8500", model="pnasnet"), column="content", top_k=3)
    labelled = spark.read.format("binaryFile").load("photographs/*.jpg").transform(classify.transform)

It needs `hubserve[spark]` on the driver and on the executors. One client serves all tasks of a Python worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ._errors import UsageError
from ._settings import Settings
from ._tables import arrow
from ._tables.cells import image_of
from ._tables.row import row_of
from ._tables.tasks import Asking

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

__all__ = ["ImageUdf", "classify_udf", "features_udf"]


def classify_udf(
    settings: Settings, *, column: str = "content", output: str = "classification", top_k: int | None = None
) -> ImageUdf:
    """Return what adds a column with the classes of images to a data frame.

        classify = classify_udf(settings, column="content", top_k=3)
        labelled = frame.mapInArrow(classify, classify.schema(frame))

    The new column is a struct: `status` int (0: ok), `label` string, `score` double, `classes` array of structs
    (`class_id` int, `label` string, `score` double; best first), `error` string, `model_version` bigint. All other
    columns stay as they are.

    A row whose image cannot be read or decoded gets an `error`. If the servers do not answer, the task waits as long as
    `settings.retry` says, and fails; Spark starts it again, as often as `spark.task.maxFailures` says.

    Args:
        settings: Of the client.
        column: The column with the images: binary; string, for a path or a URL that the executors open; or a struct
            of `bytes` and `path`.
        output: The name of the new column.
        top_k: The most classes for each image; None: all that the model gives.

    Raises:
        UsageError: An argument makes no sense, or the token function cannot be sent to the executors.
    """
    return ImageUdf(Asking(settings, top_k=top_k), column, output)


def features_udf(settings: Settings, *, column: str = "content", output: str = "features") -> ImageUdf:
    """Return what adds a column with the feature vectors of images to a data frame.

    The new column is a struct: `status` int (0: ok), `vector` array of float, `error` string, `model_version` bigint.
    In all else it is like `classify_udf`.

    Args:
        settings: Of the client.
        column: As for `classify_udf`.
        output: The name of the new column.

    Raises:
        UsageError: As for `classify_udf`.
    """
    return ImageUdf(Asking(settings, features=True), column, output)


class ImageUdf:
    """A function for `DataFrame.mapInArrow` and `mapInPandas`, with its schema; made by `classify_udf`."""

    def __init__(self, asking: Asking, column: str, output: str) -> None:
        from pyspark import cloudpickle

        self._asking = asking
        self._column = column
        self._output = output
        asking.check_travels(cloudpickle.dumps, "Spark")
        # Spark shows a function's name in its plans.
        self.__name__ = "hubserve_features" if asking.features else "hubserve_classify"

    def __repr__(self) -> str:
        return f"<{self.__name__} of column {self._column!r}>"

    def schema(self, frame: DataFrame | StructType) -> StructType:
        """Return the schema of the result, without running anything.

        Args:
            frame: The data frame, or its schema.

        Raises:
            UsageError: The frame does not have the column, its type cannot hold images, the name of the new column
                is taken, or a column has a dot in its name.
        """
        from pyspark.sql import types

        before = frame if isinstance(frame, types.StructType) else frame.schema
        if dotted := [name for name in before.names if "." in name or "`" in name]:
            raise UsageError(
                f"Spark cannot give the column {dotted[0]!r} to mapInArrow and mapInPandas, which take a dot for a "
                "struct's field: rename it first, with frame.withColumnsRenamed or frame.toDF"
            )
        place = arrow.place_of(before.names, self._column)
        arrow.check_output(before.names, self._output, any_case=True)
        kind = before.fields[place].dataType
        if not _holds_images(types, kind):
            raise UsageError(
                f"the column {self._column!r} is of type {kind.simpleString()}: images are binary, string (paths or "
                "URLs), or structs of `bytes` and `path`; read files with the data source binaryFile"
            )
        return types.StructType([*before.fields, types.StructField(self._output, self._type(types))])

    def transform(self, frame: DataFrame) -> DataFrame:
        """Return the data frame with the new column: `frame.transform(classify.transform)`.

        Raises:
            UsageError: As for `schema`.
        """
        return frame.mapInArrow(self, self.schema(frame))

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        """Add the column to the batches of one task.

        Args:
            batches: Record batches of Arrow, or data frames of pandas.

        Raises:
            UsageError: It was given a column or a data frame.
            HubserveError: The servers do not answer, or a column is missing.
        """
        if isinstance(batches, str) or type(batches).__module__.startswith("pyspark.sql"):
            raise UsageError(
                f"{self!r} maps whole batches, and not a column: use frame.transform(classify.transform), or "
                "frame.mapInArrow(classify, classify.schema(frame))"
            )
        return self._asking.over(batches, self._images, self._joined)

    def _images(self, batch: Any) -> Iterable[Any]:
        if not _is_pandas(batch):
            return arrow.images(batch, self._column)
        place = arrow.place_of(batch.columns, self._column)
        return map(image_of, batch.iloc[:, place])

    def _joined(self, batch: Any, results: Any) -> Any:
        if not _is_pandas(batch):
            import pyarrow as pa

            arrow.check_output(batch.schema.names, self._output)
            large = any("large_" in str(kind) for kind in batch.schema.types)
            kind = arrow.answer_type(pa, features=self._asking.features, large=large)
            return arrow.joined(batch, results, self._output, kind)
        import pandas as pd

        arrow.check_output(batch.columns, self._output)
        rows = pd.Series([row_of(result) for result in results], index=batch.index, dtype=object, name=self._output)
        return pd.concat([batch, rows], axis="columns")

    def _type(self, types: Any) -> Any:
        field = types.StructField
        if self._asking.features:
            found = [field("vector", types.ArrayType(types.FloatType()))]
        else:
            one = [
                field("class_id", types.IntegerType()),
                field("label", types.StringType()),
                field("score", types.DoubleType()),
            ]
            found = [
                field("label", types.StringType()),
                field("score", types.DoubleType()),
                field("classes", types.ArrayType(types.StructType(one))),
            ]
        return types.StructType(
            [
                field("status", types.IntegerType()),
                *found,
                field("error", types.StringType()),
                field("model_version", types.LongType()),
            ]
        )


def _holds_images(types: Any, kind: Any) -> bool:
    if isinstance(kind, types.StructType):
        return bool(kind.names) and {*kind.names} <= {"bytes", "path"}
    return isinstance(kind, types.BinaryType | types.StringType | types.NullType)


def _is_pandas(batch: object) -> bool:
    return type(batch).__module__.partition(".")[0] == "pandas"
