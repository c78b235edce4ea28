"""Model directories of three kinds, as far as `hubserve manifests` reads them: the manifest of each version."""

import json
from pathlib import Path
from typing import Any

PNASNET = {
    "model": {"kind": "classification", "parameters": 86_100_000, "classes": 1001},
    "preprocessing": {"height": 331, "width": 331, "max_pixels": 52_000_000},
    "source": {"handle": "https://tfhub.dev/google/imagenet/pnasnet_large/classification/4"},
    "variables": 344_600_000,
}
FEATURES = {
    "model": {"kind": "feature_vector", "parameters": 3_400_000, "features": 1280},
    "preprocessing": {"height": 224, "width": 224, "max_pixels": 52_000_000},
    "source": {"handle": "/home/reader/mobilenet.keras"},
    "variables": 13_600_000,
}
CATS_DOGS = {
    "model": {"kind": "classification", "parameters": 24_000_000, "classes": 2},
    "preprocessing": {"height": 299, "width": 299, "max_pixels": 104_000_000},
    "source": {"handle": "/home/reader/cats_dogs.keras"},
    "variables": 1_700_000_000,
    "batch_sizes": [1, 4],
}
MODELS: dict[str, dict[str, Any]] = {"pnasnet": PNASNET, "mobile-features": FEATURES, "cats-dogs": CATS_DOGS}


def write_model(base: Path, facts: dict[str, Any], *versions: int) -> Path:
    """Write the manifests of a model's versions; the other files are only told of."""
    for version in versions or (1,):
        document = {
            "format_version": 1,
            "batch_sizes": [1, 2, 4, 8, 16, 32],
            "files": [
                {"path": "saved_model.pb", "bytes": 9_000_000, "sha256": "0" * 64},
                {"path": "variables/variables.data-00000-of-00001", "bytes": facts["variables"], "sha256": "0" * 64},
            ],
            **{key: value for key, value in facts.items() if key != "variables"},
        }
        file = base / str(version) / "assets.extra" / "export.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(document), encoding="utf-8")
    return base
