"""TensorFlow Hub: a handle to a folder, through tensorflow_hub's own resolver and cache."""

from __future__ import annotations

import re
import tarfile
import warnings
from pathlib import Path
from typing import Any

import tensorflow as tf

from ._errors import SourceError

# publisher/collection/.../version, as the hub's pages give it.
_HANDLE = re.compile(r"[\w.-]+(/[\w.-]+)+/\d+")


def is_handle(model: str) -> bool:
    """Tell whether `model` is written like a hub handle or URL (nothing is asked of the network)."""
    return model.startswith(("http://", "https://")) or _HANDLE.fullmatch(model) is not None


def url(handle: str) -> str:
    """Return the address of a handle; an address stays what it is, because the cache goes by its exact spelling."""
    return handle if "://" in handle else f"https://tfhub.dev/{handle}"


def library() -> Any:
    """Return tensorflow_hub, imported only when it is needed."""
    with warnings.catch_warnings():
        # tensorflow-hub 0.16.1 imports pkg_resources, which says that it will go away.
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
        warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=DeprecationWarning)
        import tensorflow_hub

    return tensorflow_hub


def fetch(handle: str) -> Path:
    """Find a module in tensorflow_hub's cache, or download it there.

    The cache is TFHUB_CACHE_DIR, or a folder in the system's temporary one.

    Returns:
        The folder of the SavedModel, inside the cache.

    Raises:
        SourceError: The hub cannot be reached or does not have it, or the cache holds a broken copy.
    """
    try:
        folder = Path(library().resolve(url(handle)))
    except (OSError, ValueError, RuntimeError, tarfile.TarError, tf.errors.OpError) as error:
        # What was meant for a path looks like a handle too.
        meant = "" if "://" in handle else f"{handle} is no file or folder here, and as a handle of the hub, "
        raise SourceError(
            f"{meant}{url(handle)} cannot be downloaded ({error}); check the network, or set TFHUB_CACHE_DIR to a "
            "cache that has it, "
            "or download its .tar.gz elsewhere and give that file instead of the URL"
        ) from error
    if not (folder / "saved_model.pb").is_file():
        # A hit in the cache is any folder that is not empty: a cleaned temporary folder leaves such remains.
        raise SourceError(
            f"the hub cache has a broken copy of {url(handle)} (no saved_model.pb); remove {folder} and try again"
        )
    return folder
