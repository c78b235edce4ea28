"""The subcommands `hubserve export` and `hubserve inspect`."""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from hubserve_cli.common.options import json_option
from hubserve_model import ModelFilesError, integrity
from hubserve_model import inspect as inspection
from hubserve_model import manifest as manifests
from hubserve_model.tensorflow_log import quieten_tensorflow
from hubserve_model.versions import version_folder, versions

from ._command_options import PREPROCESSING, QUALITY, options
from ._errors import ExportError, PreprocessingError
from ._options import SERVING_DEFAULT, WARMUPS, Options
from ._preprocessing import Preprocessing
from ._terminal_progress import progress_on

if TYPE_CHECKING:
    from ._export import Published

_DEFAULT_MODEL = "https://tfhub.dev/google/imagenet/pnasnet_large/classification/4"
_BUILT_IN = "efficientnet-lite0"
# The library's messages name an option as `image_size`.
_NAMED = re.compile(rf"`({'|'.join(field.name for field in fields(Options))}|no_background)`")


def _batch_sizes(_context: click.Context, _option: click.Parameter, value: str) -> tuple[int, ...]:
    """Parse "1,2,4": ascending positive integers."""
    try:
        sizes = tuple(int(size) for size in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} must be integers with commas between them, such as 1,2,4,8") from error
    if sizes[0] < 1 or any(later <= earlier for earlier, later in itertools.pairwise(sizes)):
        raise click.BadParameter(f"{value!r} must be positive and ascending, such as 1,2,4,8; the last is the largest")
    return sizes


def _models(_context: click.Context, _argument: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete MODEL in a shell: the built-in model, or files."""
    return (
        [CompletionItem(_BUILT_IN)] if typed and _BUILT_IN.startswith(typed) else [CompletionItem(typed, type="file")]
    )


@click.command(short_help="Turn a model into a directory that TensorFlow Serving loads.")
@click.argument("model", default=_DEFAULT_MODEL, shell_complete=_models)
@click.option(
    "--output",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Base folder of the model, which holds its versions.",
)
@click.option("--version", type=click.IntRange(min=1), metavar="N", help="Version to publish.  [default: the next]")
@click.option(
    "--kind",
    type=click.Choice(["classification", "feature_vector"]),
    help="Kind of the model's numbers.  [default: found from the model]",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File with the class names, one on each line.  [default: ImageNet's]",
)
@click.option(
    "--classes",
    type=click.IntRange(min=2),
    metavar="N",
    help="Number of classes that the model must have.  [default: any]",
)
@click.option(
    "--background/--no-background",
    default=None,
    help="Say whether class 0 is background. The labels may then leave it out.  [default: found from the labels]",
)
@click.option("--top-k", type=click.IntRange(min=1), metavar="K", help="Number of classes in an answer.  [default: 5]")
@click.option(
    "--image-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Height and width of the input in pixels, for a model that takes any size.",
)
@click.option(
    "--signature",
    metavar="NAME",
    help="Signature of MODEL to export, or __call__.  [default: the model's default signature]",
)
@click.option(
    "--output-name",
    metavar="NAME",
    help="Output of MODEL to export, if MODEL has several.  [default: found from the names]",
)
@options(PREPROCESSING, section="Preprocessing")
@click.option(
    "--batch-sizes",
    callback=_batch_sizes,
    metavar="SIZES",
    default="1,2,4,8,16,32",
    show_default=True,
    help="Sizes of the batches that the server runs and warms up.",
)
@click.option(
    "--warmup",
    type=click.Choice(WARMUPS),
    default=SERVING_DEFAULT,
    show_default=True,
    help="Requests that a server runs when it loads the model, so that the first callers do not wait. serving_default: "
    "each batch size and image format of this signature, and one image in each other signature. all: the same "
    "for each signature. none: no requests.",
)
@click.option(
    "--warmup-images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of images for warm-up and proof.  [default: four images that come with hubserve]",
)
@click.option(
    "--freeze",
    is_flag=True,
    help="Make constants of the model's variables, so that a server folds batch normalisation into convolutions. "
    "Faster on CPUs, and takes more memory.",
)
@options(QUALITY, section="Scores and quality")
@json_option
def export(as_json: bool, **options: Any) -> None:
    """Turn MODEL into a model directory that TensorFlow Serving can load.

    MODEL is a handle or URL of TensorFlow Hub or Kaggle Models (PNASNet-5 large unless given), the folder of a
    SavedModel, a .tar.gz of one, a .keras or .h5 file, the folder of a KerasHub preset, or efficientnet-lite0, which
    comes with hubserve[demo]. MODEL gives classes or feature vectors.

    The result takes encoded images. It is compared with MODEL before it is published. It never overwrites a version.

    \b
    Example:
      hubserve export efficientnet-lite0 --output models/lite0
      hubserve export my-model --labels labels.txt --output models/mine
    """
    try:
        quieten_tensorflow()
        from ._export import export as run
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("hubserve"):
            raise
        raise click.ClickException(f"export needs {missing}: pip install 'hubserve[export]'") from error
    before = versions(options["output"])
    try:
        with progress_on(sys.stderr, in_flags) as progress:
            published = run(Options(**options), progress)
    except KeyboardInterrupt:
        new = [str(version) for version in versions(options["output"]) if version not in before]
        said = f"version {', '.join(new)} is published" if new else "nothing was published"
        click.echo(f"\nStopped: {said} in {options['output']}", err=True)
        raise
    except ExportError as error:
        raise click.ClickException(in_flags(str(error))) from error
    if as_json:
        click.echo(_document(published, options["model"]))
    else:
        click.echo(f"{published.folder}: {_proven(published, options['model'])}")
        if published.origin is not None:
            click.echo(f"From: {published.origin}")
        for line in _preprocessed(published):
            click.echo(line)
        for line in _quality(published):
            click.echo(line)
    # Not on standard output, where --json prints its document.
    click.echo(f"Serve it: hubserve serve {published.folder.parent}", err=as_json)


def in_flags(text: str) -> str:
    """Replace the library's names of options in a text by this command's."""
    return _NAMED.sub(lambda match: f"--{match[1].replace('_', '-')}", text.replace("`dtype`", "`input_dtype`"))


def _document(published: Published, model: str) -> str:
    document = {
        "model": model,
        "folder": str(published.folder),
        "version": int(published.folder.name),
        "kind": published.kind,
        "outputs": published.outputs,
        "origin": published.origin,
        "head": None if published.head is None else published.head.described(),
        "parity": asdict(published.parity),
        "preprocessing": None if published.preprocessing is None else asdict(published.preprocessing),
        "notes": [in_flags(text) for text in published.notes],
        "preprocessing_evidence": [in_flags(text) for text in published.evidence],
        "examples": None if published.accuracy is None else asdict(published.accuracy),
        "warnings": [in_flags(text) for text in published.warnings],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _preprocessed(published: Published) -> Iterator[str]:
    preprocessing = published.preprocessing
    if preprocessing is not None:
        yield f"Preprocessing: {preprocessing.numbers()}; {preprocessing.picture()}"
        yield f"Known from: {in_flags('; '.join(published.evidence))}"
    for note in published.notes:
        yield f"Called with: {in_flags(note)}"


def _quality(published: Published) -> Iterator[str]:
    """Return lines about the meaning of a classifier's numbers, and its accuracy."""
    head = published.head
    if head is not None:
        yield f"Head: {inspection.described_head(head.described())}"
    if published.accuracy is not None:
        yield f"Examples: {published.accuracy.described()}"


def _proven(published: Published, model: str) -> str:
    parity = published.parity
    if parity.top1_equal is None:
        return (
            f"{published.outputs} features, within {parity.max_error:.1e} of the range of those of {model} "
            f"on {parity.images} images"
        )
    gives = "" if published.head is None else published.head.source_gives
    compared = "scores" if gives == "probabilities" else "logits"
    return (
        f"{published.outputs} classes; the same best class as {model} on {parity.top1_equal} of {parity.images} "
        f"images, {compared} within {parity.max_error:.1e} of their range"
    )


@click.command(short_help="Show what is in a model directory, or check its files.")
@click.argument("model_dir", type=click.Path(path_type=Path))
@click.option("--version", type=click.IntRange(min=0), metavar="N", help="Version to show.  [default: the newest]")
@click.option("--json", "as_json", is_flag=True, help="Print the manifest, one JSON document, instead of text.")
@click.option(
    "--verify",
    is_flag=True,
    help="Check every file against the hashes in the manifest. The command ends with 1 if a file differs.",
)
@click.option(
    "--manifest-sha256",
    metavar="HEX",
    help="SHA-256 that --verify requires of the manifest itself. Keep it where people who can change the model "
    "cannot change it.",
)
def inspect(model_dir: Path, version: int | None, as_json: bool, verify: bool, manifest_sha256: str | None) -> None:
    """Show what is in MODEL_DIR: signatures, labels, preprocessing, its source and its proof.

    With --verify, check the files instead. The output names every file that is missing, altered or extra.

    \b
    Example:
      hubserve inspect models/lite0
      hubserve inspect models/lite0 --verify
    """
    if as_json and verify:
        raise click.UsageError("--json prints the manifest, and --verify checks files against it; give one of them")
    if manifest_sha256 is not None and not verify:
        raise click.UsageError("--manifest-sha256 is checked by --verify; give both")
    try:
        folder = version_folder(model_dir, version)
        manifest = manifests.read(folder)
        if as_json:
            lines = [json.dumps(manifest, indent=2, ensure_ascii=False, allow_nan=False)]
        elif verify:
            lines = list(inspection.verified(folder, integrity.verify(folder, manifest, manifest_sha256)))
        else:
            lines = list(map(in_flags, inspection.describe(folder, manifest, _in_words)))
    except ModelFilesError as error:
        raise click.ClickException(str(error)) from error
    except KeyError as error:
        raise click.ClickException(f"the manifest of {folder} lacks {error}; export the model again") from error
    except (PreprocessingError, AttributeError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise click.ClickException(
            f"the manifest of {folder} is not as hubserve writes it ({error}); export the model again"
        ) from error
    click.echo("\n".join(lines))


def _in_words(shape: Mapping[str, Any]) -> tuple[str, str]:
    preprocessing = Preprocessing(**shape)
    return preprocessing.picture(), preprocessing.numbers()
