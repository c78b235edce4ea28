"""The public API of `hubserve_export`: these names, documented, without TensorFlow before an export."""

import subprocess
import sys
from dataclasses import fields
from typing import Any

import click
import pytest

import hubserve_export
from hubserve_export import Options
from hubserve_export.command import export as command

NAMES = {
    "PRESETS",
    "AccuracyError",
    "ExamplesError",
    "ExportError",
    "InspectError",
    "IntegrityError",
    "LabelsError",
    "ModelError",
    "Options",
    "OutputError",
    "Preprocessing",
    "PreprocessingError",
    "Progress",
    "ProofError",
    "Published",
    "SourceError",
    "StrictError",
    "export",
}


def test_these_are_the_public_names() -> None:
    assert set(hubserve_export.__all__) == NAMES
    assert all(getattr(hubserve_export, name).__doc__ for name in NAMES)


def test_the_import_and_options_need_no_tensorflow() -> None:
    program = "import sys, pathlib, hubserve_export as h; h.Options('m', pathlib.Path('o')).said_preprocessing(); "
    done = subprocess.run([sys.executable, "-c", program + "print('tensorflow' in sys.modules)"], capture_output=True)
    assert done.stdout == b"False\n", done.stderr


def test_options_are_those_of_the_command() -> None:
    own = {parameter.name for parameter in command.params if isinstance(parameter, click.Parameter)} - {"as_json"}
    assert own == {field.name for field in fields(Options)}


@pytest.mark.parametrize("field", fields(Options), ids=lambda field: field.name)
def test_every_option_is_documented(field: Any) -> None:
    assert f"        {field.name}: " in (Options.__doc__ or "")
