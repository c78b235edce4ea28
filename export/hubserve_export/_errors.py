"""The errors of an export, named by what to change.

ExportError
├── SourceError      the model cannot be read or downloaded: give another path or handle, or check the network
├── ModelError       it is not an image model that hubserve can serve: use another model
│   └── PreprocessingError   its preprocessing is not known, or the given one is not valid: give a valid one
├── LabelsError      the class names do not fit the model: give other labels
├── OutputError      the model directory cannot be written there: give another output or version
├── ExamplesError    the folder of examples does not fit the labels: give other examples
├── StrictError      there was a warning, and strict makes it an error
└── ProofError       the exported model answers differently from the source model: nothing was published
    └── AccuracyError    it answers alike, but classifies too few of the examples correctly
"""


class ExportError(Exception):
    """The base class of all errors of an export. The message names the thing and the remedy."""


class SourceError(ExportError):
    """The model cannot be found, reached or unpacked."""


class ModelError(ExportError):
    """The model does not take images and give a row of numbers for each."""


class PreprocessingError(ModelError):
    """The preprocessing is not known, or its description is not valid."""


class LabelsError(ExportError):
    """The class names do not fit the model."""


class OutputError(ExportError):
    """The output folder cannot take the new version."""


class ProofError(ExportError):
    """The exported model answers differently from the source model."""


class AccuracyError(ProofError):
    """The exported model classifies fewer examples correctly than required."""


class ExamplesError(ExportError):
    """The examples cannot be read, or do not fit the model's labels."""


class StrictError(ExportError):
    """There was a warning, and `strict` makes warnings errors."""
