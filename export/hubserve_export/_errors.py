"""Define the errors of an export, named by what to change.

ExportError
├── SourceError      the model cannot be had: another path or handle, or a way to the network
├── ModelError       it was had, but it is not an image model that this can serve: another model
│   └── PreprocessingError   what it makes of an image is not known, or was said in a way that cannot be: say it
├── LabelsError      the class names do not fit the model: another labels
├── OutputError      the model directory cannot be written there: another output or version
├── ExamplesError    the folder of examples does not fit the labels: other examples
├── StrictError      there was a warning, and strict makes it an error
└── ProofError       the exported model does not answer as the source model does: nothing was published
    └── AccuracyError    it does, and is right about too few of the examples
"""


class ExportError(Exception):
    """The root of all that an export raises on purpose. Its text names the thing and the remedy."""


class SourceError(ExportError):
    """The model cannot be found, reached or unpacked."""


class ModelError(ExportError):
    """The model is not one that takes images and gives a row of numbers for each."""


class PreprocessingError(ModelError):
    """The preprocessing is not known, or its description is not one."""


class LabelsError(ExportError):
    """The class names do not fit the model."""


class OutputError(ExportError):
    """The output folder cannot take the new version."""


class ProofError(ExportError):
    """The exported model failed its proof."""


class AccuracyError(ProofError):
    """The exported model is right about fewer examples than it must be."""


class ExamplesError(ExportError):
    """The examples cannot be read, or are not of the model's labels."""


class StrictError(ExportError):
    """There was a warning, and warnings are errors."""
