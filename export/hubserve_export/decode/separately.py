"""Apply a function to each element of a batch separately, so that a failing element does not affect the others.

A dataset inside the graph does it: no other operation of stock TensorFlow keeps the error of one element away from the
others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from ._not_inlined import DEVICE

# Tensors of one element: of known shape, or with dimensions that differ from element to element.
Values = tuple[tf.Tensor, ...]
Function = Callable[[tf.Tensor], Values]
# The places of the n elements for which the function did not fail, int32 [n], ascending, and their values.
_Rows = tuple[tf.Tensor, ...]


def ways(elements: tf.Tensor, specs: Sequence[tf.TensorSpec], function: Function) -> list[Callable[[], _Rows]]:
    """Return two functions that apply `function` to each element: for one element, and for any other number.

    Args:
        elements: string [N].
        specs: The values of one element. Values whose shape differs are filled up with zeros to the largest one.
        function: Fails with an error of TensorFlow for an element without values.
    """
    row_specs = [tf.TensorSpec([], tf.int32), *specs]

    # A dataset's function does not inherit the device around it, nor does a branch.
    def row_of(row: tf.Tensor, element: tf.Tensor) -> _Rows:
        with tf.device(DEVICE):
            return (row, *function(element))

    def batch_of_one(row: tf.Tensor, element: tf.Tensor) -> _Rows:
        with tf.device(DEVICE):
            return tuple(value[None] for value in row_of(row, element))

    def rows() -> tf.data.Dataset:
        return tf.data.Dataset.from_tensor_slices((tf.range(tf.size(elements)), elements))

    def alone() -> _Rows:
        # For one image, threads and a copy into a batch would cost more than they gain.
        with tf.device(DEVICE):
            return _first(rows().map(batch_of_one).ignore_errors(), row_specs)

    def together() -> _Rows:
        with tf.device(DEVICE):
            each = rows().map(row_of, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
            return _first(_batched(each.ignore_errors(), tf.size(elements), row_specs), row_specs)

    return [alone, together]


def in_place(count: tf.Tensor, places: tf.Tensor, values: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """Return the values of all `count` elements: those of `places`, int32 [n], and zeros for the others."""
    return [tf.scatter_nd(places[:, None], value, tf.concat([[count], tf.shape(value)[1:]], 0)) for value in values]


def _first(batches: tf.data.Dataset, specs: Sequence[tf.TensorSpec]) -> _Rows:
    """Return the only batch of a dataset.

    `get_single_element` fails on an empty dataset, which remains if the function failed for all elements. Then n is 0.
    """
    empty = [tf.zeros([0, *(1 if side is None else side for side in spec.shape)], spec.dtype) for spec in specs]
    nothing = tf.data.Dataset.from_tensors(tuple(empty))
    return batches.concatenate(nothing).take(1).get_single_element()


def _batched(rows: tf.data.Dataset, count: tf.Tensor, specs: Sequence[tf.TensorSpec]) -> tf.data.Dataset:
    """Return `rows.batch(count)`, or `rows.padded_batch(count)`, where all threads copy images instead of one.

    The operations have an attribute for it, which TensorFlow's Python code leaves off (`parallel_copy`).
    """
    batch_specs = [tf.TensorSpec([None, *spec.shape], spec.dtype) for spec in specs]
    common = {
        "input_dataset": tf.data.experimental.to_variant(rows),
        # 0 would be refused.
        "batch_size": tf.cast(tf.maximum(count, 1), tf.int64),
        "drop_remainder": False,
        "parallel_copy": True,
        "output_shapes": [spec.shape for spec in batch_specs],
    }
    if all(spec.shape.is_fully_defined() for spec in specs):
        batches = tf.raw_ops.BatchDatasetV2(output_types=[spec.dtype for spec in batch_specs], **common)
    else:
        # -1 stands for the longest side of all elements.
        sides = [tf.constant([-1 if side is None else side for side in spec.shape], tf.int64) for spec in specs]
        zeros = [tf.zeros([], spec.dtype) for spec in specs]
        batches = tf.raw_ops.PaddedBatchDatasetV2(padded_shapes=sides, padding_values=zeros, **common)
    return tf.data.experimental.from_variant(batches, tuple(batch_specs))
