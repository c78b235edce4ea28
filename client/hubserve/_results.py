"""Results of images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ._images.kinds import undecodable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ._errors import HubserveError

# The model directory's contract: in each row, the model says whether it could decode the image.
OK = 0
UNDECODABLE = 1
_PROBLEMS = {2: "it has more pixels than the model allows: send a smaller version of it"}


class ClassScore(NamedTuple):
    """One class and its score: `ClassScore(class_id=286, label="Egyptian cat", score=0.91)`."""

    class_id: int
    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
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
        """Whether the model decoded the image and answered."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features(ImageResult):
    """The feature vector of one image: `index.add(result.source, result.vector)`.

    Attributes:
        vector: float32 [D]; None if there is none for this image.
    """

    vector: NDArray[np.float32] | None = None
