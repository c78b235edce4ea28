"""The options of an export, without TensorFlow."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import _preprocessing
from ._errors import PreprocessingError
from ._preprocessing import DEFAULT_MAX_PIXELS, PRESETS, Preprocessing

ACTIVATIONS = ("auto", "softmax", "sigmoid", "none")
# What a server runs before the first request: each signature whole, `serving_default` whole, or nothing.
ALL, SERVING_DEFAULT, NONE = "all", "serving_default", "none"
WARMUPS = (ALL, SERVING_DEFAULT, NONE)
DEFAULT_TOP_K = 5
DEFAULT_BATCH_SIZES = (1, 2, 4, 8, 16, 32)


@dataclass(frozen=True)
class Options:
    """The options of one export. `hubserve export` has an option for each field.

        Options("efficientnet-lite0", Path("models/lite0"))
        Options("flowers.keras", Path("models/flowers"), labels=Path("labels.txt"), preprocessing="caffe")

    Attributes:
        model: A hub handle or URL, the folder of a SavedModel, a `.tar.gz` of one, a saved Keras model, or
            `efficientnet-lite0`.
        output: The model's base folder, which holds its versions.
        version: The integer version; None: the next.
        kind: "classification" or "feature_vector"; None: find out.
        labels: A file of class names, one in each line; None: ImageNet's.
        classes: The number of classes that the model must have; None: any.
        background: Whether class 0 is background; None: the names decide.
        top_k: The number of classes in an answer; None: five, or all if there are fewer.
        activation: The function from the model's numbers to scores: "softmax", "sigmoid", "none" or "auto".
        threshold: The score from which an independent label counts; kept in the manifest.
        signature: The signature to export, or "__call__"; None: find out.
        output_name: The output to export, if the model has several; None: find out.
        image_size: Height and width of the input, for a model that takes any size.
        preprocessing: The preprocessing as a whole: the name of a preset, a JSON file, a mapping with its keys, or a
            `Preprocessing`; None: find out.
        pixel_range: The values of black and white, such as (0, 255).
        mean: The number to subtract from pixels in `pixel_range`: one, or one for each channel.
        std: The number to divide the difference by, in the same form.
        channels: "rgb", "bgr" or "luminance".
        resize: "stretch", "crop", "crop_to_aspect_ratio", "pad" or "pad_to_aspect_ratio".
        pad_color: Red, green and blue of the bars of "pad", 0 to 255.
        interpolation: "bilinear", "bicubic", "lanczos3", "area" or "nearest".
        antialias: Whether the resize filters images that become smaller.
        crop_fraction: The central part of each side to use.
        input_dtype: The type of the model's input, as a check: "float32", "float16" or "uint8".
        layout: "NHWC" or "NCHW", as a check.
        max_pixels: Images with more pixels get status 2.
        resize_on: "cpu", or "accelerator": the CPU only decodes, and the device of the model resizes.
        batch_sizes: The batch sizes that the server will run, ascending.
        warmup: The requests that a server runs before it is ready: "serving_default" for every batch size and image
            format of this signature, and one image in each other signature; "all" for every batch size and image format
            of each signature; "none" for no requests, so that the first callers wait.
        warmup_images: A folder of images for warm-up and proof; None: the images that come with hubserve.
        freeze: Make constants of the model's variables. A server then folds batch normalisation into convolutions,
            which is faster on CPUs, and takes more memory.
        examples: A folder with a folder of images for each class, to measure the new model; None: no measurement.
        min_accuracy: The least accuracy on `examples`, 0 to 1; below it, nothing is published.
        strict: Make every warning an error.
    """

    model: str
    output: Path
    version: int | None = None
    kind: str | None = None
    labels: Path | None = None
    classes: int | None = None
    background: bool | None = None
    top_k: int | None = None
    activation: str = "auto"
    threshold: float | None = None
    signature: str | None = None
    output_name: str | None = None
    image_size: int | None = None
    preprocessing: str | Path | Mapping[str, Any] | Preprocessing | None = None
    pixel_range: tuple[float, float] | None = None
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    channels: str | None = None
    resize: str | None = None
    pad_color: tuple[int, int, int] | None = None
    interpolation: str | None = None
    antialias: bool | None = None
    crop_fraction: float | None = None
    input_dtype: str | None = None
    layout: str | None = None
    max_pixels: int | None = None
    resize_on: str | None = None
    batch_sizes: Sequence[int] = DEFAULT_BATCH_SIZES
    warmup: str = SERVING_DEFAULT
    warmup_images: Path | None = None
    freeze: bool = False
    examples: Path | None = None
    min_accuracy: float | None = None
    strict: bool = False

    def of_a_classifier(self) -> tuple[str, ...]:
        """Return the given options that only fit a classifier."""
        given = {
            "labels": self.labels is not None,
            "classes": self.classes is not None,
            "background": self.background is True,
            "no_background": self.background is False,
            "top_k": self.top_k is not None,
            "activation": self.activation != "auto",
            "threshold": self.threshold is not None,
            "examples": self.examples is not None,
        }
        return tuple(option for option, said in given.items() if said)

    def said_preprocessing(self) -> dict[str, Any]:
        """Return the given preprocessing, as fields of `Preprocessing`.

        Raises:
            PreprocessingError: It is not a valid preprocessing, or two options contradict each other.
        """
        whole, where = self._whole_preprocessing()
        single = {name: getattr(self, name) for name in _SINGLE if getattr(self, name) is not None}
        if self.input_dtype is not None:
            single["dtype"] = self.input_dtype
        both = sorted(name for name in set(whole) & set(single) if not _same(whole[name], single[name]))
        if both:
            name = both[0]
            raise PreprocessingError(
                f"`{'input_dtype' if name == 'dtype' else name}` is {single[name]}, and {where} says {whole[name]}; "
                "leave one of them out"
            )
        fields = _preprocessing.resolve(whole | single, where)
        # Checks that do not need the model are made before it is loaded.
        _preprocessing.check(fields)
        return fields

    def _whole_preprocessing(self) -> tuple[dict[str, Any], str]:
        said = self.preprocessing
        if said is None:
            return {}, "the given preprocessing"
        if isinstance(said, Preprocessing):
            return dataclasses.asdict(said), "the given Preprocessing"
        if isinstance(said, Mapping):
            return dict(said), "the given preprocessing"
        if str(said) in PRESETS:
            return {"preset": str(said)}, f"the preprocessing {said}"
        if str(said).endswith(".json") or Path(said).is_file():
            return _preprocessing.read(Path(said)), f"the preprocessing file {said}"
        raise PreprocessingError(
            f"`preprocessing` is {str(said)!r}; give one of {', '.join(PRESETS)}, or a JSON file that describes it"
        )


_SINGLE = (
    "pixel_range",
    "mean",
    "std",
    "channels",
    "resize",
    "pad_color",
    "interpolation",
    "antialias",
    "crop_fraction",
    "layout",
    "max_pixels",
    "resize_on",
)


def _same(one: Any, other: Any) -> bool:
    return (list(one) == list(other)) if isinstance(one, Sequence) and not isinstance(one, str) else one == other


__all__ = ["ACTIVATIONS", "DEFAULT_BATCH_SIZES", "DEFAULT_MAX_PIXELS", "DEFAULT_TOP_K", "WARMUPS", "Options"]
