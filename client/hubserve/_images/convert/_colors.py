"""Convert pixels to the colours that the server expects: sRGB or gray, over white."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import PIL.Image

_log = logging.getLogger("hubserve")
_ALPHA = {"LA": "L", "RGBA": "RGB"}


class Colors:
    """Convert bands of an image to RGB or gray: `colors.of(band)` for each.

    Transparent pixels are put over white. A colour profile is applied relative to the white point, with black point
    compensation, as browsers do.

    Args:
        icc: The image's colour profile; empty: the image is in sRGB.
    """

    def __init__(self, icc: bytes) -> None:
        self._icc = icc
        self._transforms: dict[str, Any] = {}

    def of(self, band: PIL.Image.Image) -> PIL.Image.Image:
        """Return the band in mode RGB or L."""
        from PIL import Image

        if band.mode in ("P", "PA") or "transparency" in band.info:
            band = band.convert("RGBA" if band.has_transparency_data else "RGB")
        elif band.mode in ("1", "La"):
            band = band.convert("LA" if band.mode == "La" else "L")
        elif band.mode in ("RGBX", "HSV", "YCbCr"):
            band = band.convert("RGB")
        elif band.mode == "RGBa":
            band = band.convert("RGBA")
        alpha = band.getchannel("A") if band.mode in _ALPHA else None
        colours = self._in_srgb(band.convert(_ALPHA[band.mode]) if band.mode in _ALPHA else band)
        if alpha is None:
            return colours
        return Image.composite(colours, Image.new(colours.mode, colours.size, "white"), alpha)

    def _in_srgb(self, band: PIL.Image.Image) -> PIL.Image.Image:
        from PIL import ImageCms

        if band.mode not in self._transforms:
            self._transforms[band.mode] = self._transform(band.mode)
        transform = self._transforms[band.mode]
        if transform is None:
            return band if band.mode in ("L", "RGB") else band.convert("RGB")
        converted = ImageCms.applyTransform(band, transform)
        assert converted is not None  # noqa: S101 - it is not converted in place
        return converted

    def _transform(self, mode: str) -> Any:
        """Return the transform from this mode to sRGB; None: no transform is needed."""
        from PIL import ImageCms

        srgb = ImageCms.createProfile("sRGB")
        if mode == "LAB":
            return ImageCms.buildTransform(ImageCms.createProfile("LAB"), srgb, "LAB", "RGB")
        if not self._icc:
            return None
        try:
            profile = ImageCms.ImageCmsProfile(io.BytesIO(self._icc))
            if "sRGB" in (profile.profile.profile_description or ""):
                return None
            return ImageCms.buildTransform(
                profile,
                srgb,
                mode,
                "RGB",
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
            # Image viewers, too, ignore a profile that is damaged or does not fit the image.
            _log.warning("a colour profile cannot be used: %s", error)
            return None
