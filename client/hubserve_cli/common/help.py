"""Help texts with sections of options, and suggestions for mistyped names."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

import click

_Command = TypeVar("_Command", bound=click.Command)

# Options without a section come first, and these sections last.
_FIRST = "Options"
_LAST = ("TLS and token", "Other options")
_WRONG_CHOICE = re.compile(r"'(?P<given>.*)' is not one of ", re.DOTALL)


def sections(**names: tuple[str, ...]) -> Callable[[_Command], _Command]:
    """Set the section of a command's options: `@sections(Results=("top_k", "html"))` above `@click.command()`.

    A section's name has `_` where its title has a blank. Other parts of hubserve set the attribute `section` of an
    option themselves.
    """

    def put(command: _Command) -> _Command:
        title = {option: name.replace("_", " ") for name, options in names.items() for option in options}
        for parameter in command.params:
            if parameter.name in title:
                vars(parameter)["section"] = title[parameter.name]
        order = [_FIRST, *dict.fromkeys(title.values()), *_LAST]
        command.params.sort(key=lambda parameter: order.index(getattr(parameter, "section", _FIRST)))
        return command

    return put


def in_sections(command: _Command) -> _Command:
    """Make a command's `--help` list the options of each section below its title."""
    command.format_options = functools.partial(_write_options, command)  # type: ignore[method-assign]
    return command


def _write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    found: dict[str, list[tuple[str, str]]] = {_FIRST: []}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None and not isinstance(parameter, click.Argument):
            help_option = "--help" in parameter.opts
            section = "Other options" if help_option else getattr(parameter, "section", _FIRST)
            found.setdefault(section, []).append(record)
    if list(found) == [_FIRST, "Other options"]:
        found[_FIRST] += found.pop("Other options")
    for title in sorted(found, key=lambda title: _LAST.index(title) + 1 if title in _LAST else 0):
        if found[title]:
            with formatter.section(title):
                formatter.write_dl(found[title])


def did_you_mean(given: str, names: Iterable[str]) -> str:
    """Return ` Did you mean ...?` with the names that are close to a given one; empty if none is close."""
    near = difflib.get_close_matches(given, list(names))
    return f" Did you mean {' or '.join(map(repr, near))}?" if near else ""


def with_near_choice(error: click.BadParameter) -> click.BadParameter:
    """Add the closest choice to the error about a value that is not one of an option's choices."""
    kind = getattr(error.param, "type", None)
    found = _WRONG_CHOICE.match(error.message)
    if isinstance(kind, click.Choice) and found:
        message = error.message + did_you_mean(found["given"], map(str, kind.choices))
        return click.BadParameter(message, error.ctx, error.param, error.param_hint)
    return error
