"""Arrow tables: the column that holds images, and the column with their answers. pyarrow is imported by the engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .._errors import UsageError
from .._images.encode import ImageLike
from .._results import ImageResult
from .cells import image_of
from .row import row_of

_KINDS = "bytes, paths or URLs (binary or string), or structs of `bytes` and `path`"


def answer_type(pa: Any, *, features: bool, large: bool = False) -> Any:
    """Return the Arrow type of the answers' column.

    Args:
        pa: The module pyarrow.
        features: Of feature vectors; else of classes.
        large: Strings have offsets of 64 bits, as Spark has them where it is told to.
    """
    text = pa.large_string() if large else pa.string()
    if features:
        found = [("vector", pa.list_(pa.float32()))]
    else:
        one = pa.struct([("class_id", pa.int32()), ("label", text), ("score", pa.float64())])
        found = [("label", text), ("score", pa.float64()), ("classes", pa.list_(one))]
    return pa.struct([("status", pa.int32()), *found, ("error", text), ("model_version", pa.int64())])


def images(table: Any, column: str) -> Iterator[ImageLike]:
    """Return the image of each row of an Arrow table or record batch.

    Raises:
        UsageError: It does not have the column, or has two of that name, or the column's type cannot hold images.
    """
    place = place_of(table.schema.names, column)
    check_type(table.schema.types[place], column)
    cells = table.column(place)
    return (image_of(cell.as_py()) for cell in cells)


def joined(table: Any, results: Sequence[ImageResult], output: str, kind: Any) -> Any:
    """Return an Arrow table or record batch with one more column, the answers."""
    import pyarrow as pa

    answers = pa.array([row_of(result) for result in results], type=kind)
    fields = [*table.schema, pa.field(output, kind)]
    columns = [*table.columns, answers]
    return type(table).from_arrays(columns, schema=pa.schema(fields, metadata=table.schema.metadata))


def place_of(names: Iterable[str], column: str) -> int:
    """Return the place of a column.

    Raises:
        UsageError: It is not there, or there twice.
    """
    names = list(names)
    places = [place for place, name in enumerate(names) if name == column]
    if len(places) == 1:
        return places[0]
    if places:
        raise UsageError(f"two columns are called {column!r}: rename one of them")
    outer, dot, _ = column.partition(".")
    if dot and outer in names:
        raise UsageError(
            f"there is no column {column!r}: it may be a field of the column {outer!r}: make the field a column first"
        )
    raise UsageError(f"there is no column {column!r}: give column=, one of {', '.join(map(repr, names)) or 'none'}")


def check_output(names: Iterable[str], output: str, *, any_case: bool = False) -> None:
    """Refuse a name for the answers that another column has.

    Args:
        names: Of the columns that are there.
        output: Of the new column.
        any_case: Small and capital letters are the same, as they are for Spark.

    Raises:
        UsageError: It is taken, or is not a name.
    """
    if not isinstance(output, str) or not output:
        raise UsageError(f"output must be the name of the new column, not {output!r}")
    taken = [name for name in names if name == output or (any_case and name.casefold() == output.casefold())]
    if taken:
        raise UsageError(f"there is a column {taken[0]!r} already: give output= another name")


def check_type(kind: Any, column: str) -> None:
    """Refuse an Arrow type that holds no images.

    Raises:
        UsageError: It is neither binary, text, nor a struct of them.
    """
    import pyarrow as pa

    plain = _plain(kind)
    if pa.types.is_struct(plain):
        fields = [plain.field(place) for place in range(plain.num_fields)]
        good = bool(fields) and all(_holds(field.type) for field in fields)
        good = good and {field.name for field in fields} <= {"bytes", "path"}
    else:
        good = _holds(kind)
    if not good:
        tensor = isinstance(kind, pa.BaseExtensionType) and "tensor" in str(kind).lower()
        remedy = "; read files undecoded, as with ray.data.read_binary_files" if tensor else ""
        raise UsageError(f"the column {column!r} is of type {kind}: images are {_KINDS}{remedy}")


def _holds(kind: Any) -> bool:
    """Tell whether a type is binary or text, or has only nulls."""
    import pyarrow as pa

    kind = _plain(kind)
    text = str(kind).partition("[")[0]
    return not pa.types.is_nested(kind) and ("binary" in text or "string" in text or pa.types.is_null(kind))


def _plain(kind: Any) -> Any:
    """Return the type of the values that a dictionary or an extension type holds."""
    import pyarrow as pa

    while pa.types.is_dictionary(kind) or isinstance(kind, pa.BaseExtensionType):
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind.storage_type
    return kind
