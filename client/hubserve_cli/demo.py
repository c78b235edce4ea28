"""The subcommand `hubserve demo`: the whole task, with photographs that scientific packages contain."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from hubserve import Classification, Client

from .common.browser import open_page
from .common.local_server import served
from .common.words import to_install
from .report import RunPage

MODEL = "efficientnet-lite0"
# The package, and the file in it.
_PHOTOGRAPHS = (
    ("skimage", "data/chelsea.png"),
    ("skimage", "data/coffee.png"),
    ("skimage", "data/camera.png"),
    ("skimage", "data/rocket.jpg"),
    ("skimage", "data/motorcycle_left.png"),
    ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    ("sklearn", "datasets/images/china.jpg"),
    ("sklearn", "datasets/images/flower.jpg"),
)
# The classes of these three images, which every person sees; a model that gives others was damaged by the export.
_EXPECTED = {"chelsea.png": "Egyptian cat", "coffee.png": "espresso", "camera.png": "tripod"}


@click.command(short_help="Export, serve, classify, and write a page, without a network.")
@click.option(
    "--output",
    default="demo",
    show_default=True,
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the photographs, the model and the page.",
)
@click.option("--open", "show", is_flag=True, help="Open the page in the browser at the end.")
def demo(output: Path, show: bool) -> None:
    """Export a small model, serve it on this machine, classify photographs over gRPC, and write a page about it.

    The demo needs no network. It ends with 0 when chelsea.png is an Egyptian cat, coffee.png an espresso and camera.png
    a tripod, else with 1.

    \b
    Example:
      hubserve demo --output demo
    """
    photographs = copy_photographs(output / "photographs")
    file = output / "index.html"
    # A page of an earlier demo would be refused.
    file.unlink(missing_ok=True)
    model_dir = output / "models" / MODEL
    click.echo(f"Exporting {MODEL} to {model_dir}", err=True)
    _hubserve("export", MODEL, "--output", str(model_dir), "--batch-sizes", "1,8,32")
    click.echo("Serving it on this machine", err=True)
    with served(model_dir) as server:
        target = server.target
        click.echo("Classifying each photograph twice: the first time warms up, the second is measured", err=True)
        list(classify(target, photographs))
        with RunPage(file, model=MODEL, server=target) as page:
            results = []
            for result in classify(target, photographs):
                page.add(result)
                results.append(result)
        click.echo(table(results))
    click.echo(f"\nThe page: {file}")
    click.echo(f"Serve it again: hubserve serve {model_dir}")
    if show:
        open_page(file)
    if wrong := unexpected(results):
        raise click.ClickException(
            f"{'; '.join(wrong)}: the model does not see what it must, so something changed its pixels, "
            "weights or labels"
        )


def copy_photographs(folder: Path) -> list[Path]:
    """Copy the photographs from the packages that contain them. The packages are not imported.

    Raises:
        click.ClickException: A package is missing, or the folder cannot be written.
    """
    found = []
    for package, name in _PHOTOGRAPHS:
        spec = importlib.util.find_spec(package)
        files = [Path(folder, name) for folder in (spec.submodule_search_locations or ())] if spec else []
        if not any(file.is_file() for file in files):
            raise click.ClickException(f"the demo's photograph {Path(name).name} is not here: {to_install('demo')}")
        found.append(next(file for file in files if file.is_file()))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [Path(shutil.copyfile(file, folder / file.name)) for file in found]
    except OSError as error:
        raise click.ClickException(
            f"{folder} cannot be written ({error.strerror}): give another place with --output"
        ) from error


def classify(target: str, photographs: list[Path]) -> Iterator[Classification]:
    """Classify each photograph in a request of its own, so that each has its own time.

    Raises:
        click.ClickException: The server does not answer, or cannot read a photograph.
    """
    with Client(target, model=MODEL, max_batch_size=1, concurrency=1) as client:
        for result in client.classify(photographs):
            if not result.ok:
                raise click.ClickException(f"{result.source}: {result.error}")
            yield result


def table(results: Iterable[Classification]) -> str:
    """Return a table: photograph, label, score and milliseconds, a line each."""
    lines = [f"{'photograph':22}{'label':22}{'score':>6}{'ms':>7}"]
    lines += [
        f"{Path(result.source).name:22}{result.label:22}{result.score:6.2f}{(result.seconds or 0) * 1000:7.1f}"
        for result in results
    ]
    return "\n".join(lines)


def unexpected(results: Iterable[Classification]) -> list[str]:
    """Return an error for each expected photograph with a wrong label."""
    labels = {Path(result.source).name: result.label for result in results}
    return [
        f"{name} is called {labels.get(name)!r}, not {label!r}"
        for name, label in _EXPECTED.items()
        if labels.get(name) != label
    ]


def _hubserve(*arguments: str) -> None:
    """Run a subcommand in a process of its own, so that this process does not load TensorFlow."""
    done = subprocess.run([sys.executable, "-m", "hubserve", *arguments], stdout=subprocess.DEVNULL)  # noqa: S603
    if done.returncode:
        raise click.ClickException(f"hubserve {arguments[0]} ended with {done.returncode}; its own message is above")
