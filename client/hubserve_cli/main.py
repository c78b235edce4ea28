"""The group of all subcommands, each loaded only when it is called."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

import click

from hubserve import __version__

from .common import exit_codes
from .common.help import did_you_mean, in_sections, with_near_choice
from .common.terminal import color

_OWN = {
    # It also lists the models of a server; those of the hub are in the command that the export announces.
    "models": "hubserve_cli.models:models",
    "status": "hubserve_cli.status:status",
    "classify": "hubserve_cli.classify:classify",
    "compare": "hubserve_cli.compare.command:compare",
    "demo": "hubserve_cli.demo:demo",
    "doctor": "hubserve_cli.doctor:doctor",
    "completion": "hubserve_cli.completion:completion",
}
# In the order of the work.
_SECTIONS = {
    "Prepare a model": ("models", "export", "inspect"),
    "Serve it": ("serve", "manifests"),
    "Call a server": ("classify", "status", "bench", "compare"),
    "Help": ("demo", "doctor", "completion"),
}
_ORDER = tuple(itertools.chain.from_iterable(_SECTIONS.values()))
_OTHERS = "Other commands"
# All summaries begin in the same column, and end before column 80.
_NAME_WIDTH = max(map(len, _ORDER))
_SUMMARY_WIDTH = 64


class _Parts(click.Group):
    """Find subcommands by name: those of the client, and those that other parts announce as entry points.

    With entry points, the client does not import the modules of other parts.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        found = {*_OWN, *(entry.name for entry in entry_points(group="hubserve.commands"))}
        return sorted(found, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in _OWN:
            module, _, attribute = _OWN[cmd_name].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return in_sections(command)
        for entry in entry_points(group="hubserve.commands", name=cmd_name):
            loaded: click.Command = entry.load()
            return in_sections(loaded)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            near = did_you_mean(args[0], self.list_commands(ctx))
            ctx.fail(f"No such command {args[0]!r}.{near}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            assert command is not None  # noqa: S101 - it is listed
            title = next((title for title, names in _SECTIONS.items() if name in names), _OTHERS)
            rows.setdefault(title, []).append((f"{name:{_NAME_WIDTH}}", command.get_short_help_str(_SUMMARY_WIDTH)))
        for title, found in rows.items():
            with formatter.section(title):
                formatter.write_dl(found)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,  # noqa: ARG002 - `python -m hubserve` is the same command
        complete_var: str | None = None,  # noqa: ARG002
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        extra.setdefault("color", color())
        return super().main(args, "hubserve", "_HUBSERVE_COMPLETE", standalone_mode, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with exit_codes.in_order(debug=ctx.params["debug"]):
            try:
                return super().invoke(ctx)
            except click.BadParameter as error:
                raise with_near_choice(error)  # noqa: B904 - it is the same error


@click.group(cls=_Parts, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--debug",
    is_flag=True,
    envvar="HUBSERVE_DEBUG",
    show_envvar=True,
    help="Show the traceback of an error, with gRPC's own.",
)
@click.version_option(__version__, prog_name="hubserve")
def main(debug: bool) -> None:
    """Take an image model from TensorFlow Hub to TensorFlow Serving, and classify images with it.

    \b
    Example, with a server that runs on this machine:
      hubserve classify photographs/ --server localhost:8500 --model lite0

    \b
    Example, from a saved model to labelled photographs (needs the extras export and serve):
      hubserve export my-model.keras --labels labels.txt --output models/mine
      hubserve serve models/mine
      hubserve classify photographs/ --server localhost:8500 --model mine

    HUBSERVE_SERVER and HUBSERVE_MODEL stand for --server and --model. `hubserve doctor` shows what is missing on this
    machine.
    """
