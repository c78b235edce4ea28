"""Every constructor of keras.applications, with 1000 classes and its default input size, saved as `.keras`.

keras.applications has no resize of its own: the image is stretched to the input, as `load_img` does with
`target_size`, but filtered and not rounded. Then comes the architecture's `preprocess_input`.
"""

import inspect
from types import ModuleType
from typing import Any

import numpy as np

from zoo import weights
from zoo.built import Array, Built, Entry, as_keras, stretched
from zoo.pictures import to_set_weights_by

#: The constructors, by the module that has their `preprocess_input`.
CONSTRUCTORS = {
    "convnext": ("ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge"),
    "densenet": ("DenseNet121", "DenseNet169", "DenseNet201"),
    "efficientnet": tuple(f"EfficientNetB{number}" for number in range(8)),
    "efficientnet_v2": tuple(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    "inception_resnet_v2": ("InceptionResNetV2",),
    "inception_v3": ("InceptionV3",),
    "mobilenet": ("MobileNet",),
    "mobilenet_v2": ("MobileNetV2",),
    "mobilenet_v3": ("MobileNetV3Small", "MobileNetV3Large"),
    "nasnet": ("NASNetMobile", "NASNetLarge"),
    "resnet": ("ResNet50", "ResNet101", "ResNet152"),
    "resnet_v2": ("ResNet50V2", "ResNet101V2", "ResNet152V2"),
    "vgg16": ("VGG16",),
    "vgg19": ("VGG19",),
    "xception": ("Xception",),
}
# MobileNetV3 takes any size; its weights were trained with this one.
_USUAL_SIZE = 224


def entries() -> list[Entry]:
    """All constructors, as the zoo lists them."""
    return [
        Entry(name, f"keras.applications.{name}", lambda module=module, name=name: build(module, name))
        for module, names in CONSTRUCTORS.items()
        for name in names
    ]


def build(module: str, name: str, **arguments: Any) -> Built:
    """Calls a constructor: `build("mobilenet_v2", "MobileNetV2", alpha=0.35)`."""
    from keras import applications

    model = getattr(applications, name)(weights=None, **arguments)
    # MobileNetV3, ResNet50 and others are functions of this package, too.
    preprocess_input = _module(applications, module).preprocess_input
    height, width = (side or _USUAL_SIZE for side in model.input_shape[1:3])

    def prepare(picture: Any) -> Array:
        # preprocess_input works in place.
        return np.asarray(preprocess_input(stretched(picture, height, width).copy()), np.float32)

    weights.vary(model, np.stack([prepare(picture) for picture in to_set_weights_by()]))
    return Built(model, as_keras(model), prepare)


def known_constructors() -> set[str]:
    """The constructors that the installed Keras has."""
    from keras import applications

    return {
        name
        for name, value in vars(applications).items()
        if name[0].isupper() and (inspect.isfunction(value) or inspect.isclass(value))
    }


def _module(package: ModuleType, name: str) -> Any:
    return getattr(package, name)
