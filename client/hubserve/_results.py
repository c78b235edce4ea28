"""Hold what comes back for each image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ._images.kinds import undecodable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ._errors import HubserveError

# The model directory's contract: how the model says, row by row, whether it could look at the image.
OK = 0
UNDECODABLE = 1
_PROBLEMS = {2: "it has more pixels than the model allows: send a smaller version of it"}


class ClassScore(NamedTuple):
    """One class and how much the model holds of it: `ClassScore(class_id=286, label="Egyptian cat", score=0.91)`."""

    class_id: int
    label: str
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageResult:
    """Hold what every answer about an image has: `if not result.ok: print(result.source, result.error)`.

    Attributes:
        source: Where the image came from: its path or file name; `image 3` for one without a name.
        index: Its place among the images given, from 0.
        status: The model's own word on the image: 0 ok, 1 not decodable, 2 too many pixels. None: the model did not see
            it, and `exception` says why.
        exception: Why the model did not see the image: an `ImageError` of this image, or what failed its whole batch.
        model_version: The version that answered.
        seconds: From sending the request that brought this answer until the answer was there; the images of a request
            share it. None: the model did not see the image.
        kind: With status 1, what the file is by its first bytes, such as `HEIC`, `PDF` or `JPEG`; else None.
        note: What the file holds besides what the model saw, in a sentence: an animation's other pictures, for example.
            None: nothing is known of that.
    """

    source: str
    index: int
    status: int | None = None
    exception: HubserveError | None = None
    model_version: int | None = None
    # The same answer is equal however long it took.
    seconds: float | None = field(default=None, compare=False)
    kind: str | None = None
    note: str | None = None

    @property
    def ok(self) -> bool:
        """Whether the model looked at the image and answered."""
        return self.status == OK

    @property
    def error(self) -> str | None:
        """What went wrong, in one sentence; None when nothing did."""
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
        classes: Best first; empty when the image was not classified.
    """

    classes: tuple[ClassScore, ...] = ()

    @property
    def label(self) -> str | None:
        """The best class's label; None when the image was not classified."""
        return self.classes[0].label if self.classes else None

    @property
    def score(self) -> float | None:
        """The best class's score; None when the image was not classified."""
        return self.classes[0].score if self.classes else None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features(ImageResult):
    """The feature vector of one image: `index.add(result.source, result.vector)`.

    Attributes:
        vector: float32 [D]; None when there is none for this image.
    """

    vector: NDArray[np.float32] | None = None
