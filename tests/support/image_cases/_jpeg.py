"""JPEG: modes, markers, EXIF, and cut or false data."""

import base64
import struct

from PIL import Image, ImageCms

from support import image_files
from support.image_cases._case import Case, photograph
from support.photographs import encoded, image

# A grayscale photograph, 80 x 96, coded by `jpegtran -arithmetic` of libjpeg-turbo 2.1.5.
_ARITHMETIC = base64.b64decode("""
/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKrarYqMyP/L2u71////m8H///
/6/+b9//j/yQALCABgAFABAREA/8wABgAQEAX/2gAIAQEAAD8AwDWFv+FGJITt91+d8DIQ4X5zDJtd/wAT7ecdqhsoJQvSdJ0YtZnP15gGbDWw
sCKd7EsFZf5D1mPWfVLoFchjMxb1zrtfrIEI+Cwj+9zXEjJPFGvNVrrsg0dU+OolEYLNuyoRb7M6OH7ewkvAJDRfMI7gdCaLbdClR9S7gIpeG7
nltNdy13v+wObN2pIEuXkQsTDZeHpTCRJUVHU8sDCaWqi/jc96FMoaafm2vY3TlGE93O/fP43M4owLlKty4VG/UFNrsuE0xcK4kYTqdVF7xynn
7nMd0GV0NUHfnu+VRPo4Soyij4tpLoWzCu7uVbRKHmOk62Yv5+RwUGffnGxzkZVFcX56UK+6PoQErNTtENT7NBrJSSdmog4oLpzJCu3rlvyKXv
VbztAMs1HMPvj/AKMJxNd7Uk+Rb/IZpQbkIrwnbI79F0Z23aJERU+SchT4gLSkbi3Hv6Amg/IghYXp7jTtf0m3qynukSDfBae9hrpv4JIOve3c
hDCy2z4P5JcBpGbqJQwUs/kILibW3QKoUO9T2izX6SOXcxuSWmofKtJfx3npCMtlTnkICwMwx7vYraxc/J+X21Qiin5euA9ed85sDsbT52vxaE
HwI1Nkm2mYmQGH+bCnf0L0u+amgVUxNYCwphkN1x0JvX5s+hDPeUFn/sL9DpWG0xI9RW6krULaQtDtrserRQeb8IP0j2v/APaOy/d06fvg/9k=
""")


def _jpeg(picture: Image.Image | None = None, **options: object) -> bytes:
    return encoded(picture or photograph(), "JPEG", **options)


def _with_exif(exif: bytes, picture: Image.Image | None = None) -> bytes:
    return _jpeg(picture, exif=image_files.EXIF_PREFIX + exif)


def _cmyk() -> bytes:
    return _jpeg(photograph().convert("CMYK"), subsampling=0)


def _oriented(orientation: int, order: str) -> bytes:
    # Lying so that it has the model's size once it is upright.
    lying = photograph().transpose(Image.Transpose.TRANSPOSE) if orientation >= 5 else photograph()
    return _with_exif(image_files.tiff(orientation, order, offset=12), lying)


def _thumbnail() -> bytes:
    """EXIF with an orientation and, as cameras have it, a whole JPEG of another size."""
    return image_files.tiff(3) + _jpeg(image().resize((40, 24)))


def _frame_type(marker: int) -> bytes:
    """The photograph, said to be of another type."""
    data = bytearray(_jpeg())
    data[image_files.frame_header(data) + 1] = marker
    return bytes(data)


def _twelve_bits() -> bytes:
    data = bytearray(_jpeg())
    data[image_files.frame_header(data) + 4] = 12
    return bytes(data)


def _two_frame_headers() -> bytes:
    data = _jpeg()
    at = image_files.frame_header(data)
    header = data[at : at + 19]
    return data[:at] + header[:5] + struct.pack(">HH", 8, 8) + header[9:] + data[at:]


MODES = [
    Case("JPEG, 4:2:0", _jpeg),
    Case("JPEG, 4:2:2", lambda: _jpeg(subsampling="4:2:2")),
    Case("JPEG, 4:4:4", lambda: _jpeg(subsampling="4:4:4")),
    Case("JPEG, 4:1:1", lambda: _jpeg(subsampling="4:1:1")),
    Case("JPEG, quality 100", lambda: _jpeg(quality=100)),
    Case("JPEG, quality 5", lambda: _jpeg(quality=5)),
    Case("JPEG, grayscale", lambda: _jpeg(photograph().convert("L"))),
    Case("JPEG, progressive", lambda: _jpeg(progressive=True)),
    Case("JPEG, progressive, grayscale", lambda: _jpeg(photograph().convert("L"), progressive=True)),
    Case("JPEG, arithmetic coding", lambda: _ARITHMETIC),
    Case("JPEG, restart markers", lambda: _jpeg(restart_marker_blocks=3)),
    Case("JPEG, CMYK", _cmyk),
    Case("JPEG, CMYK without Adobe's marker", lambda: image_files.adobe(_cmyk(), None)),
    Case("JPEG, YCCK", lambda: image_files.adobe(_cmyk(), 2)),
    Case("JPEG, RGB", lambda: _jpeg(keep_rgb=True, subsampling=0)),
    Case("JPEG, without JFIF's marker", lambda: _jpeg()[:2] + _jpeg()[20:]),
    Case(
        "JPEG, colour profile",
        lambda: _jpeg(icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
    ),
    Case(
        "JPEG, segments before the image",
        lambda: image_files.after_start(_jpeg(), *([image_files.segment(0xEC, b"x" * 70)] * 80)),
    ),
    Case("JPEG, fill bytes before a marker", lambda: image_files.after_start(_jpeg(), b"\xff\xff\xff")),
    Case("JPEG, bytes after the end", lambda: _jpeg() + b"motion" * 1000),
    Case(
        "JPEG, several images in one file",
        lambda: encoded(photograph(), "MPO", save_all=True, append_images=[image().resize((30, 30))]),
    ),
    Case("JPEG, two frame headers", _two_frame_headers, status=1),
    Case("JPEG, 12 bits", _twelve_bits, status=1),
    Case("JPEG, lossless", lambda: _frame_type(0xC3), status=1),
    Case("JPEG, hierarchical", lambda: _frame_type(0xC5), status=1),
    Case("JPEG, the end marker missing", lambda: _jpeg()[:-2], status=1),
    Case("JPEG, progressive, 100 scans", lambda: image_files.progressive_scans(80, 96, 100)),
    Case("JPEG, progressive, 101 scans", lambda: image_files.progressive_scans(80, 96, 101), status=1),
    Case("JPEG, baseline, 100 scans of one component", lambda: image_files.baseline_scans(80, 96, 100)),
    Case("JPEG, baseline, 101 scans of one component", lambda: image_files.baseline_scans(80, 96, 101), status=1),
]

EXIF = [
    Case(
        f"JPEG, EXIF orientation {orientation}, {name}",
        lambda orientation=orientation, order=order: _oriented(orientation, order),
    )
    for name, order in [("little-endian", "<"), ("big-endian", ">")]
    for orientation in range(1, 9)
] + [
    Case("JPEG, EXIF with a thumbnail", lambda: _with_exif(_thumbnail())),
    Case(
        "JPEG, EXIF after fill bytes",
        lambda: image_files.after_start(
            _jpeg(), b"\xff\xff", image_files.segment(0xE1, image_files.EXIF_PREFIX + image_files.tiff(3))
        ),
    ),
    Case(
        "JPEG, EXIF after 100 segments",
        lambda: image_files.after_start(
            _jpeg(),
            *([image_files.segment(0xE5, b"x")] * 100),
            image_files.segment(0xE1, image_files.EXIF_PREFIX + image_files.tiff(3)),
        ),
    ),
]

_MALFORMED = {
    "empty": b"",
    "only a byte order": b"II",
    "an unknown byte order": b"XX" + image_files.tiff(6)[2:],
    "a directory beyond the end": struct.pack("<2sHI", b"II", 42, 0x7FFFFFFF),
    "a directory at the farthest": struct.pack("<2sHI", b"II", 42, 0xFFFFFFFF),
    "a directory at the very end": struct.pack("<2sHI", b"II", 42, 8),
    "more entries than bytes": image_files.tiff(1)[:8] + struct.pack("<H", 0xFFFF) + image_files.tiff(1)[10:],
    "orientation 0": image_files.tiff(0),
    "orientation 9": image_files.tiff(9, ">"),
    "orientation of another type": image_files.tiff(6, kind=4),
    "cut inside an entry": image_files.tiff(6)[:-7],
}

MALFORMED_EXIF = [
    Case(
        f"JPEG, EXIF malformed: {name}",
        lambda exif=exif: _with_exif(exif),
        shown=_jpeg,
    )
    for name, exif in _MALFORMED.items()
]
