"""The subcommand `hubserve completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command(short_help="Print the completion script for a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script with which SHELL completes hubserve's subcommands, options and files.

    Put it where the shell looks for completions, and start a new shell:

    \b
    Example:
      hubserve completion bash > ~/.local/share/bash-completion/completions/hubserve
      hubserve completion zsh > "${fpath[1]}/_hubserve"
      hubserve completion fish > ~/.config/fish/completions/hubserve.fish
    """
    group = context.find_root().command
    made = get_completion_class(shell)
    assert made is not None  # noqa: S101 - click knows these three
    click.echo(made(group, {}, "hubserve", "_HUBSERVE_COMPLETE").source())
