"""Convert samples of any depth to 8 bits, scaled by the range of their type and never clipped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._errors import ImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Levels:
    """Convert an image's samples to uint8, piece by piece: `levels.of(rows)` for each, `levels.check()` at the end.

    Integers of more than 8 bits keep their upper eight, as the server does for 16-bit PNG. Floats from 0 to 1 become 0
    to 255, rounded. If the values show that this reading is wrong, `check` refuses the image.

    Args:
        bits: Bits of an integer sample; by default the bits of its type.
    """

    def __init__(self, bits: int | None = None) -> None:
        self._bits = bits
        self._least: float = 0
        self._most: float = 0
        self._float = False
        self._nan = False

    def of(self, samples: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the samples as uint8, in the same shape.

        Args:
            samples: bool, unsigned integers, integers whose values fit `bits`, or floats.
        """
        import numpy as np

        if samples.dtype == np.uint8 and self._bits in (None, 8):
            return samples
        if samples.dtype == np.bool_:
            return samples.astype(np.uint8) * np.uint8(255)
        if samples.size:
            self._least, self._most = min(self._least, samples.min()), max(self._most, samples.max())
        if samples.dtype.kind == "f":
            self._float = True
            # Comparisons with NaN are always false, so that the range does not show it.
            self._nan = self._nan or bool(np.isnan(samples).any())
            levels = np.nan_to_num(samples.astype(np.float32)).clip(0, 1) * np.float32(255)
            return np.rint(levels).astype(np.uint8)
        if self._bits is None:
            self._bits = samples.dtype.itemsize * 8
        kept = samples.clip(0, 2**self._bits - 1)
        upper = kept >> (self._bits - 8) if self._bits >= 8 else kept.astype(np.uint8) << (8 - self._bits)
        return upper.astype(np.uint8)

    def check(self) -> None:
        """Refuse the image if its values were not in the range of their type.

        Raises:
            ImageError: Floats beyond [0, 1], integers beyond `bits`, or integers so small that the image would be
                nearly black: 8-bit or 12-bit values in a 16-bit type.
        """
        if self._nan:
            raise ImageError("some of its values are not numbers (NaN): replace them")
        if self._float and (self._least < 0 or self._most > 1):
            raise ImageError(
                f"its values go from {self._least:.6g} to {self._most:.6g}: scale them to 0 to 1, or, if they are 0 to "
                '255, give them as uint8 (image.convert("L") for a Pillow image, array.astype("uint8") for an array)'
            )
        if self._float or self._bits is None:
            return
        full = 2**self._bits - 1
        if self._least < 0 or self._most > full:
            raise ImageError(
                f"its values go from {self._least} to {self._most}, which does not fit {self._bits} bits: scale them "
                "to 0 to 255, and give them as uint8"
            )
        if self._bits > 8 and 0 < self._most < (full + 1) // 16:
            raise ImageError(
                f"its {self._bits}-bit values end at {self._most}, and it would be sent nearly black: if they have 8 "
                'bits, give them as uint8 (image.convert("L") for a Pillow image, array.astype("uint8") for an array); '
                f"if they have 12, multiply them by {2 ** max(self._bits - 12, 0)}"
            )
