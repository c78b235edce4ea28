"""Read TIFF images piece by piece: an image of a thousand megapixels takes the memory of a few of its rows.

Pillow and libtiff decode a whole image at once. This module puts each strip or tile into a small TIFF file, and Pillow
decodes that file. Where the samples are plain numbers, Pillow only decompresses the bytes, and numpy reads the numbers,
because Pillow does not support all of their types. Sources of tags and their meaning: TIFF 6.0 (Adobe, 1992), its
Technical Note 3 (floating point predictor), and BigTIFF.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from ..._errors import ImageError
from ..eight_bit import Levels

if TYPE_CHECKING:
    import numpy as np
    import PIL.Image
    from numpy.typing import NDArray

_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES, _ROWS_PER_STRIP, _STRIP_COUNTS, _PLANAR, _PREDICTOR = 273, 277, 278, 279, 284, 317
_TILE_WIDTH, _TILE_LENGTH, _TILE_OFFSETS, _TILE_COUNTS = 322, 323, 324, 325
_EXTRA_SAMPLES, _SAMPLE_FORMAT, _ICC = 338, 339, 34675
# Tags that decoding a strip needs besides its size and its place.
_COPIED = frozenset(
    {_BITS, _COMPRESSION, _PHOTOMETRIC, 266, _SAMPLES, _PLANAR, 292, 293, _PREDICTOR, 320, 332, 333, 336}
    | {_EXTRA_SAMPLES, _SAMPLE_FORMAT, 347, 529, 530, 531, 532}
)
_FORMATS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
# None, LZW, deflate (two numbers), PackBits, LZMA, Zstandard: these compressions work on bytes of any meaning.
_BYTEWISE = frozenset({1, 5, 8, 32946, 32773, 34925, 50000})
_UNPACKED, _OLD_JPEG, _WORD_ALIGNED_FAX = 1, 6, 32771
_DIFFERENCES, _FLOATING_POINT = 2, 3
_FILL_ORDER, _COLOR_MAP = 266, 320
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK = 0, 1, 2, 5
_COLOURS = {_RGB: 3, _CMYK: 4}
# Kinds of extra samples: alpha that is multiplied into the colours, and separate alpha.
_PREMULTIPLIED, _ALPHA = 1, 2
_MOST_ENTRIES = 1000
_MOST_VALUES = 2**27
# The largest decoded strip or tile. Scanners write 50 megapixels as one strip.
_MOST_PIECE_BYTES = 200 * 2**20
_ROWS_AT_ONCE = 64
_PIXELS_AT_ONCE = 1_000_000
_MOST_OLD_JPEG_PIXELS = 64_000_000


class _Entry(NamedTuple):
    form: int
    number: int
    data: bytes


class Tiff:
    """The first image of a TIFF file.

    Args:
        file: The file.

    Attributes:
        width: In pixels.
        height: In pixels.
        icc: The colour profile; empty: there is none.
        orientation: 1 to 8, as in EXIF.
        several: Whether other images follow.

    Raises:
        ImageError: The file is damaged, or has a form that is not supported.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        header = self._read(0, 16)
        self._order = {b"II": "<", b"MM": ">"}[header[:2]]
        (version,) = struct.unpack_from(f"{self._order}H", header, 2)
        self._big = version == 43
        (at,) = (
            struct.unpack_from(f"{self._order}Q", header, 8)
            if self._big
            else struct.unpack_from(f"{self._order}I", header, 4)
        )
        self._entries, self.several = self._directory(at)
        self.width, self.height = self._number(_WIDTH), self._number(_LENGTH)
        if not (0 < self.width < 2**31 and 0 < self.height < 2**31):
            raise ImageError("it has no pixels")
        self.icc = self._entries[_ICC].data if _ICC in self._entries else b""
        orientation = self._number(274, 1)
        self.orientation = orientation if 1 <= orientation <= 8 else 1
        self._samples = self._number(_SAMPLES, 1)
        self._compression = self._number(_COMPRESSION, 1)
        self._photometric = self._number(_PHOTOMETRIC, _BLACK_IS_ZERO)
        self._planes = self._samples if self._number(_PLANAR, 1) == 2 else 1
        bits = set(self._numbers(_BITS, (1,)))
        self._bits = bits.pop() if len(bits) == 1 else 0
        if self._compression == _WORD_ALIGNED_FAX:
            raise ImageError("its compression (32771) is not supported: rewrite it, with tiffcp -c g4")
        if self._photometric in (_WHITE_IS_ZERO, _BLACK_IS_ZERO) and self._samples > 2:
            raise ImageError(
                f"it has {self._samples} channels, and does not say that they are red, green and blue: send three of "
                "them as an array, or save it as RGB"
            )
        if _COLOR_MAP in self._entries:
            self._entries[_COLOR_MAP] = self._sixteen_bits(self._entries[_COLOR_MAP])
        self._dtype = self._plain_dtype()

    def bands(self) -> Iterator[PIL.Image.Image]:
        """Return the image from its top, in bands of rows of the full width, in 8-bit modes.

        Raises:
            ImageError: The file is damaged, has a form that is not supported, or has too large strips or tiles.
        """
        import numpy as np
        from PIL import Image

        signed = self._dtype is not None and self._dtype.kind == "i"
        levels = Levels(self._bits - signed)
        # For pieces that Pillow decodes.
        deep = Levels(self._bits if self._bits > 8 else 16)
        for band in self._rows():
            if isinstance(band, np.ndarray):
                yield self._shown(levels.of(band))
            elif band.mode in ("I", "F") or band.mode.startswith("I;16"):
                yield Image.fromarray(deep.of(np.asarray(band)))
            else:
                yield band
        levels.check()
        deep.check()

    def _shown(self, samples: NDArray[Any]) -> PIL.Image.Image:
        """Return samples [H, W, channels] as an image; extra channels that are not alpha are left out."""
        import numpy as np
        from PIL import Image

        colours = _COLOURS.get(self._photometric, 1)
        kind = self._numbers(_EXTRA_SAMPLES, (0,))[0] if samples.shape[-1] > colours and colours != 4 else 0
        alpha = kind in (_PREMULTIPLIED, _ALPHA)
        if self._photometric == _WHITE_IS_ZERO:
            samples = np.concatenate([255 - samples[..., :1], samples[..., 1:]], axis=-1)
        kept = np.ascontiguousarray(samples[..., : colours + alpha])
        mode = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA", (4, False): "CMYK"}[
            colours, alpha
        ]
        if kind == _PREMULTIPLIED:
            mode = {"LA": "La", "RGBA": "RGBa"}[mode]
        height, width = kept.shape[:2]
        return Image.frombytes(mode, (width, height), kept.tobytes())

    def _rows(self) -> Iterator[Any]:
        """Return rows of the full width: arrays [H, W, channels] where the samples are plain numbers, else images."""
        if self._planes > 1 and self._dtype is None:
            raise ImageError("its channels lie in separate planes, in a form that is not supported: save it as RGB")
        if self._compression == _OLD_JPEG:
            yield self._whole()
        elif _TILE_OFFSETS in self._entries:
            yield from self._rows_of_tiles()
        else:
            for planes in zip(*[self._strips(plane) for plane in range(self._planes)], strict=True):
                strip = _channels([self._piece(offset, size, self.width, rows) for offset, size, rows in planes])
                yield from _slices([strip], self.width, planes[0][2])

    def _strips(self, plane: int) -> Iterator[tuple[int, int, int]]:
        """Return each strip's offset, number of bytes and rows; an uncompressed strip is cut into shorter ones."""
        high = min(self._number(_ROWS_PER_STRIP, self.height), self.height)
        down = -(-self.height // max(high, 1))
        offsets = self._numbers(_STRIP_OFFSETS)
        counts = self._numbers(_STRIP_COUNTS, ())
        if self._dtype is not None and self._compression == _UNPACKED:
            row = self.width * self._dtype.itemsize * (self._samples // self._planes)
            counts = counts or (row * high,) * len(offsets)
        else:
            row = 0
        if high < 1 or min(len(offsets), len(counts)) < down * self._planes:
            raise ImageError("it is damaged: strips are missing")
        for band in range(down):
            rows = min(high, self.height - band * high)
            offset, size = offsets[plane * down + band], counts[plane * down + band]
            if not row:
                yield offset, size, rows
                continue
            for top in range(0, rows, _ROWS_AT_ONCE):
                some = min(_ROWS_AT_ONCE, rows - top)
                yield offset + top * row, some * row, some

    def _rows_of_tiles(self) -> Iterator[Any]:
        wide, high = self._number(_TILE_WIDTH), self._number(_TILE_LENGTH)
        offsets, counts = self._numbers(_TILE_OFFSETS), self._numbers(_TILE_COUNTS)
        if wide < 1 or high < 1:
            raise ImageError("its tiles have no size")
        across, down = -(-self.width // wide), -(-self.height // high)
        if min(len(offsets), len(counts)) < across * down * self._planes:
            raise ImageError("it is damaged: tiles are missing")
        for band in range(down):
            tiles = []
            for column in range(across):
                places = [(plane * down + band) * across + column for plane in range(self._planes)]
                tiles.append(_channels([self._piece(offsets[place], counts[place], wide, high) for place in places]))
            yield from _slices(tiles, self.width, min(high, self.height - band * high))

    def _piece(self, offset: int, size: int, width: int, rows: int) -> Any:
        """Return one strip or tile, decoded."""
        import numpy as np

        samples = self._samples // self._planes
        if width * rows * samples * max(self._bits, 8) // 8 > _MOST_PIECE_BYTES:
            raise ImageError(
                f"one of its strips or tiles has {width} x {rows} pixels, which is too much at once: rewrite it in "
                "tiles, with tiffcp -t"
            )
        data = self._read(offset, size)
        if self._dtype is None:
            return self._unpacked(data, width, rows, {})
        wanted = width * rows * samples * self._dtype.itemsize
        if self._compression != _UNPACKED:
            plain = {_BITS: 8, _PHOTOMETRIC: _BLACK_IS_ZERO, _SAMPLES: 1, _PLANAR: 1, _PREDICTOR: 1, _SAMPLE_FORMAT: 1}
            data = self._unpacked(data, wanted // rows, rows, plain).tobytes()
        if len(data) < wanted:
            raise ImageError("it is damaged: a strip or tile is cut short")
        predictor = 1 if self._compression == _UNPACKED else self._number(_PREDICTOR, 1)
        if predictor == _FLOATING_POINT:
            shaped = np.frombuffer(data, np.uint8, wanted).reshape(rows, -1, samples)
            planes = shaped.cumsum(axis=1, dtype=np.uint8).reshape(rows, self._dtype.itemsize, width * samples)
            whole = np.ascontiguousarray(planes.transpose(0, 2, 1))
            return whole.view(self._dtype.newbyteorder(">")).reshape(rows, width, samples)
        array = np.frombuffer(data, self._dtype, width * rows * samples).reshape(rows, width, samples)
        return array.cumsum(axis=1, dtype=self._dtype.newbyteorder("=")) if predictor == _DIFFERENCES else array

    def _unpacked(self, data: bytes, width: int, rows: int, other: dict[int, int]) -> PIL.Image.Image:
        """Let Pillow decode a strip or tile, in a small TIFF file.

        Args:
            data: The bytes of the strip.
            width: The strip's width.
            rows: The strip's rows.
            other: Tags whose values differ from the image's; 1 is the default of most.
        """
        from PIL import TiffImagePlugin

        order = self._order
        entries = {tag: entry for tag, entry in self._entries.items() if tag in _COPIED}
        numbers = {**other, _WIDTH: width, _LENGTH: rows, _ROWS_PER_STRIP: rows, _STRIP_COUNTS: len(data)}
        if other:
            for tag in (_EXTRA_SAMPLES, _COLOR_MAP):
                entries.pop(tag, None)
        for tag, number in numbers.items():
            entries[tag] = _Entry(4, 1, struct.pack(f"{order}I", number))
        entries[_STRIP_OFFSETS] = _Entry(4, 1, bytes(4))
        after = 8 + 2 + 12 * len(entries) + 4
        longer = b""
        directory = struct.pack(f"{order}H", len(entries))
        values = {tag: entry.data for tag, entry in entries.items() if len(entry.data) > 4}
        values[_STRIP_OFFSETS] = data
        for tag, entry in sorted(entries.items()):
            directory += struct.pack(f"{order}HHI", tag, entry.form, entry.number)
            if tag in values:
                directory += struct.pack(f"{order}I", after + len(longer))
                longer += values[tag] + b"\0" * (len(values[tag]) % 2)
            else:
                directory += entry.data.ljust(4, b"\0")
        magic = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
        try:
            image = TiffImagePlugin.TiffImageFile(io.BytesIO(magic + directory + bytes(4) + longer))
        except SyntaxError as error:
            raise ImageError(
                f"its form is not supported ({self._samples} samples of {self._bits or 'different'} bits, photometric "
                f"interpretation {self._photometric}, compression {self._compression}): save it as RGB of 8 or 16 bits"
            ) from error
        image.load()
        return image

    def _whole(self) -> PIL.Image.Image:
        from PIL import TiffImagePlugin

        if self.width * self.height > _MOST_OLD_JPEG_PIXELS:
            raise ImageError("it has too many pixels for the old form of JPEG in TIFF: rewrite it, in tiles")
        self._file.seek(0)
        image = TiffImagePlugin.TiffImageFile(self._file)
        image.load()
        return image

    def _plain_dtype(self) -> np.dtype[Any] | None:
        """Return the numpy type of the samples; None if they are not plain numbers."""
        import numpy as np

        kinds = set(self._numbers(_SAMPLE_FORMAT, (1,)))
        kind = {1: "u", 2: "i", 3: "f"}.get(kinds.pop() if len(kinds) == 1 else 0)
        if (
            kind is None
            or self._compression not in _BYTEWISE
            or self._photometric not in (_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK)
            or self._bits not in ((16, 32, 64) if kind == "f" else (8, 16, 32))
            or self._samples < _COLOURS.get(self._photometric, 1)
            or self._number(_FILL_ORDER, 1) != 1
        ):
            return None
        return np.dtype(f"{self._order}{kind}{self._bits // 8}")

    def _sixteen_bits(self, colours: _Entry) -> _Entry:
        """Return a 16-bit colour map; some programs write 8-bit values, which would be black."""
        values = self._numbers(_COLOR_MAP)
        if max(values, default=0) > 255:
            return colours
        return colours._replace(data=struct.pack(f"{self._order}{len(values)}H", *(value * 257 for value in values)))

    def _directory(self, at: int) -> tuple[dict[int, _Entry], bool]:
        """Return the tags of the directory at this offset, and whether another directory follows."""
        order, size = self._order, 20 if self._big else 12
        (count,) = (
            struct.unpack(f"{order}Q", self._read(at, 8))
            if self._big
            else struct.unpack(f"{order}H", self._read(at, 2))
        )
        if count > _MOST_ENTRIES:
            raise ImageError(f"it is damaged: {count} tags")
        start = at + (8 if self._big else 2)
        table = self._read(start, count * size + (8 if self._big else 4))
        entries = {}
        for entry in range(0, count * size, size):
            tag, form = struct.unpack_from(f"{order}HH", table, entry)
            (number,) = struct.unpack_from(f"{order}Q" if self._big else f"{order}I", table, entry + 4)
            value = table[entry + (12 if self._big else 8) : entry + size]
            length = _SIZES.get(form, 1) * number
            if length > len(value):
                if length > _MOST_VALUES:
                    raise ImageError(f"it is damaged: tag {tag} has {length} bytes")
                (place,) = struct.unpack(f"{order}Q" if self._big else f"{order}I", value)
                value = self._read(place, length)
            entries[tag] = _Entry(form, number, value[:length])
        return entries, any(table[count * size :])

    def _number(self, tag: int, otherwise: int | None = None) -> int:
        return self._numbers(tag, None if otherwise is None else (otherwise,))[0]

    def _numbers(self, tag: int, otherwise: tuple[int, ...] | None = None) -> tuple[int, ...]:
        entry = self._entries.get(tag)
        if entry is None or not entry.number or entry.form not in _FORMATS:
            if otherwise is None:
                raise ImageError(f"it is damaged: tag {tag} is missing")
            return otherwise
        return struct.unpack(f"{self._order}{entry.number}{_FORMATS[entry.form]}", entry.data)

    def _read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(size)
        if len(data) < size:
            raise ImageError("it is cut short")
        return data


def _channels(planes: list[Any]) -> Any:
    """Join planes of one channel each into pixels."""
    import numpy as np

    return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)


def _slices(tiles: list[Any], width: int, rows: int) -> Iterator[Any]:
    """Join tiles side by side, and return a few rows at a time; tiles at the right and bottom edge are cut."""
    import numpy as np
    from PIL import Image

    some = max(_PIXELS_AT_ONCE // width, 1)
    for top in range(0, rows, some):
        bottom = min(top + some, rows)
        if isinstance(tiles[0], np.ndarray):
            yield np.concatenate([tile[top:bottom] for tile in tiles], axis=1)[:, :width]
            continue
        band = Image.new(tiles[0].mode, (width, bottom - top))
        if tiles[0].mode == "P":
            band.putpalette(tiles[0].getpalette())
        for column, tile in enumerate(tiles):
            band.paste(tile.crop((0, top, tile.width, bottom)), (column * tile.width, 0))
        yield band
