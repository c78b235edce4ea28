"""The subcommand `hubserve bench`, from the options to the report."""

from __future__ import annotations

import gc
import json
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hubserve import HubserveError, UsageError
from hubserve.internals import ClientSettings, ModelServer
from hubserve_cli.bulk import sources
from hubserve_cli.common.exit_codes import WrongUsageError
from hubserve_cli.common.files import replaced
from hubserve_cli.common.help import sections
from hubserve_cli.common.interrupts import StopRequest
from hubserve_cli.common.numbers import duration as in_words_of_time
from hubserve_cli.common.options import FiniteFloat, Seconds, Server, json_option, server_options, timeout_option
from hubserve_cli.common.terminal import bar, draws, write_over

from . import chart, drive, machine, measurements, table
from .arrivals import Closed, Limits, Load, Open, Point, sweep
from .plans import Plan, Seek, Sweep
from .promise import Promise

if TYPE_CHECKING:
    from .subject import Wish

_SECONDS = 10.0
_SLO_SECONDS = 60.0
# The largest allowed rate, number of rows, and number of requests in flight: machines do not reach it.
_LARGEST = 1_000_000
_CONCURRENCIES = (1, 2, 4, 8, 16)


def _numbers(
    kind: Callable[[str], float], least: float = 1
) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """Return an option's callback that reads a list such as `1,2,4`, of numbers from `least` to a million."""

    def read(_: click.Context, __: click.Parameter, text: str | None) -> tuple[float, ...] | None:
        if text is None:
            return None
        try:
            numbers = tuple(kind(part) for part in text.split(","))
        except ValueError:
            numbers = ()
        if not numbers or not all(least <= number <= _LARGEST for number in numbers):
            raise click.BadParameter(f"{text!r} is not a list of numbers from {least} to {_LARGEST}, such as 1,2,4")
        return numbers

    return read


@sections(
    Load=("batch_size", "concurrency", "rate", "arrivals", "duration", "requests", "warmup", "timeout", "seed"),
    Requests=("signature", "images", "shape"),
    Report=("as_json", "svg"),
)
@click.command(short_help="Measure latency and throughput under load.")
@server_options
@click.option("--signature", metavar="NAME", help="Signature to call.  [default: serving_default]")
@click.option(
    "--images",
    multiple=True,
    metavar="SOURCE",
    help="Images to send, named like the SOURCE of hubserve classify. May be repeated.  [default: one "
    "photograph of 28 kB]",
)
@click.option(
    "--shape",
    multiple=True,
    metavar="[INPUT=]SIZES",
    help="Sizes that the model leaves open, without the batch's, such as 224,224,3. May be repeated.",
)
@click.option(
    "--batch-size",
    callback=_numbers(int),
    default="1",
    show_default=True,
    metavar="N,...",
    help="Number of rows in a request.",
)
@click.option(
    "--concurrency",
    callback=_numbers(int),
    metavar="N,...",
    help="Number of requests that a closed loop keeps in flight.  [default: 1,2,4,8,16]",
)
@click.option(
    "--rate",
    callback=_numbers(float, 0.001),
    metavar="R,...",
    help="Requests that are due in a second in an open loop, whether the server keeps up or not.",
)
@click.option(
    "--slo",
    callback=lambda _, __, text: _promise(text),
    metavar="pN=TIME",
    help="Promise to keep, such as p99=200ms. Finds the highest rate in an open loop that keeps it.",
)
@click.option(
    "--peak",
    type=FiniteFloat(min=0, min_open=True, max=_LARGEST),
    metavar="R",
    help="Requests a second that you expect. With --slo, bench prints how many replicas this load needs.",
)
@click.option(
    "--arrivals",
    type=click.Choice(["poisson", "uniform"]),
    default="poisson",
    show_default=True,
    help="Times of the requests of an open loop: at random, as from many callers, or at equal intervals.",
)
@click.option(
    "--duration",
    type=Seconds(),
    metavar="SECONDS",
    help="Seconds to measure each point, or of the whole search with --slo.  [default: 10; 60 with --slo]",
)
@click.option(
    "--requests",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most requests to measure at each point.  [default: no limit]",
)
@click.option(
    "--warmup",
    type=Seconds(zero=True),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds to warm up before each point.",
)
@timeout_option("Seconds that a request may take, counted from when it is due.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything that is random."
)
@json_option
@click.option(
    "--svg",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="File to draw a chart into, as SVG.",
)
def bench(
    server: Server,
    signature: str | None,
    images: tuple[str, ...],
    shape: tuple[str, ...],
    batch_size: tuple[int, ...],
    concurrency: tuple[int, ...] | None,
    rate: tuple[float, ...] | None,
    slo: Promise | None,
    peak: float | None,
    arrivals: str,
    duration: float | None,
    requests: int | None,
    warmup: float,
    timeout: float,
    seed: int,
    as_json: bool,
    svg: Path | None,
) -> None:
    """Measure a model's latency and throughput under load.

    The model may be any model on TensorFlow Serving: requests are made from its metadata. Every batch size is measured
    with every load, each after a warm-up. No request is retried. A failure is counted by its code, and is part of the
    percentiles.

    Latency is counted from when a request was due. Only an open loop (--rate) shows what callers meet while a server
    stalls. Ctrl-C ends the measurement and keeps its results. With --json, the table goes to standard error. The
    command ends with 0 when any request was answered, 1 when none was, 2 on wrong usage.

    \b
    Example:
      hubserve bench --server localhost:8500 --model lite0 --batch-size 1,8 --concurrency 1,4,16
      hubserve bench --server localhost:8500 --model lite0 --rate 10,20,40 --svg lite0.svg
      hubserve bench --server localhost:8500 --model lite0 --slo p99=200ms --peak 500
    """
    if slo is not None:
        _check_alone(concurrency=concurrency, rate=rate, requests=requests, batch_size=batch_size)
        duration = duration or _SLO_SECONDS
    elif peak is not None:
        raise click.UsageError("--peak is the load that a promise must be kept at: give it with --slo.")
    if rate is not None and concurrency is not None:
        raise click.UsageError("--rate (open loop) and --concurrency (closed loop) exclude each other: give one.")
    if duration is None and requests is None:
        duration = _SECONDS
    loads: list[Load] = [Closed(number) for number in concurrency or _CONCURRENCIES]
    if rate is not None:
        loads = [Open(number, arrivals == "poisson", seed) for number in rate]
    if svg is not None and not svg.parent.is_dir():
        raise WrongUsageError(f"--svg {svg}: there is no folder {svg.parent}; make it, or name another")
    # This imports numpy, which --help should not wait for.
    from .subject import Wish

    stop = StopRequest()
    wish = Wish(
        signature=signature,
        shapes=shape,
        images=sources.find(images) if images else None,
        images_from=" ".join(images) or "the photograph that comes with hubserve",
        batch_sizes=batch_size,
        seed=seed,
    )
    limits = Limits(warmup=warmup, duration=duration, requests=requests, timeout=timeout)
    try:
        settings = ClientSettings(
            **server,
            timeout=timeout,
            # A failure is a measurement, not a reason for a retry.
            retry=None,
            max_batch_size=max(batch_size),
            max_batch_bytes=1,
            concurrency=1,
        )
        if slo is None:
            plan: Plan = Sweep(sweep(batch_size, loads), limits)
            load = measurements.load_section(loads[0], limits, seed)
        else:
            # It says only how requests come; each try has a rate of its own.
            open_loop = Open(1.0, arrivals == "poisson", seed)
            plan = Seek(
                slo,
                duration or _SLO_SECONDS,
                batch_size=batch_size[0],
                limits=limits,
                poisson=open_loop.poisson,
                seed=seed,
            )
            load = {**measurements.load_section(open_loop, limits, seed), "search": str(slo)}
        document = _measure(settings, wish, plan, load, stop, peak=peak, to_stderr=as_json)
    except UsageError as error:
        raise WrongUsageError(str(error)) from error
    except HubserveError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False))
    if svg is not None:
        _write(svg, chart.draw(document))
    if stop.signal is not None:
        raise click.exceptions.Exit(128 + stop.signal)
    if not measurements.worked(document["points"]) or (slo and document["slo"]["requests_per_s"] is None):
        raise click.exceptions.Exit(1)


def _measure(
    settings: ClientSettings,
    wish: Wish,
    plan: Plan,
    load: dict[str, Any],
    stop: StopRequest,
    *,
    peak: float | None,
    to_stderr: bool,
) -> dict[str, Any]:
    """Measure one point after another, and print each result at once."""
    from .subject import prepare

    def say(line: str = "") -> None:
        click.echo(line, err=to_stderr)

    with closing(ModelServer(settings, settings.contact())) as server:
        subject = prepare(server, settings, wish)
        document: dict[str, Any] = {
            "format": measurements.FORMAT,
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "command": shlex.join(["hubserve", *sys.argv[1:]]),
            "machine": machine.facts(),
            "server": subject.server,
            "inputs": subject.inputs,
            "images": subject.images,
            "rows": subject.rows,
            "load": load,
            "remarks": subject.remarks,
            "interrupted": False,
            "points": [],
        }
        for line in table.subject(document, plan.about()):
            say(line)
        say()
        for line in table.header(document):
            say(line)
        # Exclude existing objects from garbage collection, so that it does not disturb the measurement.
        gc.collect()
        gc.freeze()
        with stop.taken():
            while (step := plan.next()) is not None:
                point, limits = step
                _show(_progress(plan, point))
                began = time.monotonic()
                measured = drive.drive(point, limits, subject.payloads[point.batch_size], server, stop)
                plan.add(measured, time.monotonic() - began)
                section = measurements.point_section(measured, document["machine"]["cores"], here=_is_here(settings))
                _show("")
                if isinstance(plan, Sweep) or section["rate"] is not None:
                    document["points"].append(section)
                    say(table.row(section))
                if measured.interrupted:
                    document["interrupted"] = True
                    break
    say()
    for line in table.conclusions(document):
        say(line)
    if isinstance(plan, Seek):
        target = settings.target
        document["slo"] = plan.found(1 if isinstance(target, str) else len(set(target)), peak)
        say()
        for line in plan.lines(document["slo"], document["rows"]):
            say(line)
    return document


def _progress(plan: Plan, point: Point) -> str:
    """Return the line about the point that is measured, with the time left where it is known."""
    done, seconds = plan.done()
    left = f", {in_words_of_time(seconds)} left" if seconds is not None else ""
    return f"{bar(done, sys.stderr)}  {table.point_name(point)}{left}"


def _promise(text: str | None) -> Promise | None:
    if text is None:
        return None
    try:
        return Promise.parse(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from error


def _check_alone(*, batch_size: tuple[int, ...], **others: object) -> None:
    """Refuse options that say themselves what a search is to find.

    Raises:
        click.UsageError: One is given.
    """
    for name, value in others.items():
        if value is not None:
            raise click.UsageError(f"--slo finds the load itself: give it without --{name}.")
    if len(batch_size) > 1:
        raise click.UsageError("--slo measures one --batch-size: give one number.")


def _show(progress: str) -> None:
    if draws(sys.stderr):
        write_over(sys.stderr, progress)


def _is_here(settings: ClientSettings) -> bool:
    return any(name in settings.target_in_words() for name in ("localhost", "127.0.0.1", "[::1]", "unix:"))


def _write(file: Path, text: str) -> None:
    try:
        with replaced(file) as new:
            new.write(text.encode())
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written ({error.strerror}): give --svg another place") from error
