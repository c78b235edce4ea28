"""The exported model of a classifier: the best classes of an image, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from ._exported_model import Answer, ExportedModel, encoded_spec, traced
from ._head import Head
from ._image_model import ImageModel
from ._labels import Labels
from ._preprocessing import Preprocessing
from .decode import batch


class Classifier(ExportedModel):
    """A classifier behind its four signatures.

    Classifier(model, head, preprocessing, labels, top_k=5).save(folder)
    """

    byte_signatures = ("serving_default", "logits", "classify")

    def __init__(self, model: ImageModel, head: Head, preprocessing: Preprocessing, labels: Labels, top_k: int) -> None:
        super().__init__(model, preprocessing)
        self._head = head
        self._labels = labels
        self._top_k = top_k

    def outputs(self) -> dict[str, Any]:
        """Return the number of classes, whether the first is background, how many an answer has, and the head."""
        return {
            "classes": self._model.outputs,
            "background": self._labels.background,
            "top_k": self._top_k,
            **self._head.described(),
        }

    def assets(self) -> Mapping[str, str]:
        """Return `labels.txt`, one name a line."""
        return {"labels.txt": "".join(f"{label}\n" for label in self._labels.names)}

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Return `serving_default`, `logits`, `images` and `classify`."""
        return {
            "serving_default": traced(self._serving_default, encoded_spec()),
            "logits": traced(self._logits, encoded_spec()),
            "images": traced(self._images, self._images_spec()),
            "classify": traced(self._classify, tf.TensorSpec([None], tf.string, name="inputs")),
        }

    def _serving_default(self, image_bytes: tf.Tensor) -> Answer:
        status, images = self._decode(image_bytes)
        return {"status": status, **self._best(self._call(images), status == batch.OK)}

    def _logits(self, image_bytes: tf.Tensor) -> Answer:
        status, images = self._decode(image_bytes)
        return {"status": status, "logits": tf.where((status == batch.OK)[:, None], self._call(images), 0.0)}

    def _images(self, images: tf.Tensor) -> Answer:
        logits = self._call(images)
        return {"logits": logits, **self._best(logits, tf.fill([tf.shape(logits)[0]], True))}

    def _classify(self, inputs: tf.Tensor) -> Answer:
        status, images = batch.decode_batch(inputs, self.preprocessing, unwrap=_encoded_image)
        best = self._best(self._call(images), status == batch.OK)
        # TF Serving's Classify takes exactly these two outputs.
        return {"classes": best["labels"], "scores": best["scores"]}

    def _best(self, logits: tf.Tensor, ok: tf.Tensor) -> Answer:
        """Return the top-k classes of the rows that are ok; elsewhere -1, empty and 0.

        Returns:
            class_ids int32 [N, K], labels string [N, K], scores float32 [N, K].
        """
        scores, class_ids = tf.math.top_k(self._head.scores(logits), k=self._top_k)
        ok = ok[:, None]
        with tf.device("/CPU:0"):
            labels = tf.where(ok, tf.gather(tf.constant(self._labels.names), class_ids), "")
        return {"class_ids": tf.where(ok, class_ids, -1), "labels": labels, "scores": tf.where(ok, scores, 0.0)}


def _encoded_image(example: tf.Tensor) -> tf.Tensor:
    """Return the image in one serialized tf.Example.

    An Example without one gives the empty string, which is not an image.
    """
    feature = tf.io.FixedLenFeature([], tf.string, default_value="")
    return tf.io.parse_single_example(example, {"image/encoded": feature})["image/encoded"]
