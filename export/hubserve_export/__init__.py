"""Export an image model into a model directory that TensorFlow Serving can load.

    from pathlib import Path
    from hubserve_export import Options, export

    published = export(Options("flowers.keras", Path("models/flowers"), labels=Path("labels.txt")))
    print(published.folder)

The first call of `export` imports TensorFlow; nothing else here does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubserve_model import InspectError, IntegrityError

from ._errors import (
    AccuracyError,
    ExamplesError,
    ExportError,
    LabelsError,
    ModelError,
    OutputError,
    PreprocessingError,
    ProofError,
    SourceError,
    StrictError,
)
from ._options import Options
from ._preprocessing import PRESETS, Preprocessing
from ._progress import Progress

if TYPE_CHECKING:
    from ._export import Published, export

__all__ = [
    "PRESETS",
    "AccuracyError",
    "ExamplesError",
    "ExportError",
    "InspectError",
    "IntegrityError",
    "LabelsError",
    "ModelError",
    "Options",
    "OutputError",
    "Preprocessing",
    "PreprocessingError",
    "Progress",
    "ProofError",
    "Published",
    "SourceError",
    "StrictError",
    "export",
]


def __getattr__(name: str) -> Any:
    if name in ("Published", "export"):
        from . import _export

        return getattr(_export, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
