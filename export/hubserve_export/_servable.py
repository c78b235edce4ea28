"""The model directory's SavedModel: the source model behind the four signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf

from ._errors import ModelError
from ._image_model import ImageModel
from ._scratch import private_folder
from .decode import batch
from .decode.batch import Preprocessing

Answer = dict[str, tf.Tensor]


class Servable:
    """The source model behind the signatures of the model directory.

    Every input and output has the batch as its 0th dimension, and there are no scalar inputs, because TF Serving's
    batching joins requests along dimension 0.

        Servable(model, labels, preprocessing, top_k=5).save(folder)
    """

    def __init__(self, model: ImageModel, labels: Sequence[str], preprocessing: Preprocessing, top_k: int) -> None:
        self._model = model
        self._labels = tuple(labels)
        self._preprocessing = preprocessing
        self._top_k = top_k
        # A function of its own, so that the signatures share one copy of its large graph.
        self._decode = tf.function(
            lambda image_bytes: batch.decode_batch(image_bytes, preprocessing),
            input_signature=[tf.TensorSpec([None], tf.string)],
            autograph=False,
        )

    def save(self, folder: Path) -> None:
        """Writes the SavedModel, with the labels among its assets.

        Raises:
            ModelError: The model needs something that its `variables` do not hold.
        """
        # Only what hangs on this object is saved with the signatures.
        root = tf.Module(name="servable")
        root.model = self._model.state
        with private_folder() as scratch:
            labels_file = scratch / "labels.txt"
            labels_file.write_text("".join(f"{label}\n" for label in self._labels), encoding="utf-8")
            root.labels_file = tf.saved_model.Asset(str(labels_file))
            try:
                tf.saved_model.save(root, str(folder), signatures=self.signatures())
            except AssertionError as error:
                raise ModelError(
                    "the model uses variables or tables that its `variables` attribute does not list, so "
                    "it cannot be saved again"
                ) from error

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The four signatures, traced."""
        encoded = tf.TensorSpec([None], tf.string, name="image_bytes")
        images = tf.TensorSpec(
            [None, self._preprocessing.height, self._preprocessing.width, 3], tf.float32, name="images"
        )
        examples = tf.TensorSpec([None], tf.string, name="inputs")
        return {
            "serving_default": _traced(self._serving_default, encoded),
            "logits": _traced(self._logits, encoded),
            "images": _traced(self._images, images),
            "classify": _traced(self._classify, examples),
        }

    def _serving_default(self, image_bytes: tf.Tensor) -> Answer:
        status, images = self._decode(image_bytes)
        return {"status": status, **self._best(self._model.call(images), status == batch.OK)}

    def _logits(self, image_bytes: tf.Tensor) -> Answer:
        status, images = self._decode(image_bytes)
        return {"status": status, "logits": tf.where((status == batch.OK)[:, None], self._model.call(images), 0.0)}

    def _images(self, images: tf.Tensor) -> Answer:
        logits = self._model.call(images)
        return {"logits": logits, **self._best(logits, tf.fill([tf.shape(logits)[0]], True))}

    def _classify(self, inputs: tf.Tensor) -> Answer:
        status, images = batch.decode_batch(inputs, self._preprocessing, unwrap=_encoded_image)
        best = self._best(self._model.call(images), status == batch.OK)
        # TF Serving's Classify takes exactly these two outputs.
        return {"classes": best["labels"], "scores": best["scores"]}

    def _best(self, logits: tf.Tensor, ok: tf.Tensor) -> Answer:
        """The top-k classes of the rows that are ok; elsewhere -1, empty and 0.

        Returns:
            class_ids int32 [N, K], labels string [N, K], scores float32 [N, K].
        """
        logits = tf.ensure_shape(logits, [None, self._model.classes])
        scores, class_ids = tf.math.top_k(tf.nn.softmax(logits), k=self._top_k)
        ok = ok[:, None]
        with tf.device("/CPU:0"):
            labels = tf.where(ok, tf.gather(tf.constant(self._labels), class_ids), "")
        return {"class_ids": tf.where(ok, class_ids, -1), "labels": labels, "scores": tf.where(ok, scores, 0.0)}


def _encoded_image(example: tf.Tensor) -> tf.Tensor:
    """The image in one serialized tf.Example; an Example without one gives the empty string, which is not an image."""
    feature = tf.io.FixedLenFeature([], tf.string, default_value="")
    return tf.io.parse_single_example(example, {"image/encoded": feature})["image/encoded"]


def _traced(method: Callable[[tf.Tensor], Answer], spec: tf.TensorSpec) -> tf.types.experimental.ConcreteFunction:
    return tf.function(method, input_signature=[spec], autograph=False).get_concrete_function()
