"""KerasHub's image classifiers, each a preset folder: a backbone of reduced width with an image converter and a head.

The reference is `predict`, which prepares images with the preset's own converter. Converters are like those of the
published presets: ImageNet's or half means and deviations, with crop, bars or neither, and all of KerasHub's filters.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from zoo import weights
from zoo.built import Array, Built, Entry, as_keras, as_preset
from zoo.pictures import to_set_weights_by

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_IMAGENET: Mapping[str, Any] = {
    "scale": [1 / 255 / std for std in _STD],
    "offset": [-mean / std for mean, std in zip(_MEAN, _STD, strict=True)],
}
_HALF: Mapping[str, Any] = {"scale": 1 / 127.5, "offset": -1.0}
_RESNET: Mapping[str, Any] = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 64, 128],
    "stackwise_num_blocks": [1, 1, 1],
    "stackwise_num_strides": [1, 2, 2],
    "block_type": "basic_block",
}
_EFFICIENTNET: Mapping[str, Any] = {
    "stackwise_kernel_sizes": [3, 3, 5],
    "stackwise_num_repeats": [1, 1, 1],
    "stackwise_input_filters": [16, 16, 24],
    "stackwise_output_filters": [16, 24, 40],
    "stackwise_expansion_ratios": [1, 4, 4],
    "stackwise_strides": [1, 2, 2],
    "stackwise_width_coefficients": [1.0] * 3,
    "stackwise_depth_coefficients": [1.0] * 3,
}
_TRANSFORMER: Mapping[str, Any] = {"patch_size": 16, "num_layers": 2, "num_heads": 3, "hidden_dim": 48}


def entries() -> list[Entry]:
    """All presets, as the zoo lists them."""
    return [
        _entry("resnet", "ResNet", _RESNET, **_IMAGENET),
        _entry(
            "resnet-v2", "ResNet", {**_RESNET, "block_type": "bottleneck_block", "use_pre_activation": True}, **_HALF
        ),
        _entry(
            "resnet-vd",
            "ResNet",
            {
                **_RESNET,
                "input_conv_filters": [32, 32, 64],
                "input_conv_kernel_sizes": [3, 3, 3],
                "block_type": "basic_block_vd",
            },
            **_IMAGENET,
            interpolation="bicubic",
        ),
        _entry("resnet-letterboxed", "ResNet", _RESNET, **_IMAGENET, **_bars()),
        _entry("resnet-stretched", "ResNet", _RESNET, **_HALF, crop_to_aspect_ratio=False, antialias=True),
        _entry("resnet-saved-as-keras", "ResNet", _RESNET, saved=as_keras, **_IMAGENET),
        _entry("densenet", "DenseNet", {"stackwise_num_repeats": [2, 2, 2], "growth_rate": 16}, **_IMAGENET),
        _entry(
            "efficientnet",
            "EfficientNet",
            {
                **_EFFICIENTNET,
                "stackwise_squeeze_and_excite_ratios": [0.25] * 3,
                "stackwise_block_types": ["v1"] * 3,
            },
            **_IMAGENET,
            interpolation="bicubic",
            antialias=True,
        ),
        _entry(
            "efficientnet-lite",
            "EfficientNet",
            {
                **_EFFICIENTNET,
                "activation": "relu6",
                "stackwise_squeeze_and_excite_ratios": [0] * 3,
                "stackwise_block_types": ["v1"] * 3,
            },
            **_HALF,
            interpolation="bicubic",
        ),
        _entry(
            "efficientnet-v2",
            "EfficientNet",
            {
                **_EFFICIENTNET,
                "stackwise_squeeze_and_excite_ratios": [0, 0, 0.25],
                "stackwise_block_types": ["fused", "fused", "unfused"],
            },
            **_HALF,
        ),
        _entry("mobilenet-v3", "MobileNet", _mobilenet(), **_IMAGENET, size=128),
        _entry(
            "vgg",
            "VGG",
            {"stackwise_num_repeats": [1, 1, 2], "stackwise_num_filters": [16, 32, 64], "image_shape": (128, 128, 3)},
            {"pooling_hidden_dim": 128},
            **_IMAGENET,
            size=128,
        ),
        _entry(
            "xception",
            "Xception",
            {"stackwise_conv_filters": [[32, 64], [64, 128], [128, 128]], "stackwise_pooling": [True, True, False]},
            **_HALF,
            size=149,
        ),
        _entry(
            "vit",
            "ViT",
            {**_TRANSFORMER, "mlp_dim": 96, "image_shape": (160, 160, 3)},
            **_HALF,
            size=160,
            antialias=True,
        ),
        _entry(
            "deit",
            "DeiT",
            {**_TRANSFORMER, "intermediate_dim": 96, "image_shape": (160, 160, 3)},
            **_IMAGENET,
            size=160,
            interpolation="bicubic",
        ),
        _entry(
            "swin",
            "SwinTransformer",
            {
                "image_shape": (224, 224, 3),
                "embed_dim": 24,
                "depths": (1, 1, 1, 1),
                "num_heads": (3, 3, 3, 3),
                "window_size": 7,
            },
            **_IMAGENET,
            size=224,
            interpolation="lanczos3",
            antialias=True,
        ),
        _entry(
            "cspdarknet",
            "CSPNet",
            {
                "stem_filters": 16,
                "stem_kernel_size": 3,
                "stem_strides": 1,
                "stackwise_depth": [1, 1, 1],
                "stackwise_strides": [1, 2, 2],
                "stackwise_num_filters": [16, 32, 64],
                "block_type": "dark_block",
                "stage_type": "dark",
            },
            **_IMAGENET,
            size=128,
        ),
        _entry(
            "mit",
            "MiT",
            {
                "layerwise_depths": [1, 1],
                "num_layers": 2,
                "layerwise_num_heads": [1, 2],
                "layerwise_sr_ratios": [8, 4],
                "max_drop_path_rate": 0.1,
                "layerwise_patch_sizes": [7, 3],
                "layerwise_strides": [4, 2],
                "hidden_dims": [16, 32],
                "image_shape": (128, 128, 3),
            },
            **_IMAGENET,
            size=128,
        ),
        _entry(
            "hgnet-v2",
            "HGNetV2",
            {
                "depths": [1, 1, 1],
                "embedding_size": 16,
                "hidden_sizes": [32, 64, 128],
                "stem_channels": [3, 16, 16],
                "hidden_act": "relu",
                "use_learnable_affine_block": False,
                "stackwise_stage_filters": [(16, 16, 32, 1, 1, 3), (32, 16, 64, 1, 1, 3), (64, 32, 128, 1, 1, 3)],
                "apply_downsample": [False, True, True],
                "use_lightweight_conv_block": [False, False, False],
            },
            {"head_filters": 64},
            **_IMAGENET,
            size=160,
            interpolation="bicubic",
        ),
        _entry("raw-nearest", "ResNet", _RESNET, interpolation="nearest"),
    ]


def _bars() -> dict[str, bool]:
    return {"crop_to_aspect_ratio": False, "pad_to_aspect_ratio": True}


def _mobilenet() -> dict[str, Any]:
    return {
        "stackwise_expansion": [[40, 56], [72, 72]],
        "stackwise_num_blocks": [2, 2],
        "stackwise_num_filters": [[16, 16], [24, 24]],
        "stackwise_kernel_size": [[3, 3], [5, 5]],
        "stackwise_num_strides": [[2, 1], [2, 1]],
        "stackwise_se_ratio": [[None, None], [0.25, 0.25]],
        "stackwise_activation": [["relu", "relu"], ["hard_swish", "hard_swish"]],
        "stackwise_padding": [[1, 1], [2, 2]],
        "output_num_filters": 96,
        "input_activation": "hard_swish",
        "output_activation": "hard_swish",
        "input_num_filters": 16,
        "image_shape": (128, 128, 3),
        "depthwise_filters": 8,
        "depthwise_stride": 2,
        "depthwise_residual": False,
        "squeeze_and_excite": 0.5,
        "last_layer_filter": 96,
    }


def _entry(
    name: str,
    family: str,
    backbone: Mapping[str, Any],
    classifier: Mapping[str, Any] | None = None,
    size: int = 96,
    saved: Any = as_preset,
    **converter: Any,
) -> Entry:
    def build() -> Built:
        return _build(family, backbone, classifier or {}, {"image_size": (size, size), **converter}, saved)

    return Entry(f"keras-hub-{name}", f"keras_hub.models.{family}ImageClassifier", build)


def _build(
    family: str, backbone: Mapping[str, Any], classifier: Mapping[str, Any], converter: Mapping[str, Any], saved: Any
) -> Built:
    import keras_hub

    models, layers = keras_hub.models, keras_hub.layers
    image_converter = getattr(layers, f"{family}ImageConverter")(**converter)
    preprocessor = getattr(models, f"{family}ImageClassifierPreprocessor")(image_converter=image_converter)
    model = getattr(models, f"{family}ImageClassifier")(
        backbone=getattr(models, f"{family}Backbone")(**backbone),
        num_classes=1000,
        preprocessor=preprocessor,
        **classifier,
    )

    def whole(picture: Image.Image) -> Array:
        return np.asarray(picture)

    def prepare(picture: Image.Image) -> Array:
        # Of integers, the converter would round; `predict` gives it float32.
        return np.asarray(image_converter(whole(picture).astype(np.float32)))

    weights.vary(model, np.stack([prepare(picture) for picture in to_set_weights_by()]))
    return Built(model, saved(model), prepare, whole)
