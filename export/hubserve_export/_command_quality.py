"""Options of `hubserve export` about what scores mean and how good they are, and the lines that tell of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hubserve_model.inspect import described_head

if TYPE_CHECKING:
    from ._export import Published

_ACTIVATIONS = ("auto", "softmax", "sigmoid", "none")

_OPTIONS = (
    click.option(
        "--activation",
        type=click.Choice(_ACTIVATIONS),
        default="auto",
        show_default=True,
        help="Function that makes scores of the model's numbers: softmax for classes that exclude each other, "
        "sigmoid for one unit or for independent labels, none to answer the numbers as they are. A "
        "function that is in the model is not applied again.",
    ),
    click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        metavar="SCORE",
        help="Score from which an independent label counts. The manifest keeps it for programs that read it.",
    ),
    click.option(
        "--examples",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Folder with a folder of images for each label. The accuracy of the exported model on them is measured.",
    ),
    click.option(
        "--min-accuracy",
        type=click.FloatRange(0, 1),
        metavar="SHARE",
        help="Share of the examples that must be right, such as 0.9. Below it, nothing is published.",
    ),
    click.option("--strict", is_flag=True, help="Make every warning an error. Nothing is published then."),
)


def quality_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def lines(published: Published) -> Iterator[str]:
    """Tell what a classifier's numbers are, and how often it was right."""
    head = published.head
    if head is not None:
        yield f"Head: {described_head(head.described())}"
    if published.accuracy is not None:
        yield f"Examples: {published.accuracy.described()}"
