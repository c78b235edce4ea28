"""The group of all subcommands, each loaded only when it is called."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any

import click

from hubserve import __version__

from .common import exit_codes
from .common.terminal import color

_OWN = {
    "status": "hubserve_cli.status:status",
    "classify": "hubserve_cli.classify:classify",
    "demo": "hubserve_cli.demo:demo",
    "completion": "hubserve_cli.completion:completion",
}
# In the order in which the data flows.
_ORDER = ("models", "export", "inspect", "serve", "manifests", "status", "classify", "bench", "demo", "completion")


class _Parts(click.Group):
    """Finds subcommands by name: the client's own, and those that the other parts announce as entry points.

    Going by entry points keeps the arrow between the parts: the client knows no other part's modules.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        found = {*_OWN, *(entry.name for entry in entry_points(group="hubserve.commands"))}
        return sorted(found, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name in _OWN:
            module, _, attribute = _OWN[cmd_name].partition(":")
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        for entry in entry_points(group="hubserve.commands", name=cmd_name):
            loaded: click.Command = entry.load()
            return loaded
        return None

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
        with exit_codes.in_order():
            return super().invoke(ctx)


@click.group(cls=_Parts, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="hubserve")
def main() -> None:
    """Take an image model from TensorFlow Hub to TensorFlow Serving, and classify images with it.

    \b
    Example, from nothing to labelled photographs:
      hubserve export efficientnet-lite0 --output models/lite0
      hubserve serve models/lite0
      hubserve classify photographs/ --server localhost:8500 --model lite0
    """
