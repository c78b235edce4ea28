"""A model whose answer is what it was shown: exported, its feature vector is the decoded pixels, to the last bit.

So the whole exported graph is asked, as TensorFlow Serving would ask it, at little more than the price of decoding.
"""

from pathlib import Path

import tensorflow as tf

from hubserve_export import Options, export

HEIGHT, WIDTH = 24, 32
# Large enough for JPEG's scaled decoding, which begins at a million.
MAX_PIXELS = 2_000_000


class _Pixels(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = tf.Variable(1.0)

    @tf.function(input_signature=[tf.TensorSpec([None, HEIGHT, WIDTH, 3], tf.float32)])
    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        return tf.reshape(images * self.one, [-1, HEIGHT * WIDTH * 3])


def export_pixels(folder: Path) -> Path:
    """Export it below an empty folder: gives its version's folder."""
    tf.saved_model.save(_Pixels(), str(folder / "saved"))
    options = Options(
        str(folder / "saved"),
        folder / "pixels",
        kind="feature_vector",
        preprocessing="unit",
        max_pixels=MAX_PIXELS,
        batch_sizes=(1, 32),
    )
    return export(options).folder
