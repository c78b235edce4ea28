"""The subcommand `hubserve classify`: it finds images, sends them, and writes a record for each."""

from __future__ import annotations

import functools
import os
import sys
from pathlib import Path
from typing import Literal

import click

from hubserve import Client, Retry, UsageError
from hubserve.internals import is_url

from .bulk import classify_all, output, records, shards, sources
from .bulk.classify_all import Sink
from .bulk.dry_run import dry_run as shown_only
from .bulk.outcomes import resuming, told
from .bulk.progress import progress
from .bulk.rows import Table
from .bulk.summary import Summary
from .bulk.threshold import AtLeast
from .common.browser import open_page
from .common.help import sections
from .common.interrupts import Signals, require_signals
from .common.options import FiniteFloat, Server, server_options, timeout_option
from .common.terminal import color, columns

# A new pod with a GPU takes minutes: its node, its image and its model have to be loaded.
_RETRY = Retry(max_seconds=300)
_FORMAT_OF_SUFFIX = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}


class _Remembers(click.Command):
    """A command that keeps its arguments as given, for the message with the command that resumes the run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[__name__] = list(args)
        return super().parse_args(ctx, args)


def _concurrency(_: click.Context, __: click.Parameter, given: str) -> int | Literal["auto"]:
    if given == "auto":
        return "auto"
    # Python does not read numbers of thousands of digits.
    if not given.isdecimal() or len(given) > 9 or int(given) < 1:
        raise click.BadParameter(f"{given!r} is neither auto nor a number of at least 1.")
    return int(given)


@sections(
    Images=("convert", "everything", "null", "shard", "column", "id_column"),
    Results=(
        "given",
        "part_rows",
        "html",
        "top_k",
        "min_score",
        "form",
        "resume",
        "min_score",
        "html",
        "show",
        "dry_run",
        "quiet",
        "retry_failed",
    ),
    Requests=("version", "version_label", "batch_size", "concurrency", "timeout"),
)
@click.command(cls=_Remembers, short_help="Label images: files, folders, archives, buckets.")
@click.argument("source", nargs=-1, required=True, type=click.Path(path_type=str))
@server_options
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="Version of the model.  [default: the newest]")
@click.option("--version-label", metavar="NAME", help="Label of a version, in place of its number.")
@click.option(
    "--top-k",
    type=click.IntRange(min=1),
    metavar="K",
    help="Number of classes for each image.  [default: all that the model gives; 1 in tables and CSV]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    metavar="N",
    help="Most images in a request.",
)
@click.option(
    "--concurrency",
    default="auto",
    show_default=True,
    callback=_concurrency,
    metavar="auto|N",
    help="Number of requests in flight. With auto, the client finds how many keep the servers busy.",
)
@timeout_option("Seconds that a server has for a request.")
@click.option(
    "--shard",
    callback=shards.parse,
    metavar="I/N",
    help="Shard I (from 0) of N to classify. Its images are the same on every machine.  [default: "
    "JOB_COMPLETION_INDEX of JOB_COMPLETIONS, where Kubernetes sets them; else all images]",
)
@click.option(
    "--convert",
    is_flag=True,
    help="Convert HEIC, AVIF, TIFF, JPEG 2000, PNM and RAW files before they are sent, and classify them "
    "too. Needs hubserve[photos].",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Send every file of folders and archives, and not only images.",
)
@click.option(
    "--column", metavar="NAME", help="Column of Parquet or Arrow files with the images: bytes, paths or URLs."
)
@click.option(
    "--id-column",
    metavar="NAME",
    help="Column of Parquet or Arrow files with the names of the images.  [default: numbers of rows, from 0]",
)
@click.option("--null", is_flag=True, help="Split the paths on standard input at NUL, as find -print0 writes them.")
@click.option(
    "--format",
    "form",
    type=click.Choice(records.FORMATS),
    help="Format of the records.  [default: by the suffix of --output; table on a terminal, else jsonl]",
)
@click.option(
    "--output",
    "given",
    metavar="FILE|FOLDER/",
    help="File to write the records to, or a folder for the Parquet files of a data set, which several shards "
    "may share. A run that was killed can go on with it. Without --resume it must not exist yet.",
)
@click.option(
    "--part-rows",
    type=click.IntRange(min=1),
    default=output.ROWS,
    show_default=True,
    metavar="N",
    help="Most rows in a Parquet file of --output FOLDER/.",
)
@click.option("--resume", is_flag=True, help="Go on with --output where an earlier run ended, or begin it.")
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Classify again, with --resume, the images whose record says that they were not classified.",
)
@click.option(
    "--min-score",
    type=FiniteFloat(0, 1),
    metavar="SCORE",
    help="Smallest score of a class in the records, such as 0.5.  [default: any]",
)
@click.option(
    "--html",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="HTML file to write: a page with images, scores and failures. Needs Pillow.",
)
@click.option("--open", "show", is_flag=True, help="Open the page of --html in the browser at the end of the run.")
@click.option(
    "--dry-run",
    is_flag=True,
    is_eager=True,
    help="Print the images that would be sent, and what is left out and why. No server is asked.",
)
@click.option("--quiet", is_flag=True, help="Show no progress and no summary, only errors.")
@click.pass_context
def classify(
    ctx: click.Context,
    source: tuple[str, ...],
    server: Server,
    version: int | None,
    version_label: str | None,
    top_k: int | None,
    batch_size: int,
    concurrency: int | Literal["auto"],
    timeout: float,
    shard: shards.Shard,
    convert: bool,
    everything: bool,
    column: str | None,
    id_column: str | None,
    null: bool,
    form: str | None,
    given: str | None,
    part_rows: int,
    resume: bool,
    retry_failed: bool,
    min_score: float | None,
    html: Path | None,
    show: bool,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Classify the images that SOURCE names.

    SOURCE is a file, a folder with all that is below it, a glob, a tar archive (.tar, .tar.gz, .tgz, .tar.bz2,
    .tar.xz), a Parquet or Arrow file or a folder of them (with --column), a URL for fsspec (s3://, gs://, ...), a
    pattern with braces ('images-{0000..0099}.tar'), or - for paths on standard input. SOURCE may be repeated.

    Results go to standard output, or to --output, in the order of the images, while the run goes on. Everything else
    goes to standard error.

    \b
    The command ends with
      0    all images were classified
      1    the run failed, or no server answered for some images
      2    wrong usage
      3    some images could not be classified
      130  Ctrl-C ended the run (143: SIGTERM)

    \b
    Example:
      hubserve classify photographs/ --server localhost:8500 --model lite0
      hubserve classify photographs/ --dry-run
      hubserve classify s3://bucket/photographs --server dns:///pnasnet:8500 --model pnasnet \\
        --output results.jsonl --resume
    """
    require_signals()
    file, folder = _output(given)
    form = _format(form, file, folder=folder, resume=resume)
    if retry_failed and not resume:
        raise click.UsageError("--retry-failed works on the file of an earlier run: give --resume and --output too.")
    if retry_failed and dry_run:
        raise click.UsageError("--dry-run changes no file, and --retry-failed does: give one of them.")
    if show and html is None:
        raise click.UsageError("--open opens the page of a run: give it with --html FILE.")
    # The columns are written before the first answer.
    top_k = 1 if form == "csv" and top_k is None else top_k
    coloured = sys.stdout.isatty() and color() is not False
    written = records.readable(form, top_k=top_k, keys=id_column is not None)
    kept: output.FileOutput | None = None
    if file is not None:
        about = output.RunFile(
            format=form,
            model=server["model"],
            version=version,
            version_label=version_label,
            top_k=top_k,
            shard=str(shard),
            min_score=min_score,
        )
        if folder:
            kept = output.prepare_parts(file, about, written, resume=resume, retry_failed=retry_failed, rows=part_rows)
        else:
            kept = output.prepare(file, about, written, resume=resume, retry_failed=retry_failed)
        if kept.notice and not quiet:
            click.echo(kept.notice, err=True)
    choose = functools.partial(sources.Choice, everything=everything, convert=convert, counted=shard.has)
    choice = choose(tell=_tell_left_out if dry_run and not quiet else None)
    columns_read = sources.Columns(column, id_column, *([kept.seen] if kept else []))
    find = functools.partial(
        sources.find,
        source,
        wanted=lambda name: not (kept and kept.has(name)),
        shard=shard,
        null=null,
        choice=choice,
        columns=columns_read,
    )
    if dry_run:
        shown_only(find(), choice.left_out, batch_size=batch_size, quiet=quiet)
        return
    summary = Summary(*(kept.before if kept else (0, 0)), left_out=choice.left_out)
    with told(summary, resuming(ctx.meta[__name__]) if kept else None, quiet=quiet), Signals() as signals:
        page = None
        if html is not None:
            # Imported here, because other runs do not need it.
            from .report import RunPage

            page = RunPage(html, model=server["model"], server=server["target"], left_out=choice.left_out)
            for result in kept.results_before() if kept else ():
                page.add_earlier(result)
        if kept and kept.complete:
            if page:
                page.close()
            return
        images = find()
        try:
            client = Client(
                **server,
                version=version,
                version_label=version_label,
                timeout=timeout,
                retry=_RETRY,
                max_batch_size=batch_size,
                concurrency=concurrency,
                convert=convert,
            )
        except UsageError as error:
            raise click.UsageError(str(error)) from error
        width = columns() if sys.stdout.isatty() else None
        lines = Table(colour=coloured, top_k=top_k or 1, width=width) if form == "table" else written
        written_to: Sink = kept.opened() if kept else output.StandardOutput(lines)
        sinks = [written_to if min_score is None else AtLeast(written_to, min_score), summary]
        sinks += [page] if page else []
        if not quiet:
            # A table on the same terminal shows the progress itself.
            drawn = kept is not None or not sys.stdout.isatty()
            sinks.append(
                progress(
                    functools.partial(sources.total, source, shard.has, choose(), columns_read),
                    summary.before,
                    drawn=drawn,
                )
            )
        classify_all.run(client, images, sinks, signals, top_k=top_k, batch_size=batch_size, keep=page is not None)
        if kept and not summary.unanswered:
            kept.finish()
        if show and html is not None:
            open_page(html)


def _tell_left_out(name: str, kind: str) -> None:
    click.echo(f"left out: {records.shown(name)} ({kind})", err=True)


def _output(given: str | None) -> tuple[Path | None, bool]:
    """Return the path of the output, and whether it is a folder for parts: one that exists, or whose name ends in /.

    Raises:
        click.UsageError: It is a URL.
    """
    if given is None:
        return None, False
    if is_url(given):
        raise click.UsageError(
            f"--output {given}: results are written on this machine: give a file or a folder, and copy it afterwards."
        )
    separators = tuple(filter(None, ("/", os.sep, os.altsep)))
    return Path(given), given.endswith(separators) or os.path.isdir(given)


def _format(given: str | None, file: Path | None, *, folder: bool, resume: bool) -> str:
    """Return the format that was given, or that the output suggests.

    Raises:
        click.UsageError: The output cannot have that format.
    """
    if file is None:
        if resume:
            raise click.UsageError("--resume goes on with a file: give --output too.")
        if given == "parquet":
            raise click.UsageError("Parquet needs a file: give --output too.")
        return given or ("table" if sys.stdout.isatty() else "jsonl")
    if given == "table":
        raise click.UsageError("A table is for reading, and no run can resume from it: give another --format.")
    if folder:
        if given not in (None, "parquet"):
            raise click.UsageError(
                f"--output {file} is a folder, which holds Parquet files: leave --format {given} out."
            )
        return "parquet"
    told = given or _FORMAT_OF_SUFFIX.get(file.suffix.lower())
    if told is None:
        suffixes = ", ".join(_FORMAT_OF_SUFFIX)
        raise click.UsageError(
            f"--output {file}: its suffix is none of {suffixes}, so the format is not known: give --format."
        )
    return told
