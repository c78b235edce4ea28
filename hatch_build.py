"""Make the readme of the metadata: README.md, with links that also work outside of the repository."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# [text](page), and src or srcset of a picture; addresses and places on the same page stay.
_LINK = re.compile(r"(?P<before>\]\()(?P<path>(?!https?://|#)[^)\s]+)(?=\))")
_PICTURE = re.compile(r'(?P<before>\bsrc(?:set)?=")(?P<path>(?!https?://)[^"]+)')


def absolute(text: str, repository: str) -> str:
    """Return a page with absolute links.

    Args:
        text: The page, in Markdown.
        repository: The repository's address.
    """
    text = _LINK.sub(rf"\g<before>{repository}/blob/main/\g<path>", text)
    return _PICTURE.sub(rf"\g<before>{repository}/raw/main/\g<path>", text)


class Readme(MetadataHookInterface):
    """Hatchling calls it when it builds the sdist and the wheel."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the readme."""
        page = Path(self.root, "README.md").read_text(encoding="utf-8")
        text = absolute(page, metadata["urls"]["Repository"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
