"""Warnings are printed at once and kept; with --strict they are errors."""

import pytest

from hubserve_export import StrictError
from hubserve_export._warnings import Warnings


def test_a_warning_is_printed_and_kept_once() -> None:
    told: list[str] = []
    warnings = Warnings(tell=told.append)
    for text in ("one", "two", "one"):
        warnings.warn(text)
    assert warnings.texts == ("one", "two")
    assert told == ["one", "two"]


def test_strict_makes_a_warning_an_error() -> None:
    warnings = Warnings(strict=True, tell=lambda text: pytest.fail(text))
    with pytest.raises(StrictError, match=r"all in one class \(a warning, which `strict` makes an error"):
        warnings.warn("all in one class")
