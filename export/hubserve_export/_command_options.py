"""Options of `hubserve export` for preprocessing and for scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from hubserve_cli.common.options import FiniteFloat

from ._options import ACTIVATIONS
from ._preprocessing import CHANNELS, DEFAULT_MAX_PIXELS, DEVICES, DTYPES, INTERPOLATIONS, LAYOUTS, PRESETS, RESIZES

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _numbers(_context: click.Context, _option: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Parse "0.485,0.456,0.406"."""
    if value is None:
        return None
    try:
        numbers = tuple(map(float, value.split(",")))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} must be numbers with commas between them, such as 0,255") from error
    if not all(map(math.isfinite, numbers)):
        raise click.BadParameter(f"{value!r} must be finite numbers, such as 0,255")
    return numbers


def _pixel_range(context: click.Context, option: click.Parameter, value: str | None) -> tuple[float, ...] | None:
    """Parse "0,255": black and white."""
    numbers = _numbers(context, option, value)
    if numbers is not None and len(numbers) != 2:
        raise click.BadParameter(f"{value!r} must be two numbers with a comma between them, such as 0,255")
    if numbers is not None and not numbers[0] < numbers[1]:
        raise click.BadParameter(f"{value!r} must ascend: first what black is, then what white is, such as -1,1")
    return numbers


def _color(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, ...] | None:
    """Parse "114,114,114"."""
    numbers = _numbers(context, option, value)
    if numbers is not None and (len(numbers) != 3 or any(n != int(n) or not 0 <= n <= 255 for n in numbers)):
        raise click.BadParameter(f"{value!r} must be red, green and blue from 0 to 255, such as 114,114,114")
    return None if numbers is None else tuple(map(int, numbers))


PREPROCESSING = (
    click.option(
        "--preprocessing",
        metavar="NAME|FILE",
        help=f"Numbers that the model takes: {', '.join(PRESETS)}, or a JSON file that describes all of the "
        "preprocessing.  [default: found from the model, or by trial on photographs]",
    ),
    click.option(
        "--pixel-range",
        callback=_pixel_range,
        metavar="LOW,HIGH",
        help="Values that black and white become, such as 0,1 or 0,255 or -1,1.  [default: found]",
    ),
    click.option(
        "--mean",
        callback=_numbers,
        metavar="NUMBERS",
        help="Value to subtract from pixels in --pixel-range: one number, or one for each channel.",
    ),
    click.option(
        "--std",
        callback=_numbers,
        metavar="NUMBERS",
        help="Value to divide pixels by after --mean: one number, or one for each channel.",
    ),
    click.option(
        "--channels",
        type=click.Choice(CHANNELS),
        help="Channels of the model's input, in their order.  [default: found]",
    ),
    click.option(
        "--resize",
        type=click.Choice(RESIZES),
        help="Way to bring an image to the model's size.  [default: found, else stretch]",
    ),
    click.option(
        "--pad-color",
        callback=_color,
        metavar="R,G,B",
        help="Colour of the bars that --resize pad adds.  [default: 0,0,0]",
    ),
    click.option(
        "--interpolation",
        type=click.Choice(INTERPOLATIONS),
        help="Filter of the resize.  [default: found, else bilinear]",
    ),
    click.option(
        "--antialias/--no-antialias",
        default=None,
        help="Widen the filter when an image becomes smaller, so that every pixel counts.  [default: found, "
        "else --antialias]",
    ),
    click.option(
        "--crop-fraction",
        metavar="FRACTION",
        type=FiniteFloat(min=0, max=1, min_open=True),
        help="Share of each side to use, around the centre of the image.  [default: found, else 1]",
    ),
    click.option(
        "--input-dtype", type=click.Choice(DTYPES), help="Check that the model's input has this type.  [default: any]"
    ),
    click.option(
        "--layout", type=click.Choice(LAYOUTS), help="Check that the model's input has this layout.  [default: any]"
    ),
    click.option(
        "--max-pixels",
        metavar="N",
        type=click.IntRange(min=1),
        help=f"Most pixels of an image. A larger one is answered with status 2.  [default: {DEFAULT_MAX_PIXELS}]",
    ),
    click.option(
        "--resize-on",
        type=click.Choice(DEVICES),
        help="Device that resizes images. With accelerator, the CPU only decodes, and the model's device resizes with "
        "the same result. Not measured on a GPU yet.  [default: cpu]",
    ),
)

QUALITY = (
    click.option(
        "--activation",
        type=click.Choice(ACTIVATIONS),
        default="auto",
        show_default=True,
        help="Function that makes scores of the model's numbers: softmax for classes that exclude each other, "
        "sigmoid for one unit or for independent labels, none to answer the numbers as they are. A "
        "function that is in the model is not applied again.",
    ),
    click.option(
        "--threshold",
        type=FiniteFloat(min=0, max=1),
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
        type=FiniteFloat(min=0, max=1),
        metavar="SHARE",
        help="Share of the examples that must be right, such as 0.9. Below it, nothing is published.",
    ),
    click.option("--strict", is_flag=True, help="Make every warning an error. Nothing is published then."),
)


def options(group: Sequence[Callable[[_Command], _Command]], *, section: str) -> Callable[[_Command], _Command]:
    """Add a group of options to a command, in their order; `hubserve --help` lists them below the title `section`."""

    def added(command: _Command) -> _Command:
        for option in reversed(group):
            command = option(command)
            command.__click_params__[-1].section = section  # type: ignore[attr-defined]
        return command

    return added
