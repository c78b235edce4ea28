import os
from pathlib import Path

import pytest

from hubserve_model import BatchingParametersError
from hubserve_model.batching_parameters import BatchingParameters, read_batching_parameters


def read(folder: Path, text: str) -> BatchingParameters | None:
    (folder / "batching_params.pbtxt").write_text(text)
    return read_batching_parameters(folder)


def test_every_parameter_is_read(tmp_path):
    text = """
        max_batch_size { value: 8 }
        batch_timeout_micros { value: 5000 }  # a comment
        max_enqueued_batches { value: 3 }
        num_batch_threads { value: 2 }
        thread_pool_name { value: "pool" }
        allowed_batch_sizes: 2
        allowed_batch_sizes: 8
        pad_variable_length_inputs: false
    """
    assert read(tmp_path, text) == BatchingParameters(
        max_batch_size=8,
        max_execution_batch_size=8,
        batch_timeout_micros=5000,
        max_enqueued_batches=3,
        num_batch_threads=2,
        allowed_batch_sizes=(2, 8),
    )


def test_what_is_unset_has_tf_servings_defaults(tmp_path):
    assert read(tmp_path, "") == BatchingParameters(
        max_batch_size=1000,
        max_execution_batch_size=1000,
        batch_timeout_micros=0,
        max_enqueued_batches=10,
        num_batch_threads=os.cpu_count() or 1,
        allowed_batch_sizes=(),
    )


def test_a_queue_of_no_batches_holds_one(tmp_path):
    parameters = read(tmp_path, "max_enqueued_batches { value: 0 }")
    assert parameters is not None
    assert parameters.max_enqueued_batches == 1


def test_a_directory_without_the_file_is_not_batched(tmp_path):
    assert read_batching_parameters(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_batch_sise { value: 8 }", "max_batch_sise"),
        ("max_batch_size: 8", "BatchingParameters as text"),
        (
            "max_batch_size { value: 8 } allowed_batch_sizes: [2, 4]",
            "Last entry in allowed_batch_sizes must match max_batch_size; last entry was 4; expected 8",
        ),
        ("max_batch_size { value: 8 } allowed_batch_sizes: [4, 2, 8]", "monotonically increasing"),
        ("max_batch_size { value: 8 } allowed_batch_sizes: [0, 8]", "monotonically increasing"),
        ("max_batch_size { value: 0 }", "at least 1"),
        ("num_batch_threads { value: 0 }", "num_batch_threads must be at least 1"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros must not be negative"),
        ("pad_variable_length_inputs: true", "pad_variable_length_inputs; TF Serving has"),
        (
            "max_batch_size { value: 2 } max_execution_batch_size { value: 4 } "
            "enable_large_batch_splitting { value: true }",
            "at most max_batch_size",
        ),
    ],
)
def test_parameters_that_cannot_be_used_fail_the_load(tmp_path, text, words):
    with pytest.raises(BatchingParametersError, match=words) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "batching_params.pbtxt") in str(caught.value)
