"""Build the model directory's SavedModel: a source model with signatures that take image files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import tensorflow as tf

from ._error_words import first_line
from ._errors import ModelError
from ._head import Head
from ._image_model import ImageModel
from ._labels import Labels
from ._preprocessing import Preprocessing
from .decode import batch

Answer = dict[str, tf.Tensor]


class ExportedModel(ABC):
    """A source model with the signatures of its kind.

    Every input and output has the batch as its first dimension, and there are no scalar inputs, because TF Serving's
    batching joins requests along that dimension.
    """

    #: The signatures that take encoded images; their first steps are slow without warm-up.
    byte_signatures: ClassVar[tuple[str, ...]]

    def __init__(self, model: ImageModel, preprocessing: Preprocessing) -> None:
        self._model = model
        self.preprocessing = preprocessing
        # A separate function, so that the signatures share one copy of its large graph.
        self._decode = tf.function(
            lambda image_bytes: batch.decode_batch(image_bytes, preprocessing),
            input_signature=[tf.TensorSpec([None], tf.string)],
            autograph=False,
        )

    @abstractmethod
    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Return the signatures by name, traced."""

    @abstractmethod
    def outputs(self) -> dict[str, Any]:
        """Describe the outputs, for the manifest."""

    def assets(self) -> Mapping[str, str]:
        """Return text files to save among the assets, by name."""
        return {}

    def save(self, folder: Path, signatures: Mapping[str, tf.types.experimental.ConcreteFunction]) -> None:
        """Write the SavedModel with these signatures.

        Raises:
            ModelError: The model contains something that cannot be saved again.
        """
        # Only what is attached to this object is saved with the signatures.
        root = tf.Module(name="servable")
        root.model = self._model.state
        # TensorFlow copies assets from their place on disk.
        files = {folder / name: text for name, text in self.assets().items()}
        for file, text in files.items():
            file.write_text(text, encoding="utf-8")
        root.files = [tf.saved_model.Asset(str(file)) for file in files]
        try:
            tf.saved_model.save(root, str(folder), signatures=dict(signatures))
        except AssertionError as error:
            raise ModelError(
                "the model uses variables or tables that nothing in it lists, so it cannot be saved again"
            ) from error
        except (OSError, tf.errors.OpError):
            # Errors of the disk: the caller adds the folder's name.
            raise
        except Exception as error:
            raise ModelError(
                f"the model cannot be saved again ({first_line(error)}); save it for inference alone where it was made"
            ) from error
        for file in files:
            file.unlink()

    def _call(self, images: tf.Tensor) -> tf.Tensor:
        """Run the model on float32 [N, height, width, 3], N >= 0; return float32 [N, outputs].

        Some models fail on an empty batch, because a fused convolution does: they get one blank row, which is removed
        again.
        """
        count, shape = tf.shape(images)[0], self._images_spec().shape
        some = tf.cond(count > 0, lambda: images, lambda: tf.zeros((1, *shape[1:])))
        return tf.ensure_shape(self._model.call(tf.ensure_shape(some, shape))[:count], [None, self._model.outputs])

    def _images_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec([None, self.preprocessing.height, self.preprocessing.width, 3], tf.float32, "images")


class Classifier(ExportedModel):
    """A classifier with its four signatures.

    Classifier(model, head, preprocessing, labels, top_k=5).save(folder)
    """

    byte_signatures = ("serving_default", "logits", "classify")

    def __init__(self, model: ImageModel, head: Head, preprocessing: Preprocessing, labels: Labels, top_k: int) -> None:
        super().__init__(model, preprocessing)
        self._head = head
        self._labels = labels
        self._top_k = top_k

    def outputs(self) -> dict[str, Any]:
        """Describe the outputs: the number of classes, whether the first is background, `top_k`, and the head."""
        return {
            "classes": self._model.outputs,
            "background": self._labels.background,
            "top_k": self._top_k,
            **self._head.described(),
        }

    def assets(self) -> Mapping[str, str]:
        """Return `labels.txt`, one name in each line."""
        return {"labels.txt": "".join(f"{label}\n" for label in self._labels.names)}

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Return `serving_default`, `logits`, `images` and `classify`."""
        return {
            "serving_default": _traced(self._serving_default, _encoded_spec()),
            "logits": _traced(self._logits, _encoded_spec()),
            "images": _traced(self._images, self._images_spec()),
            "classify": _traced(self._classify, tf.TensorSpec([None], tf.string, name="inputs")),
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
        """Return the top-k classes of rows that are ok; -1, empty and 0 for the others.

        Returns:
            class_ids int32 [N, K], labels string [N, K], scores float32 [N, K].
        """
        scores, class_ids = tf.math.top_k(self._head.scores(logits), k=self._top_k)
        ok = ok[:, None]
        with tf.device("/CPU:0"):
            labels = tf.where(ok, tf.gather(tf.constant(self._labels.names), class_ids), "")
        return {"class_ids": tf.where(ok, class_ids, -1), "labels": labels, "scores": tf.where(ok, scores, 0.0)}


class FeatureExtractor(ExportedModel):
    """A model of feature vectors with its two signatures.

    FeatureExtractor(model, preprocessing).save(folder)
    """

    byte_signatures = ("serving_default",)

    def signatures(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Return `serving_default` and `images`."""
        return {
            "serving_default": _traced(self._serving_default, _encoded_spec()),
            "images": _traced(self._images, self._images_spec()),
        }

    def outputs(self) -> dict[str, Any]:
        """Return the number of features."""
        return {"features": self._model.outputs, "source_gives": "features"}

    def _serving_default(self, image_bytes: tf.Tensor) -> Answer:
        status, images = self._decode(image_bytes)
        return {"status": status, "feature_vector": tf.where((status == batch.OK)[:, None], self._call(images), 0.0)}

    def _images(self, images: tf.Tensor) -> Answer:
        return {"feature_vector": self._call(images)}


def _encoded_image(example: tf.Tensor) -> tf.Tensor:
    """Return the image in a serialized tf.Example.

    An Example without an image gives the empty string, which is not decodable.
    """
    feature = tf.io.FixedLenFeature([], tf.string, default_value="")
    return tf.io.parse_single_example(example, {"image/encoded": feature})["image/encoded"]


def _encoded_spec() -> tf.TensorSpec:
    """Return the input of a signature that takes encoded images: string [N]."""
    return tf.TensorSpec([None], tf.string, name="image_bytes")


def _traced(method: Callable[[tf.Tensor], Answer], spec: tf.TensorSpec) -> tf.types.experimental.ConcreteFunction:
    """Return a method as a signature with one input."""
    return tf.function(method, input_signature=[spec], autograph=False).get_concrete_function()
