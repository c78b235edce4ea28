"""A model that returns its input: after export, its feature vector is the decoded pixels, to the last bit.

So the whole exported graph is asked, as TensorFlow Serving would ask it, at little more than the price of decoding.
"""

from pathlib import Path

import tensorflow as tf

from hubserve_export import Options, export

HEIGHT, WIDTH = 24, 32
# Large enough for JPEG's scaled decoding, which begins at a million.
MAX_PIXELS = 2_000_000


class _Pixels(tf.Module):
    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.one = tf.Variable(1.0)
        spec = tf.TensorSpec([None, height, width, 3], tf.float32)
        self.__call__ = tf.function(
            lambda images: tf.reshape(images * self.one, [-1, height * width * 3]), input_signature=[spec]
        )


def export_pixels(folder: Path, height: int = HEIGHT, width: int = WIDTH, max_pixels: int = MAX_PIXELS) -> Path:
    """Export it below an empty folder: gives its version's folder."""
    tf.saved_model.save(_Pixels(height, width), str(folder / "saved"))
    options = Options(
        str(folder / "saved"),
        folder / "pixels",
        kind="feature_vector",
        preprocessing="unit",
        max_pixels=max_pixels,
        batch_sizes=(1, 32),
    )
    return export(options).folder
