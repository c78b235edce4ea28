"""Options of an export that loads a model from somewhere else than its name says."""

from functools import partial
from pathlib import Path

from hubserve_export import Options

wanted = partial(Options, "a model", Path("models"))
