"""Define the errors of this part, named by what to change.

ManifestsError        what was asked for cannot be written: change the options, the model directory or the output folder
└── ChoiceError       options contradict each other, or a value is not possible: change the options
"""


class ManifestsError(Exception):
    """Report manifests that cannot be written. The text names the thing and the remedy."""


class ChoiceError(ManifestsError):
    """Report options that contradict each other, or a value that is not possible."""
