"""Find the pixels that a model takes, from the range to which its first operations bring them.

A model that begins with `x / 255` takes pixels from 0 to 255, because only those become numbers from 0 to 1. Each
preset is tried with the operations. The model takes the preset whose result is in a range that networks are trained on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ._first_operations import Affine
from ._preprocessing import PRESETS

Array = np.ndarray[Any, Any]

_WHITE = 255
# Ranges, and the tolerance of each: efficientnet-lite's (x - 127) / 128 is [-0.992, 1].
_EXACT = (
    ((0, 1), 0.01, "0 to 1"),
    ((-1, 1), 0.02, "-1 to 1"),
    ((-0.5, 0.5), 0.01, "-0.5 to 0.5"),
    ((0, 255), 0.3, "0 to 255"),
)
# Means and standard deviations of photographs, as parts of the range from black to white.
_MEANS = (0.25, 0.65)
_DEVIATIONS = (0.15, 0.45)
# Channel means of ImageNet's photographs, 0 to 255, in the order blue, green, red: networks that subtract these take
# BGR.
_BLUE_GREEN_RED = (103.939, 116.779, 123.68)


def presets(affine: Affine) -> list[tuple[str, dict[str, Any], str]]:
    """Return the presets whose pixels the operations bring into a range that networks are trained on.

    Args:
        affine: The effect of the model's first operations.

    Returns:
        The name, the fields of `Preprocessing`, and the resulting range in words. An exact range, such as [0, 1],
        excludes ranges that only look like photographs normalised with mean and deviation.
    """
    if affine.nothing():
        return []
    fitting = [
        (name, fields, *found) for name, fields in _candidates(affine) if (found := _range(affine, fields)) is not None
    ]
    exact = [one for one in fitting if one[3]]
    return [(name, fields, words) for name, fields, words, _ in exact or fitting]


def _candidates(affine: Affine) -> Iterator[tuple[str, dict[str, Any]]]:
    channels = len(affine.order)
    for name, preset in PRESETS.items():
        fields = dict(preset)
        if channels == 1:
            if max(len(preset["scale"]), len(preset["offset"])) > 1:
                continue
            fields["channels"] = "luminance"
        elif fields["channels"] == "rgb" and _takes_bgr(affine):
            fields["channels"] = "bgr"
        yield name, fields


def _takes_bgr(affine: Affine) -> bool:
    """Tell whether the subtracted means are those of blue, green and red, in the order of the input."""
    means = -affine.offset / affine.scale
    # Means of pixels from 0 to 255, or of pixels from 0 to 1.
    return affine.order == (0, 1, 2) and any(
        np.allclose(means * factor, _BLUE_GREEN_RED, rtol=0.03) for factor in (1, _WHITE)
    )


def _range(affine: Affine, fields: dict[str, Any]) -> tuple[str, bool] | None:
    """Return the range of black to white in words, and whether it is exact; None if networks are not trained on it."""
    channels = len(affine.order)
    scale, offset = (np.broadcast_to(np.array(fields[key], np.float64), channels) for key in ("scale", "offset"))
    order = list(affine.order)
    low = affine.scale * offset[order] + affine.offset
    high = affine.scale * (_WHITE * scale + offset)[order] + affine.offset
    for bounds, near, words in _EXACT:
        if np.all(np.abs(low - bounds[0]) <= near) and np.all(np.abs(high - bounds[1]) <= near):
            return words, True
    width = high - low
    if np.any(width <= 0) or len({*fields["offset"]}) > 1:
        # A preset that subtracts a mean does not fit a model that subtracts another one.
        return None
    if np.allclose(width, _WHITE, rtol=0.01) and _all_within(-low / _WHITE, _MEANS):
        return "0 to 255 less a mean", True
    if _all_within(-low / width, _MEANS) and _all_within(1 / width, _DEVIATIONS):
        return "mean 0 and deviation 1", False
    return None


def _all_within(values: Array, bounds: tuple[float, float]) -> bool:
    return bool(np.all((values >= bounds[0]) & (values <= bounds[1])))
