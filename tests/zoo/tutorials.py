"""The final models of the official TensorFlow and Keras tutorials, each saved as its page saves it.

Layers, sizes and endings are the pages'; weights are random. Pages that load their images with
`image_dataset_from_directory` stretch them without an antialiasing filter, and others with one; no model carries which,
so the reference stretches with one, as export does. What a page does to pixels outside of its model is said to export.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from zoo import weights
from zoo.built import Array, Built, Entry, Prepare, as_h5, as_keras, as_saved_model, luminance, stretched
from zoo.pictures import to_set_weights_by

_TF = "https://www.tensorflow.org/tutorials"
_KERAS = "https://keras.io"


def entries() -> list[Entry]:
    """All tutorials, as the zoo lists them."""
    unit, unit_of_one = {"preprocessing": "unit"}, {"preprocessing": "unit", "channels": "luminance"}
    return [
        Entry("quickstart-beginner", f"{_TF}/quickstart/beginner", _quickstart, unit_of_one, 10),
        Entry("fashion-mnist", f"{_TF}/keras/classification", _fashion_mnist, unit_of_one, 10),
        Entry("mnist-convnet", f"{_KERAS}/examples/vision/mnist_convnet/", _mnist_convnet, unit, 10),
        Entry("cifar10-cnn", f"{_TF}/images/cnn", _cifar10, unit, 10),
        Entry("flowers", f"{_TF}/images/classification", lambda: _flowers(as_keras), labels=5),
        Entry("flowers-h5", f"{_TF}/images/classification", lambda: _flowers(as_h5), labels=5),
        Entry("flowers-saved-model", f"{_TF}/images/classification", lambda: _flowers(as_saved_model), labels=5),
        Entry("flowers-resized-inside", f"{_TF}/images/data_augmentation", _resized_inside, labels=5),
        Entry("cats-and-dogs", f"{_TF}/images/transfer_learning", lambda: _cats_and_dogs(as_keras), labels=2),
        Entry(
            "cats-and-dogs-saved-model",
            f"{_TF}/images/transfer_learning",
            lambda: _cats_and_dogs(as_saved_model),
            labels=2,
        ),
        Entry("cats-vs-dogs-from-scratch", f"{_KERAS}/examples/vision/image_classification_from_scratch/", _scratch,
              labels=2),
        Entry("xception-fine-tuned", f"{_KERAS}/guides/transfer_learning/", _xception, labels=2),
        Entry("stanford-dogs", f"{_KERAS}/examples/vision/image_classification_efficientnet_fine_tuning/", _dogs,
              labels=120),
        Entry("resnet50-preprocessed-inside", f"{_KERAS}/api/applications/", _resnet_inside, labels=3),
        Entry("multi-label", f"{_KERAS}/examples/ (a sigmoid for each label)", _multi_label, labels=6),
        Entry("hub-feature-vector", f"{_TF}/images/transfer_learning_with_hub", _hub_layer, unit, 5),
    ]  # fmt: skip


def _built(
    layers: Sequence[Any] | Any, save: Callable[[Any], Any], prepare: Prepare, fed: Prepare | None = None
) -> Built:
    import keras

    model = keras.Sequential(list(layers)) if isinstance(layers, Sequence) else layers
    photographs = to_set_weights_by()
    weights.vary(model, np.stack([(fed or prepare)(picture) for picture in photographs]))
    return Built(model, save(model), prepare, fed)


def _stretch(side: int) -> Prepare:
    return lambda picture: stretched(picture, side, side)


def _unit(side: int) -> Prepare:
    return lambda picture: stretched(picture, side, side) / 255


def _quickstart() -> Built:
    from keras import layers

    net = [
        layers.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.2),
        layers.Dense(10),
    ]
    return _built(net, as_keras, _digits_without_a_channel)


def _fashion_mnist() -> Built:
    from keras import Sequential, layers

    model = Sequential(
        [layers.Input((28, 28)), layers.Flatten(), layers.Dense(128, activation="relu"), layers.Dense(10)]
    )
    # The page's probability model: the net, then a softmax of its own.
    weights.vary(model, np.stack([_digits_without_a_channel(picture) for picture in to_set_weights_by()]))
    probability_model = Sequential([layers.Input((28, 28)), model, layers.Softmax()])
    return Built(probability_model, as_keras(probability_model), _digits_without_a_channel, before_softmax=model)


def _digits_without_a_channel(picture: Image.Image) -> Array:
    return luminance(picture, 28, 28)[..., 0] / 255


def _mnist_convnet() -> Built:
    from keras import layers

    net = [
        layers.Input((28, 28, 1)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(10, activation="softmax"),
    ]
    return _built(net, as_keras, lambda picture: luminance(picture, 28, 28) / 255)


def _cifar10() -> Built:
    from keras import layers

    net = [
        layers.Input((32, 32, 3)),
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Conv2D(64, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(64, activation="relu"),
        layers.Dense(10),
    ]
    return _built(net, as_keras, _unit(32))


def _flowers(save: Callable[[Any], Any]) -> Built:
    from keras import Sequential, layers

    net = [
        layers.Input((180, 180, 3)),
        Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.1), layers.RandomZoom(0.1)]),
        layers.Rescaling(1.0 / 255),
        *_three_convolutions(),
        layers.Dropout(0.2),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(5, name="outputs"),
    ]
    return _built(net, save, _stretch(180))


def _resized_inside() -> Built:
    from keras import Sequential, layers

    resizing = layers.Resizing(180, 180)
    net = [
        layers.Input((None, None, 3)),
        Sequential([resizing, layers.Rescaling(1.0 / 255)]),
        Sequential([layers.RandomFlip("horizontal_and_vertical"), layers.RandomRotation(0.2)]),
        *_three_convolutions(),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dense(5),
    ]
    photographs = to_set_weights_by()
    model = Sequential(net)

    def whole(picture: Image.Image) -> Array:
        return np.asarray(picture, np.float32)

    def prepare(picture: Image.Image) -> Array:
        return np.asarray(resizing(whole(picture)))

    weights.vary(model, np.stack([prepare(picture) for picture in photographs]))
    return Built(model, as_keras(model), prepare, whole)


def _three_convolutions() -> list[Any]:
    from keras import layers

    return [
        layer
        for filters in (16, 32, 64)
        for layer in (layers.Conv2D(filters, 3, padding="same", activation="relu"), layers.MaxPooling2D())
    ]


def _cats_and_dogs(save: Callable[[Any], Any]) -> Built:
    import keras
    from keras import layers

    augmentation = keras.Sequential([layers.RandomFlip("horizontal"), layers.RandomRotation(0.2)])
    base = keras.applications.MobileNetV2(input_shape=(160, 160, 3), include_top=False, weights=None)
    base.trainable = False
    inputs = keras.Input((160, 160, 3))
    x = augmentation(inputs)
    x = keras.applications.mobilenet_v2.preprocess_input(x)
    x = layers.GlobalAveragePooling2D()(base(x, training=False))
    outputs = layers.Dense(1, activation="sigmoid")(layers.Dropout(0.2)(x))
    return _transferred(base, keras.Model(inputs, outputs), save, 160, lambda pixels: pixels / 127.5 - 1)


def _xception() -> Built:
    import keras
    from keras import layers

    base = keras.applications.Xception(input_shape=(150, 150, 3), include_top=False, weights=None)
    base.trainable = False
    inputs = keras.Input((150, 150, 3))
    x = layers.Rescaling(scale=1 / 127.5, offset=-1)(inputs)
    x = layers.GlobalAveragePooling2D()(base(x, training=False))
    outputs = layers.Dense(1)(layers.Dropout(0.2)(x))
    return _transferred(base, keras.Model(inputs, outputs), as_keras, 150, lambda pixels: pixels / 127.5 - 1)


def _resnet_inside() -> Built:
    import keras
    from keras import layers

    base = keras.applications.ResNet50(input_shape=(128, 128, 3), include_top=False, weights=None, pooling="avg")
    base.trainable = False
    inputs = keras.Input((128, 128, 3))
    x = keras.applications.resnet.preprocess_input(inputs)
    outputs = layers.Dense(3, activation="softmax")(base(x, training=False))
    return _transferred(
        base,
        keras.Model(inputs, outputs),
        as_keras,
        128,
        lambda pixels: keras.applications.resnet.preprocess_input(pixels.copy()),
    )


def _transferred(
    base: Any, model: Any, save: Callable[[Any], Any], side: int, before_base: Callable[[Array], Array]
) -> Built:
    """A base that was called with training=False: its batch norms take their statistics on their own."""
    inputs = np.stack([stretched(picture, side, side) for picture in to_set_weights_by()])
    weights.take_statistics(base, before_base(inputs))
    weights.spread(model, inputs)
    return Built(model, save(model), _stretch(side))


def _scratch() -> Built:
    import keras
    from keras import layers

    inputs = keras.Input((180, 180, 3))
    x = layers.Rescaling(1.0 / 255)(inputs)
    x = layers.Conv2D(128, 3, strides=2, padding="same")(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    previous = x
    for size in (256, 512, 728):
        for _ in range(2):
            x = layers.Activation("relu")(x)
            x = layers.SeparableConv2D(size, 3, padding="same")(x)
            x = layers.BatchNormalization()(x)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.add([x, layers.Conv2D(size, 1, strides=2, padding="same")(previous)])
        previous = x
    x = layers.SeparableConv2D(1024, 3, padding="same")(x)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    x = layers.Dropout(0.25)(layers.GlobalAveragePooling2D()(x))
    return _built(keras.Model(inputs, layers.Dense(1, activation=None)(x)), as_keras, _stretch(180))


def _dogs() -> Built:
    import keras
    from keras import layers

    inputs = keras.Input((224, 224, 3))
    base = keras.applications.EfficientNetB0(include_top=False, input_tensor=inputs, weights=None)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(base.output)
    x = layers.Dropout(0.2, name="top_dropout")(layers.BatchNormalization()(x))
    outputs = layers.Dense(120, activation="softmax", name="pred")(x)
    return _built(keras.Model(inputs, outputs, name="EfficientNet"), as_keras, _stretch(224))


def _multi_label() -> Built:
    from keras import layers

    net = [
        layers.Input((128, 128, 3)),
        layers.Rescaling(1.0 / 255),
        *_three_convolutions(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(64, activation="relu"),
        layers.Dense(6, activation="sigmoid"),
    ]
    return _built(net, as_keras, _stretch(128))


def _hub_layer() -> Built:
    """A layer of the hub and a Dense layer, in Keras 2, which saves a SavedModel; images are divided outside."""
    import dataclasses
    import tempfile
    from pathlib import Path

    import tensorflow_hub as hub
    import tf_keras

    from models import pnasnet

    module = Path(tempfile.mkdtemp(prefix="zoo-hub-")) / "module"
    pnasnet.Pnasnet(dataclasses.replace(pnasnet.MINIATURE, classes=None)).save(module)
    side = pnasnet.MINIATURE.image_size
    model = tf_keras.Sequential(
        [hub.KerasLayer(str(module), input_shape=(side, side, 3), trainable=False), tf_keras.layers.Dense(5)]
    )
    prepare = _unit(side)
    weights.spread(model, np.stack([prepare(picture) for picture in to_set_weights_by()]))

    def save(folder: Path) -> Path:
        model.save(folder / "saved_model")
        return folder / "saved_model"

    return Built(model, save, prepare)
