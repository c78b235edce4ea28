"""Open images that Pillow decodes as a whole: HEIC, AVIF, JPEG 2000, PNM and rare forms of BMP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from ..._errors import ImageError
from .. import kinds
from ..eight_bit import Levels

if TYPE_CHECKING:
    import PIL.Image

# The largest photographs of most phones have 50 megapixels; some have 108 or 200.
_MOST_PIXELS = 110_000_000
_ROWS_AT_ONCE = 256
# Encoders write five resolution levels by default.
_MOST_HALVINGS = 5
_ORIENTATION = 0x0112
_CODING_STYLE = 0x52


class Picture:
    """An image of one of these kinds; the first, or the main one, if the file holds several.

    Args:
        file: The file.
        kind: The file's kind.
        enough: The number of pixels that is enough: larger JPEG 2000 images are decoded at a half or a quarter of their
            size.

    Attributes:
        width: In pixels.
        height: In pixels.
        icc: The colour profile; empty: there is none.
        orientation: 1 to 8, as in EXIF.
        several: Whether the file holds several images.

    Raises:
        ImageError: The image has too many pixels.
    """

    def __init__(self, file: BinaryIO, kind: kinds.Kind, enough: int) -> None:
        self._image: Any = _opened(file, kind)
        self.width, self.height = self._image.size
        if kind is kinds.JPEG_2000:
            self._require_colours(file)
            while self.width * self.height > 4 * enough and self._image.reduce < _MOST_HALVINGS:
                self._image.reduce += 1
                self.width, self.height = (-(-side // 2) for side in (self.width, self.height))
        if self.width * self.height > _MOST_PIXELS:
            raise ImageError(f"it has {self.width} x {self.height} pixels: make it smaller")
        self.icc: bytes = self._image.info.get("icc_profile") or b""
        orientation = self._image.getexif().get(_ORIENTATION, 1)
        self.orientation = orientation if orientation in range(1, 9) else 1
        self.several = getattr(self._image, "n_frames", 1) > 1

    def _require_colours(self, file: BinaryIO) -> None:
        """Refuse a bare codestream whose channels may not be red, green and blue.

        Only the .jp2 file format around a codestream says which colours the channels are. A codestream that transforms
        three channels before it packs them (ISO/IEC 15444-1, annex G) has red, green and blue.
        """
        if self._image.codec == "jp2" or self._image.mode in ("L", "LA") or self._image.mode.startswith("I"):
            return
        if self._image.mode != "RGB" or not _transforms_colours(file):
            raise ImageError("it does not say what colours its channels are: save it as .jp2, JPEG or PNG")

    def bands(self) -> Iterator[PIL.Image.Image]:
        """Return the image from its top, in bands of rows of the full width, in 8-bit modes.

        Raises:
            ImageError: The values of the pixels are ambiguous.
        """
        import numpy as np
        from PIL import Image

        image = self._image
        image.load()
        self.width, self.height = image.size
        levels = Levels(None if image.mode == "F" else 16)
        for top in range(0, self.height, _ROWS_AT_ONCE):
            band = image.crop((0, top, self.width, min(top + _ROWS_AT_ONCE, self.height)))
            deep = band.mode in ("I", "F") or band.mode.startswith("I;16")
            yield Image.fromarray(levels.of(np.asarray(band))) if deep else band
        levels.check()


def _transforms_colours(file: BinaryIO) -> bool:
    """Tell whether a bare codestream's default coding style has the multiple component transformation."""
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        length = int.from_bytes(head[2:], "big")
        if head[1] == _CODING_STYLE:
            # The segment has the style, the order of the packets, two bytes of layers, and then this byte.
            return file.read(5)[4:] == b"\x01"
        file.seek(max(length - 2, 0), 1)
    return False


def _opened(file: BinaryIO, kind: kinds.Kind) -> Any:
    """Open the file with its own plugin: Image.open would also try others, and would warn of large images."""
    from PIL import AvifImagePlugin, BmpImagePlugin, Jpeg2KImagePlugin, PpmImagePlugin

    file.seek(0)
    if kind is kinds.HEIC:
        from pillow_heif import HeifImageFile

        return HeifImageFile(file)  # type: ignore[no-untyped-call]
    plugins: dict[kinds.Kind, Any] = {
        kinds.AVIF: AvifImagePlugin.AvifImageFile,
        kinds.JPEG_2000: Jpeg2KImagePlugin.Jpeg2KImageFile,
        kinds.PNM: PpmImagePlugin.PpmImageFile,
        kinds.RARE_BMP: BmpImagePlugin.BmpImageFile,
    }
    return plugins[kind](file)
