"""Send a run's records to standard output, or to a file that a later run can go on with."""

from __future__ import annotations

from ._file import OutputError
from ._file_output import FileOutput, prepare
from ._standard_output import StandardOutput

__all__ = ["FileOutput", "OutputError", "RunFile", "StandardOutput", "prepare"]

from ._run_file import RunFile
