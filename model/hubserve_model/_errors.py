"""Errors of the files of a model directory, named by what to change.

ModelFilesError
├── InspectError             the folder is not a model directory of hubserve: give another one
│   └── IntegrityError       its files are not those that were published: copy or export it again
├── BatchingParametersError  `batching_params.pbtxt` cannot be used: fix it, or export the model again
├── SessionConfigError       the session config cannot be read: fix the file, or name another one
└── WarmupError              the warm-up records cannot be read: export the model again, or remove the file
"""


class ModelFilesError(Exception):
    """A file of a model directory cannot be used. The message names the file and the remedy."""


class InspectError(ModelFilesError):
    """The folder is not a model directory of hubserve."""


class IntegrityError(InspectError):
    """The files of a version are not those that were published."""


class BatchingParametersError(ModelFilesError):
    """Batching parameters cannot be read or used."""


class SessionConfigError(ModelFilesError):
    """A session config cannot be read."""


class WarmupError(ModelFilesError):
    """Warm-up records cannot be read."""
