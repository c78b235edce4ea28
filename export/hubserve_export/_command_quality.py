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
        help="What makes scores of the model's numbers: softmax for classes that exclude each other, sigmoid for one "
        "unit or independent labels, none to answer the numbers as they are. It is not applied twice.",
    ),
    click.option(
        "--threshold",
        type=click.FloatRange(0, 1),
        metavar="SCORE",
        help="The score from which an independent label counts, for whoever reads the manifest.",
    ),
    click.option(
        "--examples",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Images whose class is known, in a folder for each label: measure the accuracy of the exported model.",
    ),
    click.option(
        "--min-accuracy",
        type=click.FloatRange(0, 1),
        metavar="SHARE",
        help="Publish nothing where fewer of the examples are right, such as 0.9.",
    ),
    click.option("--strict", is_flag=True, help="Make every warning an error, and publish nothing then."),
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
