"""Results of images."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

from ._images.kinds import undecodable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ._errors import HubserveError

# The model directory's contract: in each row, the model says whether it could decode the image.
OK = 0
_SHOWN_CLASSES = 10
UNDECODABLE = 1
_PROBLEMS = {2: "it has more pixels than the model allows: send a smaller version of it"}


class ClassScore(NamedTuple):
    """One class and its score: `ClassScore(class_id=286, label="Egyptian cat", score=0.91)`."""

    class_id: int
    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ImageResult:
    """The fields of every result: `if not result.ok: print(result.source, result.error)`.

    Attributes:
        source: Where the image came from: its path or file name; `image 3` for an image without a name.
        index: Its place among the images given, from 0.
        status: The model's status for the image: 0 ok, 1 not decodable, 2 too many pixels. None: the model did not see
            the image, and `exception` says why.
        exception: Why the model did not see the image: an `ImageError` of this image, or an error of its whole batch.
        model_version: The version that answered.
        seconds: The time from sending the request to receiving its answer; all images of a request have the same.
            None: the model did not see the image.
        kind: With status 1, the file's kind by its first bytes, such as `HEIC`, `PDF` or `JPEG`; else None.
        note: A sentence about what the file holds besides what the model saw, such as other images of an animation.
            None: nothing else is known.
    """

    source: str
    index: int
    status: int | None = None
    exception: HubserveError | None = None
    model_version: int | None = None
    # Equal answers are equal, however long they took.
    seconds: float | None = field(default=None, compare=False)
    kind: str | None = None
    note: str | None = None

    @property
    def ok(self) -> bool:
        """Tell whether the model decoded the image and answered."""
        return self.status == OK

    @property
    def error(self) -> str | None:
        """The reason of the failure, in one sentence; None if the image was answered."""
        if self.exception is not None:
            return str(self.exception)
        if self.status is None or self.ok:
            return None
        if self.status == UNDECODABLE:
            return undecodable(self.kind)
        return _PROBLEMS.get(
            self.status, f"the model gives it the status {self.status}, which this client does not know"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as Python's own values, by name: strings, numbers, lists, dicts and None.

            result.to_dict()["source"]

        Returns:
            `source`, `index`, `ok`, `status`, `error`, `model_version`, `seconds`, `kind` and `note`; of a
            classification also `label`, `score` and `classes`, of features `vector`. A score that is NaN stays NaN.
        """
        names = ("source", "index", "ok", "status", "error", "model_version", "seconds", "kind", "note")
        return {name: getattr(self, name) for name in names}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.source}: {self._short()}>"

    def _repr_html_(self) -> str:
        """Return the result as a small table, for a notebook."""
        rows = "".join(
            f"<tr><td>{escape(str(name))}</td><td>{escape(str(value))}</td></tr>" for name, value in self._rows()
        )
        return f"<table><caption>{escape(self.source)}</caption>{rows}</table>"

    def _short(self) -> str:
        return "ok" if self.ok else str(self.error)

    def _rows(self) -> list[tuple[object, object]]:
        return [] if self.ok else [("error", self.error)]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Classification(ImageResult):
    """The classes of one image: `print(result.source, result.label, result.score)`.

    Attributes:
        classes: Best first; empty if the image was not classified.
    """

    classes: tuple[ClassScore, ...] = ()

    @property
    def label(self) -> str | None:
        """The best class's label; None if the image was not classified."""
        return self.classes[0].label if self.classes else None

    @property
    def score(self) -> float | None:
        """The best class's score; None if the image was not classified."""
        return self.classes[0].score if self.classes else None

    def to_dict(self) -> dict[str, Any]:
        """Return Python's own values, as every result has them, and the classes as dicts: `result.to_dict()`."""
        classes = [found._asdict() for found in self.classes]
        # A dataclass with slots is made twice, and `super()` knows the first one.
        return {**ImageResult.to_dict(self), "label": self.label, "score": self.score, "classes": classes}

    def _short(self) -> str:
        if not self.classes:
            return ImageResult._short(self)
        more = f", {len(self.classes) - 1} more" if len(self.classes) > 1 else ""
        return f"{self.label or f'class {self.classes[0].class_id}'} {self.classes[0].score:.4g}{more}"

    def _rows(self) -> list[tuple[object, object]]:
        if not self.ok:
            return ImageResult._rows(self)
        shown: list[tuple[object, object]] = [
            (found.label or found.class_id, f"{found.score:.4g}") for found in self.classes[:_SHOWN_CLASSES]
        ]
        more = len(self.classes) - len(shown)
        return [*shown, (f"and {more:,} more", "")] if more else shown


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Features(ImageResult):
    """The feature vector of one image: `index.add(result.source, result.vector)`.

    Attributes:
        vector: float32 [D]; None if there is none for this image.
    """

    vector: NDArray[np.float32] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return Python's own values, as every result has them, and the vector as a list: `result.to_dict()`."""
        return {**ImageResult.to_dict(self), "vector": None if self.vector is None else self.vector.tolist()}

    def _short(self) -> str:
        return ImageResult._short(self) if self.vector is None else f"{len(self.vector)} features"

    def _rows(self) -> list[tuple[object, object]]:
        return ImageResult._rows(self) if self.vector is None else [("features", len(self.vector))]
