"""Compare the TensorFlow that exported a version with a server's release.

TensorFlow promises that newer releases load what older ones saved, but not the opposite:
https://www.tensorflow.org/guide/versions#compatibility_of_savedmodels_graphs_and_checkpoints.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_RELEASE = re.compile(r"(\d+)\.(\d+)")


def newer_tensorflow(manifest: Mapping[str, Any], server: tuple[int, ...]) -> str | None:
    """Return the TensorFlow that exported a version, if it is newer than a server.

    Args:
        manifest: The version's manifest.
        server: The release of TensorFlow Serving, of which major and minor count.

    Returns:
        The TensorFlow's version, such as "2.21.0"; None if the server is as new, or the manifest does not name it.
    """
    exporter = str(manifest.get("tensorflow", ""))
    found = _RELEASE.match(exporter)
    return exporter if found and (int(found[1]), int(found[2])) > server[:2] else None
