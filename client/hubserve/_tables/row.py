"""From a result to the value of one cell: a struct, the same in every engine."""

from __future__ import annotations

from typing import Any

from .._results import Classification, Features, ImageResult


def row_of(result: ImageResult) -> dict[str, Any]:
    """Return the answer about one image as a dict.

    Returns:
        `status` (0 ok, 1 not decodable, 2 too many pixels, None: the model did not see the image), `error` (a sentence,
        or None), `model_version`; of a classification also `label`, `score` and `classes` (dicts of `class_id`,
        `label`, `score`, best first), of features `vector`.
    """
    row: dict[str, Any] = {"status": result.status}
    if isinstance(result, Classification):
        row["label"] = result.label
        row["score"] = result.score
        row["classes"] = [
            {"class_id": found.class_id, "label": found.label, "score": found.score} for found in result.classes
        ]
    elif isinstance(result, Features):
        row["vector"] = result.vector
    # The row itself says which image it is about.
    row["error"] = None if result.error is None else result.error.removeprefix(f"{result.source}: ")
    row["model_version"] = result.model_version
    return row
