"""Write and read the batching parameters of a version: its `batching_params.pbtxt`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from google.protobuf import text_format

from . import batching_parameters_pb2
from ._errors import BatchingParametersError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FILENAME = "batching_params.pbtxt"
_INT_MAX = 2**31 - 1


@dataclass(frozen=True)
class BatchingParameters:
    """TF Serving's batching: ``BatchingParameters(max_batch_size=8, allowed_batch_sizes=(1, 2, 4, 8))``.

    Attributes:
        max_batch_size: The most rows in one request.
        max_execution_batch_size: The most rows that run at once; smaller than max_batch_size only if large requests are
            split.
        batch_timeout_micros: How long a batch that is not full waits for more requests.
        max_enqueued_batches: How many batches may wait; further requests are refused with UNAVAILABLE.
        num_batch_threads: How many batches run at a time.
        allowed_batch_sizes: Batches are padded to the next of these sizes; empty for no padding.
        split: Whether a request that does not fit the open batch is split over several.
    """

    max_batch_size: int = 1000
    max_execution_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = 1
    allowed_batch_sizes: tuple[int, ...] = ()
    split: bool = False


def write_batching_parameters(folder: Path, batch_sizes: Sequence[int]) -> None:
    """Write `batching_params.pbtxt`, a BatchingParameters message in text form.

    TF Serving reads it from the version's folder under --enable_per_model_batching_parameters, and refuses to load the
    version unless the sizes ascend and the last is max_batch_size.
    """
    allowed = "\n".join(f"allowed_batch_sizes: {size}" for size in batch_sizes)
    (folder / FILENAME).write_text(
        "# Read by TF Serving with --enable_batching --enable_per_model_batching_parameters.\n"
        "# Rows of the largest batch, and of the largest request.\n"
        f"max_batch_size {{ value: {batch_sizes[-1]} }}\n"
        "# How long a batch that is not full waits for more requests: short, compared to the time that the "
        "model itself takes.\n"
        "batch_timeout_micros { value: 5000 }\n"
        "# Batches that may wait; beyond them a caller gets UNAVAILABLE and may retry, which is better "
        "than a queue without end.\n"
        "max_enqueued_batches { value: 100 }\n"
        "# A batch is padded to the next of these sizes, so that the GPU sees few shapes; each is warmed up.\n"
        f"{allowed}\n",
        encoding="utf-8",
    )


def read_batching_parameters(version_directory: Path) -> BatchingParameters | None:
    """Read the batching parameters; None if the directory has none: then its model is not batched.

    Raises:
        BatchingParametersError: The file is not a BatchingParameters message, or asks for something impossible.
    """
    file = version_directory / FILENAME
    if not file.is_file():
        return None
    try:
        message = text_format.Parse(file.read_text(encoding="utf-8"), batching_parameters_pb2.BatchingParameters())
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise BatchingParametersError(
            f"cannot read {file} ({error}): it holds TF Serving's BatchingParameters as text"
        ) from error
    try:
        return _interpret(message)
    except ValueError as error:
        raise BatchingParametersError(f"{file} cannot be used ({error}): fix it, or export the model again") from error


def _interpret(message: batching_parameters_pb2.BatchingParameters) -> BatchingParameters:
    """Fill unset fields with the defaults of TF Serving's SharedBatchScheduler.

    Raises:
        ValueError: The parameters contradict each other; the message is TF Serving's where it has one.
    """

    def number(field: str, default: int) -> int:
        value = getattr(message, field).value if message.HasField(field) else default
        if value < 0:
            raise ValueError(f"{field} must not be negative; was {value}")
        # The kernel's attributes have 32 bits; a larger value means no limit.
        return min(int(value), _INT_MAX)

    if message.pad_variable_length_inputs:
        raise ValueError("the embedded engine does not have pad_variable_length_inputs; TF Serving has")
    split = bool(message.enable_large_batch_splitting.value)
    largest = number("max_batch_size", 1000)
    largest_run = number("max_execution_batch_size", largest) if split else largest
    threads = number("num_batch_threads", os.cpu_count() or 1)
    sizes = tuple(message.allowed_batch_sizes)
    if not 1 <= largest_run <= largest:
        raise ValueError(f"batch sizes must be at least 1 and at most max_batch_size; was {largest_run} of {largest}")
    if threads < 1:
        raise ValueError(f"num_batch_threads must be at least 1; was {threads}")
    if sizes and sizes[-1] != largest:
        raise ValueError(
            "Last entry in allowed_batch_sizes must match max_batch_size; "
            f"last entry was {sizes[-1]}; expected {largest}"
        )
    if any(smaller >= larger for smaller, larger in zip((0, *sizes), sizes, strict=False)):
        raise ValueError("allowed_batch_sizes entries must be monotonically increasing")
    return BatchingParameters(
        max_batch_size=largest,
        max_execution_batch_size=largest_run,
        batch_timeout_micros=number("batch_timeout_micros", 0),
        # TF Serving changes 0 to 1: a queue of size 0 would refuse every request.
        max_enqueued_batches=max(1, number("max_enqueued_batches", 10)),
        num_batch_threads=threads,
        allowed_batch_sizes=sizes,
        split=split,
    )
