"""The subcommand `hubserve compare`: from the options to the verdict."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path

import click

from hubserve import Client, Retry, UsageError

from ..bulk import sources
from ..common.exit_codes import DIFFERENT, WrongUsageError
from ..common.interrupts import Signals, Stopped, require_signals
from ..common.local_server import Served
from ..common.options import FiniteFloat, Security, json_option, security_options, timeout_option
from ..common.terminal import draws, write_over
from .asking import SideError, ask
from .findings import Findings
from .pairs import Pair
from .rules import Rules
from .sides import Side, running
from .tally import Tally

_RETRY = Retry(max_seconds=60)
_SHRINK = click.Choice(["a", "b"])
_MOST_DIFFERENCES = 1_000
_SIGNALLED = 128


class _Share(click.ParamType):  # type: ignore[type-arg]
    """A share of the images: `1%` or `0.01`."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the share."""
        if isinstance(value, float):
            return value
        text = str(value)
        try:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share < 1:
            self.fail(f"{text!r} is not a share from 0% to less than 100%, such as 1% or 0.01.", param, ctx)
        return share


@click.command()
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.argument("source", nargs=-1, required=True, type=click.Path(path_type=str))
@click.option("--model", envvar="HUBSERVE_MODEL", metavar="NAME", help="Name of the model where A or B has none.")
@click.option(
    "--max-flips",
    type=_Share(),
    default="1%",
    show_default=True,
    metavar="SHARE",
    help="Share of the images whose best class may be another one.",
)
@click.option(
    "--tie",
    type=FiniteFloat(min=0),
    default=0.01,
    show_default=True,
    metavar="SCORE",
    help="Two classes are as good as each other if their scores in A differ by no more.",
)
@click.option(
    "--max-shift",
    type=FiniteFloat(min=0),
    default=0.05,
    show_default=True,
    metavar="SCORE",
    help="Distance that the score of A's best class may move.",
)
@click.option(
    "--max-shifted",
    type=_Share(),
    default="5%",
    show_default=True,
    metavar="SHARE",
    help="Share of the images whose score may move farther than --max-shift.",
)
@click.option(
    "--max-lost",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Number of images that A classifies and that may fail in B.",
)
@click.option(
    "--max-slowdown",
    type=FiniteFloat(min=1),
    default=1.5,
    show_default=True,
    metavar="TIMES",
    help="Latency that a request may have in B, as a multiple of its latency in A.",
)
@click.option("--any-class-ids", is_flag=True, help="Accept other class ids for the same labels.")
@click.option(
    "--confidence",
    type=FiniteFloat(min=50, max=100, min_open=False, max_open=True),
    default=95.0,
    show_default=True,
    metavar="PERCENT",
    help="Confidence with which a share must be shown to be too large.",
)
@click.option("--strict", is_flag=True, help="Fail too if the images are too few to show that a share is small enough.")
@click.option(
    "--top-k", type=click.IntRange(min=1), metavar="K", help="Number of classes of each image.  [default: all]"
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    metavar="N",
    help="Most images in a request. Each request is one comparison of latencies.",
)
@timeout_option("Seconds that a server has for a request.")
@click.option(
    "--shrink",
    type=_SHRINK,
    multiple=True,
    metavar="[a|b]",
    help="Make large JPEG files smaller before they are sent to A or to B. May be repeated.",
)
@click.option("--convert", is_flag=True, help="Convert HEIC, AVIF, TIFF, JPEG 2000, PNM and RAW files for both sides.")
@click.option("--serve-a", metavar="OPTIONS", default="", help="More options of hubserve serve, for the folder A.")
@click.option(
    "--serve-b",
    metavar="OPTIONS",
    default="",
    help="The same for B, such as '--session-config bfloat16-cpu'.",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="HTML file to write: a page with the differences and their thumbnails. Needs Pillow.",
)
@json_option
@security_options
def compare(
    a: str,
    b: str,
    source: tuple[str, ...],
    model: str | None,
    max_flips: float,
    tie: float,
    max_shift: float,
    max_shifted: float,
    max_lost: int,
    max_slowdown: float,
    any_class_ids: bool,
    confidence: float,
    strict: bool,
    top_k: int | None,
    batch_size: int,
    timeout: float,
    shrink: tuple[str, ...],
    convert: bool,
    serve_a: str,
    serve_b: str,
    html: Path | None,
    as_json: bool,
    security: Security,
) -> None:
    """Compare two models on your own images.

    A is what you have, B is what you want to use in its place. Each is HOST:PORT/MODEL or a model directory, also with
    @VERSION. A model directory is served on this machine while the command runs. SOURCE is as for hubserve classify.

    A share counts as too large if the images show it with --confidence, by the exact binomial test.

    \b
    The command ends with
      0    B answers as A does, within the rules
      1    a server did not answer, or no image was classified by both
      2    wrong usage
      4    B differs from A
      130  Ctrl-C ended the comparison (143: SIGTERM)

    \b
    Example:
      hubserve compare localhost:8500/lite0 localhost:8501/lite0 photographs/ --html compare.html
      hubserve compare models/lite0@1 models/lite0@2 photographs/
    """
    require_signals()
    sides = [_side(letter, text, model) for letter, text in (("A", a), ("B", b))]
    extra = [_options(name, text, side) for name, text, side in zip(("a", "b"), (serve_a, serve_b), sides, strict=True)]
    choice = sources.Choice(convert=convert)
    images = sources.find(source, choice=choice)
    rules = Rules(
        max_flips=max_flips,
        tie=tie,
        max_shift=max_shift,
        max_shifted=max_shifted,
        max_lost=max_lost,
        max_slowdown=max_slowdown,
        other_ids=any_class_ids,
        confidence=confidence / 100,
        strict=strict,
    )
    page = None
    if html is not None:
        from .compare_page import ComparePage

        page = ComparePage(html)
    tally = Tally(rules)
    differences: list[Pair] = []
    with Signals(), ExitStack() as stack:
        try:
            up = [stack.enter_context(running(side, more)) for side, more in zip(sides, extra, strict=True)]
            clients = [
                stack.enter_context(
                    _client(side, where, security, timeout, batch_size, shrink=letter in shrink, convert=convert)
                )
                for letter, side, where in zip("ab", sides, up, strict=True)
            ]
            for asked in ask(clients[0], clients[1], images, top_k=top_k, at_once=batch_size):
                for pair, image in asked.pairs:
                    flip = tally.add(pair) and pair.both
                    if (flip or pair.lost or pair.gained) and len(differences) < _MOST_DIFFERENCES:
                        differences.append(pair)
                    if page is not None:
                        page.add(pair, image, flip=flip)
                if asked.seconds is not None:
                    tally.add_request(*asked.seconds)
                _show(f"{tally.images:,} images compared, {tally.flips:,} with another best class")
        except SideError as error:
            _show("")
            raise click.ClickException(f"{error} ({tally.images:,} images were compared until then)") from error
        except Stopped as stopped:
            _show("")
            click.echo(
                f"Error: stopped by {stopped}: {tally.images:,} images were compared, and there is no verdict", err=True
            )
            raise click.exceptions.Exit(_SIGNALLED + stopped.number) from None
    _show("")
    if not tally.both and not (tally.lost or tally.gained):
        raise click.ClickException(
            f"neither side classified any of the {tally.images:,} images: there is nothing to compare"
        )
    findings = Findings(
        sides=list(zip(sides, up, strict=True)),
        tally=tally,
        rules=rules,
        checks=tally.checks(),
        differences=differences,
        left_out=list(choice.left_out.lines()),
    )
    if page is not None:
        page.write(findings)
    if as_json:
        click.echo(json.dumps(findings.document(), ensure_ascii=False, allow_nan=False))
    else:
        for line in findings.lines():
            click.echo(line)
        if html is not None:
            click.echo(f"The page: {html}")
    if not findings.passed:
        raise click.exceptions.Exit(DIFFERENT)


def _side(letter: str, text: str, model: str | None) -> Side:
    try:
        return Side.parse(text, model)
    except ValueError as error:
        raise WrongUsageError(f"{letter} is {error}") from error


def _options(letter: str, text: str, side: Side) -> list[str]:
    try:
        options = shlex.split(text)
    except ValueError as error:
        raise WrongUsageError(f"--serve-{letter} {text!r} cannot be split into options ({error})") from error
    if options and side.folder is None:
        raise WrongUsageError(
            f"--serve-{letter} is for a model directory, and {side.name} is a server that runs already"
        )
    return options


def _client(
    side: Side, where: Served, security: Security, timeout: float, batch_size: int, *, shrink: bool, convert: bool
) -> Client:
    known = security if side.folder is None else Security(tls=None, token=None, allow_plaintext_token=False)
    try:
        return Client(
            where.target,
            model=where.model,
            # A folder's version is the only one that is served.
            version=side.version if side.folder is None else None,
            version_label=side.version_label,
            timeout=timeout,
            retry=_RETRY,
            max_batch_size=batch_size,
            concurrency=1,
            shrink=shrink,
            convert=convert,
            **known,
        )
    except UsageError as error:
        raise WrongUsageError(str(error)) from error


def _show(progress: str) -> None:
    if draws(sys.stderr):
        write_over(sys.stderr, progress)
