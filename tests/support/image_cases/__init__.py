"""The table of image files for tests of decoding: each has a name, the file, and the expected result.

`python -m support.decode_table` prints it, with what was found.
"""

from support.image_cases import _bmp, _gif, _jpeg, _png, _sizes, _webp
from support.image_cases._case import Case

__all__ = ["CASES", "Case"]

CASES = [
    *_jpeg.MODES,
    *_jpeg.EXIF,
    *_jpeg.MALFORMED_EXIF,
    *_png.CASES,
    *_gif.CASES,
    *_bmp.CASES,
    *_webp.CASES,
    *_sizes.CASES,
]
