"""Send a run's records to standard output, or to a file that a later run can go on with."""

from __future__ import annotations

from ._file import OutputError
from ._file_output import FileOutput, prepare
from ._standard_output import StandardOutput

__all__ = ["ROWS", "FileOutput", "OutputError", "RunFile", "StandardOutput", "prepare", "prepare_parts"]

from ._parts import ROWS, prepare_parts
from ._run_file import RunFile
