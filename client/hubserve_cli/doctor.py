"""The subcommand `hubserve doctor`."""

from __future__ import annotations

import itertools
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from .common.options import Server, json_option, optional_server_options
from .common.terminal import columns
from .diagnosis import calls, engines, packages
from .diagnosis.finding import Finding

_COLOURS = {"ok": "green", "absent": "yellow", "problem": "red"}
_STATE = max(map(len, _COLOURS))


@click.command(short_help="Show what is here, what is missing, and the remedy.")
@optional_server_options
@click.option(
    "--model-dir",
    type=click.Path(path_type=Path),
    metavar="MODEL_DIR",
    help="Base folder of a model. Its files are checked against the hashes in its manifest.",
)
@json_option
def doctor(server: Server, model_dir: Path | None, as_json: bool) -> None:
    """Show what hubserve finds on this machine, what is missing, and what to do about it.

    The command looks at versions, extras, TensorFlow Serving, Docker, the GPU, proxies, and the server and the model
    directory that are named. Show its output in a bug report: it has no token and no password. `absent` is only a
    problem for a user who needs it. The command ends with 0, or with 1 when it finds a problem.

    \b
    Example:
      hubserve doctor --server localhost:8500 --model lite0 --model-dir models/lite0
    """
    found: list[Finding] = []
    for finding in itertools.chain(packages.findings(), engines.findings(), calls.findings(server, model_dir)):
        found.append(finding)
        if not as_json:
            for line in _lines(finding):
                click.echo(line)
    if as_json:
        click.echo(json.dumps([finding._asdict() for finding in found], indent=2, ensure_ascii=False))
    if any(finding.state == "problem" for finding in found):
        raise click.exceptions.Exit(1)


def _lines(finding: Finding) -> Iterator[str]:
    text = f"{finding.name}: {finding.detail}" + (f" -> {finding.remedy}" if finding.remedy else "")
    indent = " " * (_STATE + 2)
    width = max(columns() - len(indent), 40)
    first, *more = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
    yield click.style(f"{finding.state:{_STATE}}", fg=_COLOURS[finding.state]) + f"  {first}"
    yield from (f"{indent}{line}" for line in more)
