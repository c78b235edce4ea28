"""Describe what happens to an image before the model sees it, without TensorFlow.

A description has two halves. The first resizes an image to the model's size: crop, resize. The second computes the
model's numbers from 8-bit pixels: channel order, then `pixel * scale + offset` for each channel, then type and layout.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hubserve_model.manifest import strict_json

from ._errors import PreprocessingError

RESIZES = ("stretch", "crop", "crop_to_aspect_ratio", "pad", "pad_to_aspect_ratio")
INTERPOLATIONS = ("bilinear", "bicubic", "lanczos3", "area", "nearest")
CHANNELS = ("rgb", "bgr", "luminance")
DTYPES = ("float32", "float16", "uint8")
LAYOUTS = ("NHWC", "NCHW")
CPU, ACCELERATOR = "cpu", "accelerator"
DEVICES = (CPU, ACCELERATOR)

# More than the images of most phones and of 50-megapixel cameras: 8192 x 6144, 8688 x 5792, 8272 x 6200.
DEFAULT_MAX_PIXELS = 52_000_000

# ImageNet's means and standard deviations: keras.applications.imagenet_utils.preprocess_input, modes "torch" and
# "caffe". Torchvision also uses the former, the VGG networks use the latter in the order blue, green, red.
_TORCH_MEAN = (0.485, 0.456, 0.406)
_TORCH_STD = (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)

#: Common ways to compute numbers from pixels, by their usual names.
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "unit": {"channels": "rgb", "scale": (1 / 255,), "offset": (0.0,)},
    "tf": {"channels": "rgb", "scale": (1 / 127.5,), "offset": (-1.0,)},
    "caffe": {"channels": "bgr", "scale": (1.0,), "offset": tuple(-mean for mean in _CAFFE_MEAN)},
    "torch": {
        "channels": "rgb",
        "scale": tuple(1 / (255 * std) for std in _TORCH_STD),
        "offset": tuple(-mean / std for mean, std in zip(_TORCH_MEAN, _TORCH_STD, strict=True)),
    },
    "raw": {"channels": "rgb", "scale": (1.0,), "offset": (0.0,)},
}


@dataclass(frozen=True)
class Preprocessing:
    """The steps between an image and the input of the model.

        Preprocessing(height=331, width=331)
        Preprocessing(224, 224, **PRESETS["caffe"])
        Preprocessing(224, 224, crop_fraction=0.875, resize="crop", interpolation="bicubic", **PRESETS["torch"])

    Attributes:
        height: Rows of the model's input.
        width: Columns of the model's input.
        crop_fraction: The central part of each side to keep, 0 < f <= 1.
        max_pixels: Images with more pixels, by their header, are refused before they are decoded.
        resize: "stretch": the whole image, without keeping its aspect ratio. "crop": the shortest side is resized to
            size / crop_fraction, then the centre is cut out (torchvision, timm). "crop_to_aspect_ratio": the largest
            centre with the input's aspect ratio is cut out, then resized (Keras). "pad": the longest side is resized,
            and bars of `pad_color` fill the rest (letterbox; tf.image.resize_with_pad). "pad_to_aspect_ratio": bars
            first, then resized (Keras).
        interpolation: "bilinear", "bicubic", "lanczos3", "area" or "nearest".
        antialias: Widen the filter of bilinear, bicubic and lanczos3 when an image becomes smaller, as Pillow does.
        pad_color: Red, green and blue of the bars, 0 to 255.
        channels: "rgb", "bgr", or "luminance" (one channel: 0.299 R + 0.587 G + 0.114 B, ITU-R BT.601, as Pillow's
            mode L).
        scale: The factor for an 8-bit pixel: one number, or one for each channel in the order of `channels`.
        offset: The number to add afterwards, in the same form.
        dtype: "float32", "float16", or "uint8" (rounded).
        layout: "NHWC" (channels last) or "NCHW" (channels first).
        resize_on: "cpu", or "accelerator": the CPU only decodes, and the device of the model resizes. The pixels are
            the same within 1/255.

    Raises:
        PreprocessingError: A value is not valid.
    """

    height: int
    width: int
    crop_fraction: float = 1.0
    max_pixels: int = DEFAULT_MAX_PIXELS
    resize: str = "stretch"
    interpolation: str = "bilinear"
    antialias: bool = True
    pad_color: tuple[int, int, int] = (0, 0, 0)
    channels: str = "rgb"
    scale: tuple[float, ...] = (1 / 255,)
    offset: tuple[float, ...] = (0.0,)
    dtype: str = "float32"
    layout: str = "NHWC"
    resize_on: str = CPU

    def __post_init__(self) -> None:
        for name, least in (("height", 1), ("width", 1), ("max_pixels", 1)):
            _check_integer(name, getattr(self, name), least)
        _check_number("crop_fraction", self.crop_fraction)
        if not 0 < self.crop_fraction <= 1:
            raise PreprocessingError(f"`crop_fraction` is {self.crop_fraction:g}; it must be above 0, and at most 1")
        if not isinstance(self.antialias, bool):
            raise PreprocessingError(f"`antialias` is {self.antialias!r}; it must be true or false")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise PreprocessingError(f"`{name}` is {getattr(self, name)!r}; it must be one of {', '.join(known)}")
        object.__setattr__(self, "pad_color", _numbers("pad_color", self.pad_color, (3,)))
        if not all(0 <= value <= 255 for value in self.pad_color):
            raise PreprocessingError(f"`pad_color` is {_listed(self.pad_color)}; each number must be from 0 to 255")
        counts = (1, self.channel_count)
        for name in ("scale", "offset"):
            object.__setattr__(self, name, tuple(map(float, _numbers(name, getattr(self, name), counts))))
        if 0 in self.scale:
            raise PreprocessingError("`scale` is 0, so that all images would be the same; give another number")
        if self.dtype == "uint8" and (set(self.scale), set(self.offset)) != ({1.0}, {0.0}):
            raise PreprocessingError(
                "`dtype` is uint8, which only holds pixels from 0 to 255; leave out scale, offset, mean, std and "
                "pixel_range, or give raw"
            )

        if self.resize_on == ACCELERATOR:
            self._check_8_bits()

    def _check_8_bits(self) -> None:
        """Refuse what the CPU cannot hand to an accelerator: images go there in 8 bits."""
        clipped = self.antialias and not self.resize.endswith("_to_aspect_ratio")
        if self.interpolation in ("bicubic", "lanczos3") and not clipped:
            raise PreprocessingError(
                f"`resize_on` is accelerator, and {self.interpolation} with {'' if self.antialias else 'no '}antialias "
                f"and the resize {self.resize} gives values beyond black and white, which the images that go to an "
                "accelerator cannot hold; leave `resize_on` out"
            )
        if not all(float(value).is_integer() for value in self.pad_color):
            raise PreprocessingError(
                f"`resize_on` is accelerator, and `pad_color` is {_listed(self.pad_color)}; images go to an "
                "accelerator in 8 bits, so give whole numbers, or leave `resize_on` out"
            )

    @property
    def channel_count(self) -> int:
        """The number of channels of the model's input: 3, or 1 for luminance."""
        return 1 if self.channels == "luminance" else 3

    def numbers(self) -> str:
        """Describe the second half: the preset's name if it is one, else channel order and the range or scale."""
        name = preset_of(self)
        order = {"rgb": "", "bgr": "BGR, ", "luminance": "one channel of luminance, "}[self.channels]
        said = order + self._range() if name is None else f"{name} ({order}{self._range()})"
        dtype = "" if self.dtype == "float32" else f", {self.dtype}"
        return f"{said}{dtype}{', channels first' if self.layout == 'NCHW' else ''}"

    def picture(self) -> str:
        """Describe the first half: how an image is resized to the model's size."""
        how = {
            "stretch": "stretched",
            "crop": "shortest side, then centre crop",
            "crop_to_aspect_ratio": "centre crop to the aspect ratio",
            "pad": "letterbox",
            "pad_to_aspect_ratio": "letterbox",
        }[self.resize]
        smooth = ", antialiased" if self.antialias and self.interpolation not in ("area", "nearest") else ""
        where = ", resized on the accelerator" if self.resize_on == ACCELERATOR else ""
        return f"{self.height} x {self.width}, {how}, {self.interpolation}{smooth}{where}"

    def _range(self) -> str:
        lows, highs = (
            set(self.offset),
            {255 * s + o for s, o in zip(*_same_length(self.scale, self.offset), strict=True)},
        )
        if len(lows) == len(highs) == 1:
            return f"pixels from {_short(lows.pop())} to {_short(highs.pop())}"
        if len(set(self.scale)) == 1:
            return f"pixels times {_short(self.scale[0])} plus {_listed(self.offset)}"
        return f"pixels times {_listed(self.scale)} plus {_listed(self.offset)}"


_CHOICES = {
    "resize": RESIZES,
    "interpolation": INTERPOLATIONS,
    "channels": CHANNELS,
    "dtype": DTYPES,
    "layout": LAYOUTS,
    "resize_on": DEVICES,
}
_FIELDS = tuple(field.name for field in dataclasses.fields(Preprocessing))
# Other keys of a description: other ways to give `scale`, `offset` and `channels`.
_SAYINGS = ("preset", "pixel_range", "mean", "std")


def preset_of(preprocessing: Preprocessing) -> str | None:
    """Return the name of the preset with the same numbers, or None."""
    for name, preset in PRESETS.items():
        same_channels = preprocessing.channels == preset["channels"] or (
            preprocessing.channels == "luminance" and len(preset["scale"]) == len(preset["offset"]) == 1
        )
        if same_channels and all(_close(getattr(preprocessing, key), preset[key]) for key in ("scale", "offset")):
            return name
    return None


def read(file: Path) -> dict[str, Any]:
    """Read a description from a JSON file.

    It has the keys of `Preprocessing`, all optional, and `preset`, `pixel_range`, `mean` and `std`. The `preprocessing`
    of a manifest is such a description.

    Raises:
        PreprocessingError: The file cannot be read, is not a JSON object, or has an unknown key.
    """
    try:
        said = strict_json(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PreprocessingError(
            f"the preprocessing file {file} cannot be read ({error}); it must be a JSON object such as "
            '{"preset": "torch", "resize": "crop"}'
        ) from error
    if not isinstance(said, dict):
        raise PreprocessingError(f"the preprocessing file {file} must hold a JSON object, and holds {_kind(said)}")
    _check_keys(said, f"the preprocessing file {file}")
    return said


def resolve(said: Mapping[str, Any], where: str = "the preprocessing") -> dict[str, Any]:
    """Compute fields of `Preprocessing` from a description, which may also use other keys.

    Args:
        said: Fields, and `preset` (a name), `pixel_range` (the values of black and white), `mean` and `std` (for pixels
            in `pixel_range`, by default [0, 1]: subtract `mean`, then divide by `std`). None counts as not given.
        where: The name of the description in messages.

    Returns:
        Only fields of `Preprocessing`. `scale` and `offset` are given together or not at all.

    Raises:
        PreprocessingError: A key is unknown, a value is not valid, or two values contradict each other.
    """
    _check_keys(said, where)
    given = {key: value for key, value in said.items() if value is not None}
    fields: dict[str, Any] = {}
    name = given.pop("preset", None)
    if name is not None:
        if name not in PRESETS:
            raise PreprocessingError(f"{where} names the preset {name!r}; the presets are {', '.join(PRESETS)}")
        fields |= PRESETS[name]
    ranged = {key: given.pop(key) for key in ("pixel_range", "mean", "std") if key in given}
    if ranged and ({"scale", "offset"} & set(given)):
        raise PreprocessingError(
            f"{where} gives {_and(sorted({'scale', 'offset'} & set(given)))}, and also {_and(sorted(ranged))}, which "
            "mean the same; leave one of them out"
        )
    if ranged and name is not None:
        raise PreprocessingError(
            f"{where} names the preset {name}, and also gives {_and(sorted(ranged))}, which the preset contains; "
            "leave one of them out"
        )
    fields |= given
    if ranged:
        channels = (1,) if fields.get("channels") == "luminance" else (1, 3)
        fields |= _from_range(where, channels, **ranged)
    if len({"scale", "offset"} & set(fields)) == 1:
        # If only one of the two is given, the other one changes nothing.
        fields = {"scale": (1.0,), "offset": (0.0,)} | fields
    return fields


def check(fields: Mapping[str, Any]) -> None:
    """Check fields of `Preprocessing` whose size is not known yet.

    Raises:
        PreprocessingError: A value is not valid.
    """
    Preprocessing(**{"height": 1, "width": 1, **fields})


def _from_range(
    where: str,
    channels: Sequence[int],
    pixel_range: Any = (0.0, 1.0),
    mean: Any = (0.0,),
    std: Any = (1.0,),
) -> dict[str, Any]:
    low, high = _numbers("pixel_range", pixel_range, (2,))
    if not low < high:
        raise PreprocessingError(
            f"`pixel_range` is {_listed((low, high))} in {where}; the first number is the value of black, and the "
            "second, a larger one, the value of white"
        )
    means, stds = _same_length(_numbers("mean", mean, channels), _numbers("std", std, channels))
    if not all(value > 0 for value in stds):
        raise PreprocessingError(f"`std` is {_listed(stds)} in {where}; every number must be above 0")
    if not all(low <= value <= high for value in means) and any(means):
        raise PreprocessingError(
            f"`mean` is {_listed(means)} in {where}, outside the pixels' range from {_short(low)} to "
            f"{_short(high)}; also give `pixel_range` (0,255 if the mean is of 8-bit pixels)"
        )
    scale = tuple((high - low) / 255 / value for value in stds)
    offset = tuple((low - value) / deviation for value, deviation in zip(means, stds, strict=True))
    return {"scale": scale, "offset": offset}


def _check_keys(said: Mapping[str, Any], where: str) -> None:
    unknown = [key for key in said if key not in _FIELDS and key not in _SAYINGS]
    if unknown:
        raise PreprocessingError(
            f"{where} has {_and([repr(key) for key in unknown])}, which is not a known key; the keys are "
            f"{', '.join((*_FIELDS, *_SAYINGS))}"
        )


def _check_integer(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise PreprocessingError(f"`{name}` is {value!r}; it must be an integer of at least {least}")


def _check_number(name: str, value: Any) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise PreprocessingError(f"`{name}` is {value!r}; it must be a number")


def _numbers(name: str, value: Any, counts: Sequence[int]) -> tuple[Any, ...]:
    values = (value,) if isinstance(value, int | float) else value
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise PreprocessingError(f"`{name}` is {value!r}; it must be numbers")
    for number in values:
        _check_number(name, number)
    if len(values) not in counts:
        wanted = " or ".join(str(count) for count in dict.fromkeys(counts))
        raise PreprocessingError(
            f"`{name}` has {len(values)} numbers, {_listed(values)}; it must have {wanted}"
            f"{', one for each channel' if counts[-1] in (1, 3) and name != 'pad_color' else ''}"
        )
    return tuple(values)


def _same_length(first: Sequence[float], second: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    most = max(len(first), len(second))
    return [values if len(values) == most else tuple(values) * most for values in (first, second)]  # type: ignore[return-value]


def _close(first: Sequence[float], second: Sequence[float]) -> bool:
    pairs = zip(*_same_length(first, second), strict=True)
    return all(math.isclose(one, other, rel_tol=1e-4, abs_tol=1e-6) for one, other in pairs)


def _short(value: float) -> str:
    return f"{round(value, 4):g}"


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def _and(words: Sequence[str]) -> str:
    return " and ".join(words)


def _kind(value: Any) -> str:
    return {list: "a list", str: "text", bool: "true or false"}.get(type(value), "a number")
