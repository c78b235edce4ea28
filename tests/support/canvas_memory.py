"""Decode a batch of the largest images that an accelerator resizes, and print the bytes that it takes at the peak.

    PYTHONPATH=tests python -m support.canvas_memory IMAGES SIDE

On Linux, where a process can set its peak back. Here the CPU is the accelerator, so that its part counts, too.
"""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from hubserve_export import Preprocessing
from hubserve_export.decode import canvas
from hubserve_export.decode.batch import decode_batch
from support.decode_memory import memory
from support.photographs import encoded


def main() -> None:
    count, side = map(int, sys.argv[1:])
    preprocessing = Preprocessing(side, side, resize_on="accelerator")
    decode = tf.function(
        lambda files: decode_batch(files, preprocessing),
        input_signature=[tf.TensorSpec([None], tf.string)],
        autograph=False,
    )
    samples = np.random.default_rng(0).integers(0, 256, (canvas.LONGEST, canvas.LONGEST, 3), np.uint8)
    large = encoded(Image.fromarray(samples), "PNG", compress_level=1)
    decode(tf.constant([encoded(Image.new("RGB", (8, 8)), "PNG")] * count))
    files = tf.constant([large] * count)
    base = memory("VmRSS")
    # Makes the peak what the process has now.
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    status, _ = decode(files)
    assert status.numpy().tolist() == [0] * count
    print(memory("VmHWM") - base)


if __name__ == "__main__":
    main()
