"""Every format and mode gives the pixels that Pillow gives."""

import numpy as np
import pytest
from PIL import Image

from support.decoding import HEIGHT, WIDTH, decode
from support.photographs import encoded, image
from support.reference import pixels

# Pillow rounds its resized pixels to whole levels; the model gets them as they are.
ROUNDING = 1.0


def transparent() -> Image.Image:
    """The photograph, fading from invisible to opaque."""
    picture = image().convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def sixteen_bits() -> Image.Image:
    return Image.fromarray(np.asarray(image().convert("L")).astype(np.uint16) * 257)


def frame_off_the_corner() -> bytes:
    """A GIF whose first frame fills only a part of the screen: Pillow writes none, so screen and offset are put in."""
    data = bytearray(encoded(image().quantize(64), "GIF"))
    frame = data.index(b"\x2c\0\0\0\0", 13 + 3 * 64)
    data[6:10] = (500).to_bytes(2, "little") + (400).to_bytes(2, "little")
    data[frame + 1 : frame + 5] = (30).to_bytes(2, "little") + (50).to_bytes(2, "little")
    return bytes(data)


CASES = {
    "JPEG": lambda: encoded(image(), "JPEG"),
    "JPEG progressive": lambda: encoded(image(), "JPEG", progressive=True),
    "JPEG grayscale": lambda: encoded(image().convert("L"), "JPEG"),
    "JPEG CMYK": lambda: encoded(image().convert("CMYK"), "JPEG"),
    "JPEG without chroma subsampling": lambda: encoded(image(), "JPEG", subsampling=0),
    "PNG": lambda: encoded(image(), "PNG"),
    "PNG 1 bit": lambda: encoded(image().convert("1"), "PNG"),
    "PNG grayscale": lambda: encoded(image().convert("L"), "PNG"),
    "PNG 16 bits": lambda: encoded(sixteen_bits(), "PNG"),
    "PNG grayscale with alpha": lambda: encoded(transparent().convert("LA"), "PNG"),
    "PNG with alpha": lambda: encoded(transparent(), "PNG"),
    "PNG grayscale with a transparent level": lambda: encoded(image().convert("L"), "PNG", transparency=100),
    **{f"PNG palette of {n}": lambda n=n: encoded(image().quantize(n), "PNG") for n in (2, 4, 16, 200)},
    **{
        f"PNG palette of {n}, one transparent": lambda n=n: encoded(image().quantize(n), "PNG", transparency=1)
        for n in (2, 4, 16, 200)
    },
    "GIF": lambda: encoded(image(), "GIF"),
    "GIF interlaced": lambda: encoded(image(), "GIF", interlace=True),
    "GIF with a transparent colour": lambda: encoded(image().quantize(100), "GIF", transparency=3),
    "GIF animated": lambda: encoded(image(), "GIF", save_all=True, append_images=[image().rotate(90)]),
    "BMP": lambda: encoded(image(), "BMP"),
    "BMP 32 bits": lambda: encoded(image().convert("RGBA"), "BMP"),
    "BMP palette": lambda: encoded(image().quantize(256), "BMP"),
    "BMP grayscale": lambda: encoded(image().convert("L"), "BMP"),
    "WebP": lambda: encoded(image(), "WEBP"),
    "WebP lossless": lambda: encoded(image(), "WEBP", lossless=True),
    "WebP with alpha": lambda: encoded(transparent(), "WEBP"),
    "WebP lossless with alpha": lambda: encoded(transparent(), "WEBP", lossless=True),
    "1 x 1": lambda: encoded(Image.new("RGB", (1, 1), (10, 200, 30)), "PNG"),
    "1 x 20000": lambda: encoded(image().resize((1, 20000)), "PNG"),
    "20000 x 1": lambda: encoded(image().resize((20000, 1)), "PNG"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_model_sees_what_pillow_sees(case: str) -> None:
    data = CASES[case]()
    status, found = decode(data)
    assert status == [0]
    assert np.abs(found[0] - pixels(data, HEIGHT, WIDTH)).max() <= ROUNDING


def test_a_gif_frame_is_drawn_at_its_place_on_a_white_screen() -> None:
    status, found = decode(frame_off_the_corner(), height=400, width=500)
    assert status == [0]
    assert (found[0, :50] == 255).all()
    assert (found[0, :, :30] == 255).all()
    assert (found[0, 350:] == 255).all()
    exact = np.asarray(image().quantize(64).convert("RGB"))
    assert np.array_equal(found[0, 50:350, 30:481].round(), exact)


@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_a_large_photograph_is_scaled_while_decoding_and_stays_near_pillow(ratio: int) -> None:
    size = (2 * WIDTH * ratio + 40, 2 * HEIGHT * ratio + 200)
    if size[0] * size[1] < 1_000_000:
        size = (1200, 1000)
    data = encoded(image().resize(size, Image.Resampling.BICUBIC), "JPEG", quality=90)
    status, found = decode(data)
    difference = np.abs(found[0] - pixels(data, HEIGHT, WIDTH))
    assert status == [0]
    assert difference.mean() <= 0.6
    assert difference.max() <= 6


def test_a_central_crop_keeps_the_middle() -> None:
    data = encoded(image(), "PNG")
    margin = (int(300 * 0.0625), int(451 * 0.0625))
    cropped = image().crop((margin[1], margin[0], 451 - margin[1], 300 - margin[0]))
    _, found = decode(data, crop_fraction=0.875)
    assert np.abs(found[0] - pixels(encoded(cropped, "PNG"), HEIGHT, WIDTH)).max() <= ROUNDING


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(image().convert("1"), "BMP"), id="BMP of 1 bit"),
        pytest.param(
            encoded(image(), "WEBP", save_all=True, append_images=[image().rotate(90)]),
            id="animated WebP",
        ),
        pytest.param(encoded(image(), "TIFF"), id="TIFF"),
    ],
)
def test_what_would_come_out_in_wrong_colours_is_refused(data: bytes) -> None:
    assert decode(data)[0] == [1]
