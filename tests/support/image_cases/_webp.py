"""WebP: lossy, lossless, extended, animated."""

from PIL import Image, ImageCms

from support import image_files
from support.image_cases._case import Case, photograph, transparent
from support.photographs import encoded


def _webp(picture: Image.Image | None = None, **options: object) -> bytes:
    return encoded(picture or photograph(), "WEBP", **options)


def _animated(**options: object) -> bytes:
    return _webp(save_all=True, append_images=[photograph().rotate(90)], **options)


def _lying(orientation: int) -> Image.Image:
    return photograph().transpose(Image.Transpose.TRANSPOSE) if orientation >= 5 else photograph()


def _part(lossless: bool) -> bytes:
    return _webp(transparent().crop((0, 0, 50, 60)), lossless=lossless)


def _oversized_frame() -> bytes:
    return image_files.animation((40, 40), image_files.frame(_webp()))


def _other_canvas(width: int, height: int) -> bytes:
    return image_files.riff(image_files.canvas(width, height, 0), image_files.picture_chunks(_webp()))


CASES = [
    Case("WebP, lossy", _webp),
    Case("WebP, lossless", lambda: _webp(lossless=True)),
    Case("WebP, lossy with alpha", lambda: _webp(transparent())),
    Case("WebP, lossless with alpha", lambda: _webp(transparent(), lossless=True)),
    Case(
        "WebP, colour profile",
        lambda: _webp(icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
    ),
    *(
        Case(
            f"WebP, EXIF orientation {n}",
            lambda n=n: _webp(_lying(n), exif=image_files.EXIF_PREFIX + image_files.tiff(n)),
        )
        for n in (1, 3, 6)
    ),
    Case("WebP, EXIF without its prefix", lambda: _webp(exif=image_files.tiff(3))),
    Case("WebP, alpha and EXIF", lambda: _webp(transparent(), exif=image_files.tiff(3, ">"))),
    Case("WebP, animated", _animated),
    Case("WebP, animated, lossless", lambda: _animated(lossless=True)),
    Case("WebP, animated, with EXIF", lambda: _animated(exif=image_files.tiff(3))),
    Case("WebP, animated, with alpha", lambda: _webp(transparent(), save_all=True, append_images=[photograph()])),
    *(
        Case(
            f"WebP, animated, first frame smaller than the canvas, {name}",
            lambda lossless=lossless: image_files.animation((80, 96), image_files.frame(_part(lossless), (20, 30))),
        )
        for name, lossless in [("lossy", False), ("lossless", True)]
    ),
    Case("WebP, animated, first frame over its canvas", _oversized_frame, status=1),
    Case("WebP, animated, no frame", lambda: image_files.animation((80, 96)), status=1),
    Case("WebP, animated, first frame cut short", lambda: _animated()[:600], status=1),
    Case("WebP, canvas smaller than the image", lambda: _other_canvas(40, 40), status=1),
    Case("WebP, canvas larger than the image", lambda: _other_canvas(400, 400), status=1),
    Case("WebP, of an unknown kind", lambda: _webp().replace(b"VP8 ", b"VP9 "), status=1),
]
