"""The subcommands `hubserve export` and `hubserve inspect`."""

from __future__ import annotations

import itertools
import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from . import _inspect, _manifest
from ._errors import ExportError
from ._progress import progress_on
from ._quiet import quieten_tensorflow

_DEFAULT_MODEL = "https://tfhub.dev/google/imagenet/pnasnet_large/classification/4"


def _batch_sizes(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    """Parses "1,2,4": ascending positive integers."""
    try:
        sizes = tuple(int(size) for size in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} must be integers with commas between them, such as 1,2,4,8") from error
    if sizes[0] < 1 or any(later <= earlier for earlier, later in itertools.pairwise(sizes)):
        raise click.BadParameter(f"{value!r} must be positive and ascending, such as 1,2,4,8; the last is the largest")
    return sizes


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Has SIGTERM end the program as Ctrl-C does: by an exception, so that unfinished folders are removed."""

    def end(number: int, _frame: object) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.command()
@click.argument("model", default=_DEFAULT_MODEL)
@click.option(
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="The model's base folder, which holds its versions.",
)
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="The version to publish.  [default: the next]")
@click.option(
    "--labels", type=click.Path(path_type=Path), metavar="FILE", help="Class names, one a line.  [default: ImageNet's]"
)
@click.option("--top-k", type=click.IntRange(min=1), metavar="K", help="Classes in an answer.  [default: 5]")
@click.option(
    "--image-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Height and width of the input, for a model that takes any.",
)
@click.option(
    "--crop-fraction",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="The central part of each side to use.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(min=1),
    default=64_000_000,
    show_default=True,
    help="Larger images are answered with status 2.",
)
@click.option(
    "--batch-sizes",
    callback=_batch_sizes,
    metavar="SIZES",
    default="1,2,4,8,16,32",
    show_default=True,
    help="Batches that the server runs and warms up.",
)
@click.option(
    "--warmup-images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Images for warm-up and proof.  [default: four that come along]",
)
def export(
    model: str,
    output: Path,
    version: int | None,
    labels: Path | None,
    top_k: int | None,
    image_size: int | None,
    crop_fraction: float,
    max_pixels: int,
    batch_sizes: tuple[int, ...],
    warmup_images: Path | None,
) -> None:
    """Turn MODEL into a model directory that TensorFlow Serving can load.

    MODEL is a TensorFlow Hub handle or URL (PNASNet-5 large unless given), the folder of a SavedModel, a .tar.gz of
    one, or efficientnet-lite0, which comes with hubserve[demo]. The result takes encoded images, is proven against
    MODEL before it is published, and never overwrites a version.

    \b
    Example:
      hubserve export efficientnet-lite0 --output models/lite0
    """
    try:
        quieten_tensorflow()
        from ._export import Options
        from ._export import export as run
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("hubserve"):
            raise
        raise click.ClickException(f"export needs {missing}: pip install 'hubserve[export]'") from error
    options = Options(
        model, output, version, labels, top_k, image_size, crop_fraction, max_pixels, batch_sizes, warmup_images
    )
    try:
        with _ended_by_sigterm(), progress_on(sys.stderr) as progress:
            published = run(options, progress)
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    parity = published.parity
    click.echo(
        f"{published.folder}: {published.classes} classes; the same best class as {model} on "
        f"{parity.top1_equal} of {parity.images} images, "
        f"logits within {parity.max_logit_error:.1e} of their range"
    )
    click.echo(f"Serve it: hubserve serve {published.folder.parent}", err=True)


@click.command()
@click.argument("model_dir", type=click.Path(path_type=Path))
@click.option(
    "--version", type=click.IntRange(min=0), metavar="N", help="The version to look into.  [default: the newest]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the manifest as it is.")
def inspect(model_dir: Path, version: int | None, as_json: bool) -> None:
    """Show what is in MODEL_DIR: signatures, labels, preprocessing, where it came from and how it was proven.

    \b
    Example:
      hubserve inspect models/lite0
    """
    try:
        folder = _inspect.version_folder(model_dir, version)
        manifest = _manifest.read(folder)
        lines = (
            [json.dumps(manifest, indent=2, ensure_ascii=False)]
            if as_json
            else list(_inspect.describe(folder, manifest))
        )
    except ExportError as error:
        raise click.ClickException(str(error)) from error
    click.echo("\n".join(lines))
