"""The model directory's SavedModel: a source model behind signatures that take image files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import tensorflow as tf

from ._error_words import first_line
from ._errors import ModelError
from ._image_model import ImageModel
from ._preprocessing import Preprocessing
from .decode import batch

Answer = dict[str, tf.Tensor]


class ExportedModel(ABC):
    """A source model behind the signatures of its kind.

    Every input and output has the batch as its 0th dimension, and there are no scalar inputs, because TF Serving's
    batching joins requests along dimension 0.
    """

    #: The signatures that take encoded images: the first steps of every request, so the ones to warm up.
    byte_signatures: ClassVar[tuple[str, ...]]

    def __init__(self, model: ImageModel, preprocessing: Preprocessing) -> None:
        self._model = model
        self.preprocessing = preprocessing
        # A function of its own, so that the signatures share one copy of its large graph.
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
        """Tell what its answers hold, for the manifest."""

    def assets(self) -> Mapping[str, str]:
        """Return text files to be saved among the assets, by name."""
        return {}

    def save(self, folder: Path, signatures: Mapping[str, tf.types.experimental.ConcreteFunction]) -> None:
        """Write the SavedModel with these signatures, its own.

        Raises:
            ModelError: The model needs something that cannot be saved again.
        """
        # Only what hangs on this object is saved with the signatures.
        root = tf.Module(name="servable")
        root.model = self._model.state
        # TensorFlow copies assets from where they lie.
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
            # The disk: said with the folder's name by who knows it.
            raise
        except Exception as error:
            raise ModelError(
                f"the model cannot be saved again ({first_line(error)}); save it for inference alone where it was made"
            ) from error
        for file in files:
            file.unlink()

    def _call(self, images: tf.Tensor) -> tf.Tensor:
        """Return the model on float32 [N, height, width, 3], N >= 0: float32 [N, outputs].

        Some models fail on an empty batch, because a fused convolution does: they get one blank row, cut off again.
        """
        count, shape = tf.shape(images)[0], self._images_spec().shape
        some = tf.cond(count > 0, lambda: images, lambda: tf.zeros((1, *shape[1:])))
        return tf.ensure_shape(self._model.call(tf.ensure_shape(some, shape))[:count], [None, self._model.outputs])

    def _images_spec(self) -> tf.TensorSpec:
        return tf.TensorSpec([None, self.preprocessing.height, self.preprocessing.width, 3], tf.float32, "images")


def encoded_spec() -> tf.TensorSpec:
    """Return the input of a signature that takes encoded images: string [N]."""
    return tf.TensorSpec([None], tf.string, name="image_bytes")


def traced(method: Callable[[tf.Tensor], Answer], spec: tf.TensorSpec) -> tf.types.experimental.ConcreteFunction:
    """Return a method as a signature with one input."""
    return tf.function(method, input_signature=[spec], autograph=False).get_concrete_function()
