"""The subcommand `hubserve models`: the models of the hub, or those of a server."""

from __future__ import annotations

import json
import sys
from importlib.metadata import entry_points
from pathlib import Path

import click
from click.core import ParameterSource

from .common.help import sections
from .common.options import Server, json_option, optional_server_options
from .served import Served, in_config, in_folder, in_metrics, metrics_address, no_metrics, served, told_by_the_server

_HELP = (
    "TensorFlow Serving has no call that lists its models. Name one with --model, give --model-config or --models-dir, "
    "or start the server with --monitoring_config_file and --rest_api_port, and give --metrics"
)


@sections(Models_of_a_server=("server", "model", "metrics", "model_config", "models_dir"))
@click.command(short_help="List image models of the hub, or the models of a server.")
@click.argument("words", nargs=-1)
@click.option("--kind", type=click.Choice(["classification", "feature_vector"]), help="Kind of the modules to list.")
@json_option
@optional_server_options
@click.option(
    "--metrics",
    metavar="URL",
    help="Address of the server's metrics.  [default: http://HOST:8501/monitoring/prometheus/metrics]",
)
@click.option(
    "--model-config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Model config file of the server, which has the names of its models.",
)
@click.option(
    "--models-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder with a base folder for each model of the server.",
)
@click.pass_context
def models(
    ctx: click.Context,
    words: tuple[str, ...],
    kind: str | None,
    as_json: bool,
    server: Server,
    metrics: str | None,
    model_config: Path | None,
    models_dir: Path | None,
) -> None:
    """List the image modules of TensorFlow Hub and Kaggle Models, or those whose names have all WORDS.

    The list is the hub's public index, which comes with hubserve: no network is needed. The hub may have lost a module
    since. A name on Kaggle with a question mark was not seen there, but follows from the names of its family.

    With --server on the command line, list the models of that server, with their versions. TensorFlow Serving has no
    call that lists them. Their names come from --model, --model-config, --models-dir and the server's metrics, and the
    server is asked for each. A model that none of them names is not listed. The embedded engine tells its model itself.

    \b
    Example:
      hubserve models pnasnet
      hubserve models mobilenet 224 --kind feature_vector --json
      hubserve models --server localhost:8500
    """
    if ctx.get_parameter_source("server") is not ParameterSource.COMMANDLINE:
        (hub,) = entry_points(group="hubserve.commands", name="models")
        ctx.invoke(hub.load(), words=words, kind=kind, as_json=as_json)
        return
    if words or kind:
        raise click.UsageError("WORDS and --kind choose among the hub's modules: leave them out with --server.")
    named = [(server["model"], "--model")] if server["model"] else []
    named += in_config(model_config) if model_config else []
    named += in_folder(models_dir) if models_dir else []
    # The embedded engine has one model, so that its word is the whole list.
    told = list(told_by_the_server(server))
    named += told
    address = metrics or metrics_address(server)
    without = ""
    try:
        named += in_metrics(address)
    except (OSError, ValueError) as error:
        without = no_metrics(address, error)
        if metrics is not None:
            raise click.ClickException(f"{without}: correct --metrics") from error
    found, unknown = served(server, named)
    _show(server, found, unknown, as_json=as_json)
    if not found:
        reason = f"the server does not know {', '.join(unknown)}" if unknown else "no name of a model is known"
        raise click.ClickException(f"{reason}, and there are {without}: {_HELP}" if without else f"{reason}. {_HELP}")
    if without and not told and not as_json:
        click.echo(f"The list may be incomplete: {without}", err=True)


def _show(server: Server, found: list[Served], unknown: list[str], *, as_json: bool) -> None:
    if as_json:
        document = {
            "server": server["target"],
            "models": [
                {
                    "name": model.name,
                    "name_from": model.source,
                    "versions": [
                        {"version": each.version, "state": each.state, "error": each.error} for each in model.versions
                    ],
                }
                for model in found
            ],
            "unknown": unknown,
        }
        json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
        click.echo()
        return
    rows = [("model", "version", "state", "name from")]
    rows += [(model.name, str(each.version), each.state, model.source) for model in found for each in model.versions]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    if found:
        for row in rows:
            padded = [cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True)]
            click.echo("  ".join([*padded, row[3]]))
    if unknown:
        click.echo(f"The server does not have: {', '.join(unknown)}", err=True)
