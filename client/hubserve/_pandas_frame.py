"""Results as a pandas DataFrame, where pandas is installed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ._errors import UsageError
from ._results import Classification, Features, ImageResult

if TYPE_CHECKING:
    import pandas as pd

_COMMON = ("index", "ok", "status", "error", "model_version", "seconds", "kind", "note")
# Whole numbers that may be missing, which pandas has a type for.
_WHOLE = ("class_id", "status", "model_version")


def to_pandas(results: Iterable[ImageResult]) -> pd.DataFrame:
    """Return results as a DataFrame with a row for each image, in their order.

        frame = hubserve.to_pandas(client.classify(paths))
        frame[frame.score < 0.5].groupby("label").size()

    Needs pandas: `pip install 'hubserve[pandas]'`.

    Args:
        results: Results of `classify` or of `features`, not of both.

    Returns:
        Columns: `source` (str), then of a classification `label` (str), `score` (float), `class_id` (Int64) and
        `classes` (a list of `ClassScore`, best first), or of features `vector` (float32 [D]); then `index` (int), `ok`
        (bool), `status` (Int64), `error` (str), `model_version` (Int64), `seconds` (float), `kind` (str) and `note`
        (str). What an image does not have is missing (`isna`). Without results, the columns are those of a
        classification.

    Raises:
        UsageError: pandas is not installed, or the results are not all of `classify` or all of `features`.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise UsageError("to_pandas needs pandas: pip install 'hubserve[pandas]'") from error
    found = list(results)
    if (wrong := next((one for one in found if not isinstance(one, ImageResult)), None)) is not None:
        raise UsageError(f"to_pandas takes results of classify or of features, not a {type(wrong).__name__}")
    features = [one for one in found if isinstance(one, Features)]
    if features and len(features) < len(found):
        raise UsageError("to_pandas takes results of classify or of features, not both in one call")
    columns: dict[str, list[object]] = {"source": [one.source for one in found]}
    if features:
        columns["vector"] = [one.vector for one in features]
    else:
        classified = [one for one in found if isinstance(one, Classification)]
        columns["label"] = [one.label for one in classified]
        columns["score"] = [one.score for one in classified]
        columns["class_id"] = [one.classes[0].class_id if one.classes else None for one in classified]
        columns["classes"] = [list(one.classes) for one in classified]
    columns |= {name: [getattr(one, name) for one in found] for name in _COMMON}
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})
    types = {"index": "int64", "ok": "bool", "seconds": "float64", "score": "float64", **dict.fromkeys(_WHOLE, "Int64")}
    return frame.astype({name: kind for name, kind in types.items() if name in columns})
