"""Random weights whose answers tell images apart.

Fresh weights often give nearly the same numbers for every image, so that wrong pixels would not show. Here batch
norms take the statistics of real photographs, and the last layer is moved and stretched until its numbers differ as a
trained model's do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from zoo.built import Array

# The standard deviation of a class' logit over the photographs.
_SPREAD = 2.0
# ConvNeXt and its kin begin with blocks that add almost nothing.
_LAYER_SCALE = 0.3


def vary(model: Any, inputs: Array) -> None:
    """Sets the weights of a Keras model by a batch of its inputs, float32 [N, H, W, C]."""
    take_statistics(model, inputs)
    spread(model, inputs)


def take_statistics(model: Any, inputs: Array) -> None:
    """Gives batch norms the statistics of a batch of inputs, and layer scales a part in their blocks."""
    for layer in _layers(model):
        if type(layer).__name__ == "LayerScale":
            for weight in layer.weights:
                weight.assign(np.full(weight.shape, _LAYER_SCALE, np.float32))
    norms = [layer for layer in _layers(model) if type(layer).__name__ == "BatchNormalization"]
    before = [(norm.momentum, norm.trainable) for norm in norms]
    for norm in norms:
        norm.momentum, norm.trainable = 0.0, True
    if norms:
        model(inputs, training=True)
    for norm, (momentum, trainable) in zip(norms, before, strict=True):
        norm.momentum, norm.trainable = momentum, trainable


def spread(model: Any, inputs: Array) -> None:
    """Moves and stretches the last layer until its numbers differ from image to image."""
    last = [layer for layer in _layers(model) if _makes(layer, model.output_shape[-1])][-1]
    with without_activation(model):
        logits = np.asarray(model(inputs, training=False)).reshape(len(inputs), -1)
    factor = _SPREAD / max(float(logits.std(axis=0).mean()), 1e-12)
    last.kernel.assign(np.asarray(last.kernel) * factor)
    last.bias.assign((np.asarray(last.bias) - logits.mean(axis=0)) * factor)


@contextmanager
def without_activation(model: Any) -> Iterator[None]:
    """Leaves the softmax or sigmoid of the last layer away, so that `predict` gives logits."""
    layer = _with_activation(model)
    if layer is None:
        yield
        return
    import keras

    before = layer.activation
    # tf_keras, where hub.KerasLayer lives, takes the same function.
    layer.activation = keras.activations.linear
    model.predict_function = None
    try:
        yield
    finally:
        layer.activation = before
        model.predict_function = None


def head(model: Any) -> str:
    """Return what the model's last layer makes of its numbers: "softmax", "sigmoid" or "none"."""
    layer = _with_activation(model)
    return "none" if layer is None else layer.activation.__name__


def _layers(model: Any) -> Iterator[Any]:
    yield from model._flatten_layers(include_self=False, recursive=True)


def _with_activation(model: Any) -> Any:
    last = model.layers[-1]
    name = getattr(getattr(last, "activation", None), "__name__", "")
    return last if name in ("softmax", "sigmoid") else None


def _makes(layer: Any, numbers: int) -> bool:
    kernel, bias = getattr(layer, "kernel", None), getattr(layer, "bias", None)
    return kernel is not None and bias is not None and tuple(bias.shape) == (numbers,)
