"""Errors of the files of a model directory, named by what to change.

ModelFilesError
├── InspectError             the folder is not a model directory of hubserve: give another one
│   └── IntegrityError       its files are not those that were published: copy or export it again
├── BatchingParametersError  `batching_params.pbtxt` cannot be used: mend it, or export the model again
├── SessionConfigError       the session config cannot be read: mend the file, or name another one
└── WarmupError              the warm-up records cannot be read: export the model again, or remove the file
"""


class ModelFilesError(Exception):
    """Report a file of a model directory that cannot be used. The text names the file and the remedy."""


class InspectError(ModelFilesError):
    """Report a folder that is not a model directory of hubserve."""


class IntegrityError(InspectError):
    """Report files of a version that are not those that were published."""


class BatchingParametersError(ModelFilesError):
    """Report batching parameters that cannot be read or used."""


class SessionConfigError(ModelFilesError):
    """Report a session config that cannot be read."""


class WarmupError(ModelFilesError):
    """Report warm-up records that cannot be read."""
