"""The subcommand `hubserve models`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import click

from .module_table import Module, modules, similar


@click.command(short_help="List image models of TensorFlow Hub and Kaggle Models.")
@click.argument("words", nargs=-1)
@click.option("--kind", type=click.Choice(["classification", "feature_vector"]), help="Kind of the modules to list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
def models(words: tuple[str, ...], kind: str | None, as_json: bool) -> None:
    """List the image modules of TensorFlow Hub and Kaggle Models, or those whose names have all WORDS.

    The list is the hub's public index. It comes with hubserve, so the command needs no network. The hub may no longer
    have some of the modules. A name on Kaggle with a question mark was not seen there: it follows from the names of its
    family.

    \b
    Example:
      hubserve models pnasnet
      hubserve models mobilenet 224 --kind feature_vector --json
    """
    found = [module for module in modules() if kind in (None, module.kind) and _has(module, words)]
    if not found and not as_json:
        near = similar("/".join(words)) if words else ()
        raise click.ClickException(
            f"no module has {' and '.join(words) or kind} in its names"
            f"{'; did you mean ' + ', '.join(near) + '?' if near else '; give fewer or shorter words'}"
        )
    click.echo(json.dumps([_described(module) for module in found], indent=2) if as_json else "\n".join(_lines(found)))


def _has(module: Module, words: Sequence[str]) -> bool:
    """Tell whether each word is in one of the module's names; hyphens and underscores are the same."""
    names = f"{module.path} {module.kaggle or ''}".lower().replace("_", "-")
    return all(word.lower().replace("_", "-") in names for word in words)


def _described(module: Module) -> dict[str, Any]:
    twin = module.on_kaggle(module.newest.version)
    return {
        "handle": str(module.newest),
        "kaggle": None if twin is None else str(twin),
        "kaggle_name_from": module.twin,
        "kind": module.kind,
        "versions": module.versions,
        "tensorflow_1_versions": module.tf1,
        "image_size": module.size,
        "preprocessing": module.pixels,
        "classes": module.classes,
        "background": module.background,
    }


def _lines(found: Sequence[Module]) -> Iterator[str]:
    """Write a table with a line for each module. The name on Kaggle comes last, because it is long."""
    rows = [("handle", "kind", "size", "pixels", "classes", "Kaggle Models")]
    for module in found:
        twin = module.on_kaggle(module.newest.version)
        rows.append(
            (
                str(module.newest),
                module.kind,
                str(module.size or "any"),
                module.pixels or "?",
                str(module.classes or ("?" if module.kind == "classification" else "")),
                "" if twin is None else f"{twin}{'?' if module.twin == 'rule' else ''}",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row[:5], widths, strict=True)), row[5]]).rstrip()
