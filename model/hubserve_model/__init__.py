"""Read and check a model directory, without TensorFlow: the export writes one, and servers and people read it.

The modules are public: `versions`, `manifest`, `integrity`, `inspect`, `batching_parameters`, `session_configs`,
`server_flags`, `warmup`, `tensorflow_log` and `scratch`.
"""

from ._errors import (
    BatchingParametersError,
    InspectError,
    IntegrityError,
    ModelFilesError,
    SessionConfigError,
    WarmupError,
)

__all__ = [
    "BatchingParametersError",
    "InspectError",
    "IntegrityError",
    "ModelFilesError",
    "SessionConfigError",
    "WarmupError",
]
