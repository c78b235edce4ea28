"""The exported form of a model that gives feature vectors."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from ._exported_model import Answer, ExportedModel, encoded_spec, traced
from .decode import batch


class FeatureExtractor(ExportedModel):
    """A model of feature vectors behind its two signatures.

    FeatureExtractor(model, preprocessing).save(folder)
    """

    byte_signatures = ("serving_default",)

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Return `serving_default` and `images`."""
        return {
            "serving_default": traced(self._serving_default, encoded_spec()),
            "images": traced(self._images, self._images_spec()),
        }

    def outputs(self) -> dict[str, Any]:
        """Return the number of features."""
        return {"features": self._model.outputs, "source_gives": "features"}

    def _serving_default(self, image_bytes: tf.Tensor) -> Answer:
        status, images = self._decode(image_bytes)
        return {"status": status, "feature_vector": tf.where((status == batch.OK)[:, None], self._call(images), 0.0)}

    def _images(self, images: tf.Tensor) -> Answer:
        return {"feature_vector": self._call(images)}
