"""Tell kinds of files by their first bytes: `kind_of(data).name`.

The names are what users call the files. They appear in counts ("480 HEIC, 20 PDF") and in errors.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

# Enough bytes for every check below.
HEAD_BYTES = 4096


class Reader(Enum):
    """Name the program that can decode a kind of file."""

    # A model that hubserve exported decodes it.
    SERVER = "server"
    # The client converts it, with the extra `photos`.
    CLIENT = "client"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Attributes:
        name: For counts: `480 HEIC`.
        words: For sentences: `this is a HEIC photograph`.
        reader: Which program can decode it.
        remedy: What to do about such a file; empty: no advice.
    """

    name: str
    words: str
    reader: Reader = Reader.NOBODY
    remedy: str = ""


_CONVERT = "pip install 'hubserve[photos]', and give convert=True or --convert"

JPEG = Kind("JPEG", "a JPEG file", Reader.SERVER)
PNG = Kind("PNG", "a PNG file", Reader.SERVER)
GIF = Kind("GIF", "a GIF file", Reader.SERVER)
BMP = Kind("BMP", "a BMP file", Reader.SERVER)
WEBP = Kind("WebP", "a WebP file", Reader.SERVER)
# TensorFlow would decode it with wrong colours.
RARE_BMP = Kind(
    "BMP of a rare form", "a BMP file of 1, 4 or 16 bits, with run lengths or of OS/2", Reader.CLIENT, _CONVERT
)
HEIC = Kind("HEIC", "a HEIC photograph", Reader.CLIENT, _CONVERT)
AVIF = Kind("AVIF", "an AVIF image", Reader.CLIENT, _CONVERT)
TIFF = Kind("TIFF", "a TIFF image", Reader.CLIENT, _CONVERT)
JPEG_2000 = Kind("JPEG 2000", "a JPEG 2000 image", Reader.CLIENT, _CONVERT)
RAW = Kind("RAW", "a camera's RAW file", Reader.CLIENT, _CONVERT)
PNM = Kind("PNM", "a PNM image (PBM, PGM, PPM, PFM)", Reader.CLIENT, _CONVERT)
PAM = Kind("PAM or colour PFM", "a PAM image or a PFM image in colour", remedy="convert it to PNG")
JPEG_XL = Kind("JPEG XL", "a JPEG XL image", remedy="convert it to JPEG")
PSD = Kind("PSD", "a Photoshop document", remedy="convert it to JPEG or PNG")
ICO = Kind("ICO", "an icon (ICO)", remedy="convert it to PNG")
SVG = Kind("SVG", "an SVG drawing", remedy="draw it as a PNG")
EXR = Kind("OpenEXR", "an OpenEXR image", remedy="convert it to PNG")
DICOM = Kind("DICOM", "a DICOM file", remedy="convert it to PNG")
FITS = Kind("FITS", "a FITS file", remedy="convert it to PNG")
NUMPY = Kind("NumPy", "a NumPy array's file", remedy="give numpy.load(path)")
PDF = Kind("PDF", "a PDF document", remedy="render its pages as images")
POSTSCRIPT = Kind("PostScript", "a PostScript file", remedy="render its pages as images")
HTML = Kind("HTML", "an HTML page", remedy="look at it in a browser: it may be a login or error page")
XML = Kind("XML", "an XML document", remedy="look at it: it may be a bucket's error message")
JSON = Kind("JSON", "a JSON document", remedy="look at it: it may be a service's error message")
BASE64 = Kind("base64 text", "base64 text", remedy="give base64.b64decode(...) of it")
LFS = Kind("Git LFS pointer", "a Git LFS pointer, not the file itself", remedy="run git lfs pull")
TEXT = Kind("text", "text")
VIDEO = Kind("video", "a video", remedy="take single frames out of it")
SOUND = Kind("sound", "a sound file")
ARCHIVE = Kind("archive", "an archive", remedy="unpack it, or pack it as .tar and name that as a SOURCE")
OFFICE = Kind("Office or Thumbs.db", "an Office document or a thumbnail cache")
APPLE_DOUBLE = Kind("AppleDouble", "macOS's notes about another file (AppleDouble), not an image")
DATABASE = Kind("database", "a database file")
ZEROS = Kind("zeros", "a file that begins with zeros", remedy="copy it again: its content was lost")
EMPTY = Kind("empty", "an empty file", remedy="copy it again")
OTHER = Kind("other", "a file of an unknown kind")

KINDS = {kind.name: kind for kind in list(globals().values()) if isinstance(kind, Kind)}

_STARTS: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", JPEG_2000),
    (b"\xff\x4f\xff\x51", JPEG_2000),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", JPEG_XL),
    (b"\xff\x0a", JPEG_XL),
    # Fujifilm, Olympus (three forms), Panasonic, Sigma, Minolta.
    (b"FUJIFILMCCD-RAW", RAW),
    (b"IIRO", RAW),
    (b"IIRS", RAW),
    (b"MMOR", RAW),
    (b"IIU\x00", RAW),
    (b"FOVb", RAW),
    (b"\x00MRM", RAW),
    (b"8BPS", PSD),
    (b"\x00\x00\x01\x00", ICO),
    (b"\x76\x2f\x31\x01", EXR),
    (b"SIMPLE  =", FITS),
    (b"\x93NUMPY", NUMPY),
    (b"%!PS", POSTSCRIPT),
    (b"version https://git-lfs", LFS),
    (b"\x1a\x45\xdf\xa3", VIDEO),
    (b"\x00\x00\x01\xba", VIDEO),
    (b"\x00\x00\x01\xb3", VIDEO),
    (b"FLV\x01", VIDEO),
    (b"ID3", SOUND),
    (b"fLaC", SOUND),
    (b"OggS", SOUND),
    (b"PK\x03\x04", ARCHIVE),
    (b"\x1f\x8b", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"\xfd7zXZ\x00", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"Rar!", ARCHIVE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OFFICE),
    (b"\x00\x05\x16\x07", APPLE_DOUBLE),
    (b"\x00\x05\x16\x00", APPLE_DOUBLE),
    (b"SQLite format 3", DATABASE),
    (b"\x89HDF\r\n\x1a\n", DATABASE),
    (b"PAR1", DATABASE),
)
# The brands of ISO 14496-12 files. Any other file with an `ftyp` box is a video.
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"mif2"})
_TIFF_MAGIC = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _DNG_VERSION = 254, 262, 50706
_COLOR_FILTER_ARRAY, _LINEAR_RAW = 32803, 34892
_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]+={0,2}\s*")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_FEWEST_BASE64_BYTES = 64
_RIFF = {b"WEBP": WEBP, b"AVI ": VIDEO, b"WAVE": SOUND}


def kind_of(data: bytes) -> Kind:
    """Tell the kind of a file by its first bytes; at most `HEAD_BYTES` are used."""
    head = bytes(data[:HEAD_BYTES])
    if not head:
        return EMPTY
    for start, kind in _STARTS:
        if head.startswith(start):
            return kind
    return next(filter(None, (test(head) for test in _TESTS)), OTHER)


def _riff(head: bytes) -> Kind | None:
    return _RIFF.get(head[8:12]) if head.startswith(b"RIFF") else None


def _bmp(head: bytes) -> Kind | None:
    """Recognise a BMP file, by the fields of its BITMAPINFOHEADER."""
    if not head.startswith(b"BM") or len(head) < 34:
        return None
    (size,) = struct.unpack_from("<I", head, 14)
    if size == 12:
        # OS/2, which TensorFlow does not support.
        return RARE_BMP
    if 16 <= size <= 256:
        bits, compression = struct.unpack_from("<HI", head, 28)
    else:
        return None
    # Compressions 3 and 6 are colour masks, which the server supports for 32 bits.
    return RARE_BMP if bits in (1, 2, 4, 16) or compression in (1, 2) else BMP


def _iso_media(head: bytes) -> Kind | None:
    if head[4:8] != b"ftyp" or len(head) < 12:
        return None
    major = head[8:12]
    (size,) = struct.unpack_from(">I", head)
    brands = {major} | {head[at : at + 4] for at in range(16, min(size, len(head)), 4)}
    if major == b"crx ":
        return RAW
    if brands & _AVIF_BRANDS:
        return AVIF
    return HEIC if brands & _HEIC_BRANDS else VIDEO


def _tiff(head: bytes) -> Kind | None:
    """Recognise a TIFF file, or a RAW file: its first directory describes a preview or a sensor's pixels."""
    order = _TIFF_MAGIC.get(head[:4])
    if order is None:
        return None
    if head[8:10] == b"CR":
        return RAW
    if head[2:3] in b"+" or head[3:4] == b"+" or len(head) < 8:
        return TIFF
    (at,) = struct.unpack_from(f"{order}I", head, 4)
    if at + 2 > len(head):
        return TIFF
    (count,) = struct.unpack_from(f"{order}H", head, at)
    for entry in range(at + 2, min(at + 2 + 12 * count, len(head) - 11), 12):
        tag, form, _, long = struct.unpack_from(f"{order}HHII", head, entry)
        value = struct.unpack_from(f"{order}H", head, entry + 8)[0] if form == 3 else long
        if (
            tag == _DNG_VERSION
            or (tag == _NEW_SUBFILE_TYPE and value & 1)
            or (tag == _PHOTOMETRIC and value in (_COLOR_FILTER_ARRAY, _LINEAR_RAW))
        ):
            return RAW
    return TIFF


def _pnm(head: bytes) -> Kind | None:
    if re.match(rb"P[7F]\s", head):
        return PAM
    return PNM if re.match(rb"P[1-6f]\s", head) else None


def _transport_stream(head: bytes) -> Kind | None:
    return VIDEO if head[:1] == b"G" and head[188:189] == b"G" and head[376:377] == b"G" else None


def _elsewhere(head: bytes) -> Kind | None:
    if head[128:132] == b"DICM":
        return DICOM
    if head[257:262] == b"ustar":
        return ARCHIVE
    if b"%PDF-" in head[:1024]:
        return PDF
    return ZEROS if not head.strip(b"\0") else None


def _words(head: bytes) -> Kind | None:
    """Recognise kinds of text; the last character may be incomplete."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    start = text[:1024].lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<script")):
        return HTML
    if start.startswith((b"<?xml", b"<!--", b"<svg", b"<!doctype svg", b"<error")):
        return SVG if b"<svg" in text else HTML if b"<html" in start else XML
    if _is_base64(text):
        return BASE64
    if _CONTROL.search(head):
        return None
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return None
    return JSON if start.startswith((b"{", b"[")) else TEXT


def _is_base64(text: bytes) -> bool:
    """Tell whether the text is base64 of an image, or long base64; `data:image/jpeg;base64,` may come before it."""
    if text[:64].lower().startswith(b"data:") and b";base64," in text[:128]:
        return True
    match = _BASE64.match(text)
    if match is None or match.end() != len(text) or len(text) < _FEWEST_BASE64_BYTES:
        return False
    packed = b"".join(match[0].split()).rstrip(b"=")
    try:
        unpacked = base64.b64decode(packed[: len(packed) // 4 * 4])
    except binascii.Error:
        return False
    return kind_of(unpacked).reader is not Reader.NOBODY or len(packed) > 2000


_TESTS: tuple[Callable[[bytes], Kind | None], ...] = (
    _riff,
    _bmp,
    _iso_media,
    _tiff,
    _pnm,
    _transport_stream,
    _elsewhere,
    _words,
)


def undecodable(name: str | None) -> str:
    """Return the error sentence for a file that the server cannot decode.

    Args:
        name: The name of the file's kind; None: unknown.
    """
    kind = KINDS.get(name or "", OTHER)
    if kind is OTHER:
        return "the server cannot decode it as an image: send a JPEG, PNG, GIF, BMP or WebP file"
    if kind.reader is Reader.SERVER:
        return (
            f"the server cannot decode it, though it begins like {kind.words}: it is damaged, cut short, or of a rare "
            "form; save it again as JPEG or PNG"
        )
    return f"the server cannot decode it: this is {kind.words}" + (f": {kind.remedy}" if kind.remedy else "")
