"""The files beside the SavedModel keep to what TensorFlow Serving takes."""

import pytest

from hubserve_export import _serving_files
from hubserve_export._errors import OutputError


def test_more_warm_up_records_than_a_server_takes_are_refused_with_the_number_that_is_allowed() -> None:
    signatures = ("serving_default", "logits", "classify")
    _serving_files.check_batch_sizes(range(1, 334), signatures)
    with pytest.raises(OutputError, match=r"has 334 sizes, and .* takes 1000 warm-up records.* give 333 at most"):
        _serving_files.check_batch_sizes(range(1, 335), signatures)
