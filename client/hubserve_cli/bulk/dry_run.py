"""Show what a run would send, and what it would leave out, without asking a server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import click

from .records import shown
from .sources import Image, LeftOut, name_of


def dry_run(images: Iterator[Image], left_out: LeftOut, *, batch_size: int, quiet: bool) -> None:
    """Print the path of each image that would be sent; on standard error, their number and what would be left out.

    Args:
        images: From `sources.find`.
        left_out: Counts the files that are left out while `images` are found.
        batch_size: Images in a request.
        quiet: Print the paths only.
    """
    count = size = 0
    for image in images:
        name = name_of(image)
        click.echo(shown(name))
        count += 1
        if isinstance(image, str):
            try:
                size += os.stat(image).st_size
            except OSError as error:
                click.echo(f"cannot be read: {shown(name)} ({error.strerror})", err=True)
    if quiet:
        return
    requests = -(-count // batch_size)
    click.echo(
        f"{count:,} image{'' if count == 1 else 's'} ({size / 1e6:,.1f} MB of files) would be sent, in {requests:,} "
        f"request{'' if requests == 1 else 's'} of at most {batch_size}",
        err=True,
    )
    for line in left_out.lines():
        click.echo(line, err=True)
