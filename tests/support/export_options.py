"""Options of an export whose model is loaded from another place than its name says."""

from functools import partial
from pathlib import Path

from hubserve_export import Options

wanted = partial(Options, "a model", Path("models"))
