"""Recognise text that is given as a path but is something else: a web address, base64, markup, blanks."""

from __future__ import annotations

import os
import re
from pathlib import Path

# Linux's PATH_MAX; longer text is not a path. Windows and macOS have lower limits.
_LONGEST_PATH = 4096
_SHOWN_LETTERS = 60
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DATA_URL = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
# The usual alphabet and the URL-safe one, on one line or several.
_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]+={0,2}\s*")
_BASE64_IMAGES = ("/9j/", "_9j_", "iVBORw0KGgo", "R0lGOD", "UklGR")
# The beginnings of JPEG, PNG, GIF, WebP and BMP.
_HEX_IMAGE = re.compile(r"(?:ffd8ff|89504e47|47494638|52494646|424d)[0-9a-f\s]{10,}", re.IGNORECASE)
# Paths of so many letters and digits without a dot are rare, and the check runs only for missing files.
_FEWEST_BASE64_LETTERS = 200
_FEWEST_WITH_A_START = 16
_DECODE = "this is base64 text, not a path: give base64.b64decode(...) of it, without a data: prefix"
_MARKUP = {"<": "HTML or XML", "{": "JSON", "[": "JSON"}
# Beginnings of image files whose bytes were decoded as Latin-1, which gives each byte one letter.
_LATIN_IMAGES = ("\xff\xd8\xff", "\x89PNG\r", "GIF87a", "GIF89a", "RIFF")


def not_a_path(text: str) -> str | None:
    """Say why a text that names no existing file is not a path; None: it looks like a path."""
    bare = text.strip()
    if not bare:
        return "this is an empty path: give the path of a file"
    if bare.lower().startswith("file://"):
        return "this is a file: URL, not a path: give its path alone"
    if _ADDRESS.match(bare):
        return "this is a web address, not a path: download it, and give the bytes (hubserve classify reads URLs)"
    if match := _DATA_URL.match(bare):
        if ";base64" in match[0].lower():
            return _DECODE
        return "this is a data: URL, not a path: give the bytes that it stands for"
    if text.startswith(_LATIN_IMAGES):
        return 'these are the bytes of an image as text, not a path: open its file with mode "rb", and give the bytes'
    if _HEX_IMAGE.fullmatch(bare):
        return "this is hexadecimal text, not a path: give bytes.fromhex(...) of it"
    fewest = _FEWEST_WITH_A_START if bare.startswith(_BASE64_IMAGES) else _FEWEST_BASE64_LETTERS
    if len(bare) >= fewest and _BASE64.fullmatch(bare):
        return _DECODE
    if bare[0] in _MARKUP:
        return f"this is {_MARKUP[bare[0]]} text, not a path: give a path, or bytes"
    unquoted = bare.strip("\"'").strip()
    if unquoted != text and _is_there(unquoted):
        return "the path has blanks, line ends or quotation marks around it: remove them"
    if bare.startswith("~") and _is_there(os.path.expanduser(bare)):
        return "~ is not replaced in a path: give os.path.expanduser(path)"
    return "this is text, not a path: give a path, or bytes" if _is_too_long(text) else None


def short_name(name: str) -> str:
    """Return a name unchanged; if it is too long for a path, only its beginning and its length."""
    return name if len(name) <= _LONGEST_PATH else beginning(name)


def beginning(text: str) -> str:
    """Return a text as it can stand in a sentence: at most its beginning, and without control characters."""
    shown = text if len(text) <= 2 * _SHOWN_LETTERS else text[:_SHOWN_LETTERS]
    shown = _CONTROL.sub(lambda match: repr(match[0])[1:-1], shown)
    return shown if len(text) <= 2 * _SHOWN_LETTERS else f"{shown}... ({len(text):,} characters)"


def without_control(name: str) -> str:
    """Return a name on one line: a file's name may contain line ends."""
    return _CONTROL.sub(lambda match: repr(match[0])[1:-1], name)


def _is_too_long(text: str) -> bool:
    # File systems do not allow longer names.
    return len(text) > _LONGEST_PATH or max(map(len, re.split(r"[/\\]", text))) > 255


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False
