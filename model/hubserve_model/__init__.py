"""Read and check a model directory, without TensorFlow. The export writes it, and servers and users read it.

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
