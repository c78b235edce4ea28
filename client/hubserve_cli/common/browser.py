"""Open a page in the user's browser."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click


def open_page(file: Path) -> None:
    """Open a page, or print where it is on a machine without a browser."""
    if not webbrowser.open(file.resolve().as_uri()):
        click.echo(f"There is no browser here. The page is {file}", err=True)
