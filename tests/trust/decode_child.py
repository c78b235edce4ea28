"""Hostile images through the exported graph, among good ones: `python -m trust.decode_child SEED VERSION_FOLDER`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from support.hostile_files import FORMS
from support.session import LoadedVersion
from trust.child import Tried, work_off
from trust.cost import BOUND as OF_AN_IMAGE
from trust.cost import BOUNDS, form_of
from trust.images import hostile_image

GOOD = (FORMS["JPEG"], FORMS["PNG"], FORMS["WebP"])
_ROUNDING = 1e-3
_WORDS = ("answered", "no image", "too large")
# As docs/image-handling.md has it, for each image that is decoded at a time; and what the allocator keeps beside it.
_AT_MOST = max(bound.memory for bound in (OF_AN_IMAGE, *BOUNDS.values()))
BOUND = (int(_AT_MOST) * (os.cpu_count() or 1) + 128) * 2**20


class Decoder:
    """The exported graph in a session, and what it makes of the good images alone."""

    def __init__(self, folder: Path) -> None:
        self._model = LoadedVersion(folder)
        status, self._alone = self._run(GOOD)
        assert status == [0] * len(GOOD)

    def decode(self, batch: Sequence[bytes]) -> tuple[list[int], str | None]:
        """The statuses of a batch, and what is wrong with its answer or a good neighbour's, if anything is."""
        half = len(batch) // 2
        status, pixels = self._run([GOOD[0], *batch[:half], GOOD[1], *batch[half:], GOOD[2]])
        good = [0, half + 1, len(status) - 1]
        theirs = [row for row in range(len(status)) if row not in good]
        statuses = [status[row] for row in theirs]
        if any(status[row] for row in good) or pixels[good].tobytes() != self._alone.tobytes():
            return statuses, "a good neighbour's answer changed"
        if not set(statuses) <= {0, 1, 2}:
            return statuses, f"statuses {sorted(set(statuses))}"
        if pixels[[row for row in theirs if status[row]]].any():
            return statuses, "a refused image has pixels"
        # A resize sums thousands of weights in float32, and they make one only to within that: a quarter of a level.
        if not (np.isfinite(pixels).all() and pixels.min() >= -_ROUNDING and pixels.max() <= 1 + _ROUNDING):
            return statuses, f"pixels from {pixels.min()} to {pixels.max()}"
        return statuses, None

    def _run(self, images: Sequence[bytes]) -> tuple[list[int], np.ndarray]:
        answer = self._model.run("serving_default", image_bytes=list(images))
        return answer["status"].tolist(), answer["feature_vector"]


def main() -> None:
    """Until standard input ends."""
    seed, folder = int(sys.argv[1]), Path(sys.argv[2])

    def prepare():
        decoder = Decoder(folder)
        # What TensorFlow does when a format is first used is not an image's cost.
        decoder.decode(list(FORMS.values()))
        decoder.decode([hostile_image(0, number)[1] for number in range(32)])

        def attempt(inputs: Sequence[tuple[str, bytes]]) -> Tried:
            statuses, wrong = decoder.decode([data for _, data in inputs])
            words = [_WORDS[status] if status in (0, 1, 2) else str(status) for status in statuses]
            outcomes = list(zip([name for name, _ in inputs], words, strict=True))
            return Tried(outcomes, wrong, [(form_of(data), len(data)) for _, data in inputs])

        return attempt

    work_off(prepare, BOUND, lambda numbers: [hostile_image(seed, number) for number in numbers])


if __name__ == "__main__":
    main()
